from __future__ import annotations

from schemas.envelope import Cause
from schemas.marks import Marks, highest, is_repeat, raise_mark


def cause(offset: int, index: int, agent: str = "routing") -> Cause:
    return Cause(agent, "hcp.sites.v1", 0, offset, index, 3)


def read(marks: Marks, told: Cause | None) -> bool:
    """Whether it was a repeat; applied otherwise."""
    repeats = is_repeat(marks, told)
    if not repeats:
        raise_mark(marks, told)
    return repeats


def test_marks_drop_what_was_applied() -> None:
    marks: Marks = {}
    told = [(4, 0), (4, 1), (6, 0), (4, 1), (6, 0), (6, 1), (4, 0), (7, 0)]
    repeats = [read(marks, cause(*position)) for position in told]
    assert repeats == [False, False, False, True, True, False, True, False]
    assert marks == {"routing/hcp.sites.v1:0": (7, 0)}


def test_asking_raises_no_mark() -> None:
    marks: Marks = {}
    assert not is_repeat(marks, cause(4, 0))
    assert not is_repeat(marks, cause(4, 0))


def test_agents_have_marks_of_their_own() -> None:
    marks: Marks = {}
    assert not read(marks, cause(9, 0))
    assert not read(marks, cause(4, 0, "brokering"))
    assert read(marks, cause(4, 0, "brokering"))


def test_producers_records_are_no_repeats() -> None:
    marks: Marks = {}
    assert not read(marks, None)
    assert not read(marks, None)
    assert marks == {}


def test_the_highest_of_several() -> None:
    assert highest([{"a": (1, 5), "b": (2, 0)}, {"a": (2, 0)}, {}]) == {"a": (2, 0), "b": (2, 0)}
