"""Operations folded over rows: the last state of each row, whatever the batch held."""

from __future__ import annotations

import pytest

from projections.fold import Loaded, fold, keys_to_load
from projections.operations import (
    Add,
    Append,
    Insert,
    Operation,
    Put,
    Row,
    Table,
    Update,
)

T = Table("t", key=("id",), columns=("id", "n", "state"))


def row(n: int | None, state: str = "new") -> Row:
    return {"id": "a", "n": n, "state": state}


STORED: Loaded = {T: {("a",): row(1)}}
EMPTY: Loaded = {T: {}}


@pytest.mark.parametrize(
    ("stored", "operations", "expected"),
    [
        pytest.param(EMPTY, [Put(T, row(2))], row(2), id="put makes a row"),
        pytest.param(STORED, [Put(T, row(2))], row(2), id="put replaces"),
        pytest.param(
            STORED, [Put(T, row(2), where={"state": ("new", None)})], row(2), id="put if allowed"
        ),
        pytest.param(
            STORED, [Put(T, row(2), where={"state": ("old",)})], row(1), id="put not allowed"
        ),
        pytest.param(EMPTY, [Insert(T, row(2)), Insert(T, row(3))], row(2), id="first insert"),
        pytest.param(STORED, [Insert(T, row(2))], row(1), id="insert leaves what is there"),
        pytest.param(
            EMPTY, [Put(T, row(2)), Update(T, ("a",), {"n": 3})], row(3), id="put then update"
        ),
        pytest.param(EMPTY, [Update(T, ("a",), {"n": 3})], None, id="update without a row"),
        pytest.param(
            STORED,
            [Update(T, ("a",), {"n": 3}, where={"state": ("old",)})],
            row(1),
            id="update not allowed",
        ),
        pytest.param(
            STORED,
            [
                Update(T, ("a",), {"state": "old"}),
                Update(T, ("a",), {"n": 3}, where={"state": ("old",)}),
            ],
            row(3, "old"),
            id="an update sees the one before",
        ),
        pytest.param(
            {T: {("a",): row(None)}},
            [
                Update(T, ("a",), {"state": "some"}, added={"n": 2}),
                Update(T, ("a",), {}, added={"n": 3}),
                Update(T, ("a",), {}, where={"state": ("other",)}, added={"n": 5}),
            ],
            row(5, "some"),
            id="an update adds up",
        ),
    ],
)
def test_last_state(stored: Loaded, operations: list[Operation], expected: Row | None) -> None:
    assert after(stored, operations) == expected


COUNTS = Table("counts", key=("id",), columns=("id", "n"))


def test_counts() -> None:
    stored: Loaded = {COUNTS: {("a",): {"id": "a", "n": 10}}}
    added: list[Operation] = [Add(COUNTS, {"id": "a", "n": 2}), Add(COUNTS, {"id": "a", "n": 3})]
    assert fold(added, stored)[COUNTS].rows["a",] == {"id": "a", "n": 15}


def test_only_rows_whose_old_state_matters_are_loaded() -> None:
    written: list[Operation] = [Put(T, row(1)), Update(T, ("a",), {"n": 2}), Append(T, row(3))]
    assert keys_to_load(written) == {}
    assert keys_to_load([Update(T, ("a",), {"n": 2}), Put(T, row(1))]) == {T: {("a",)}}


def after(stored: Loaded, operations: list[Operation]) -> Row | None:
    change = fold(operations, stored)[T]
    return change.rows[("a",)] if ("a",) in change.rows else stored[T].get(("a",))
