"""Operations applied to rows in memory: one batch's last state of every row it touched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import assert_never

from projections.operations import (
    Add,
    Allowed,
    Append,
    Insert,
    Key,
    Operation,
    Put,
    Row,
    Table,
    Update,
)

Loaded = Mapping[Table, Mapping[Key, Row]]


@dataclass
class Changes:
    """What to write to one table.

    rows: by key
    """

    rows: dict[Key, Row] = field(default_factory=dict)
    appended: list[Row] = field(default_factory=list)


def keys_to_load(operations: Iterable[Operation]) -> dict[Table, set[Key]]:
    """Rows whose old state matters. A row that is first overwritten whole is not read."""
    wanted: dict[Table, set[Key]] = {}
    known: dict[Table, set[Key]] = {}
    for operation in operations:
        if isinstance(operation, Append):
            continue
        key = _key_of(operation)
        if isinstance(operation, Put) and not operation.where:
            known.setdefault(operation.table, set()).add(key)
        elif key not in known.get(operation.table, ()):
            wanted.setdefault(operation.table, set()).add(key)
    return wanted


def fold(operations: Iterable[Operation], loaded: Loaded) -> dict[Table, Changes]:
    """loaded: the stored rows of `keys_to_load`."""
    changes: dict[Table, Changes] = {}
    for operation in operations:
        table = operation.table
        change = changes.setdefault(table, Changes())
        stored = loaded.get(table, {})
        if isinstance(operation, Append):
            change.appended.append(operation.row)
        else:
            key = _key_of(operation)
            before = change.rows[key] if key in change.rows else stored.get(key)
            after = _applied(operation, before)
            if after is not None and after is not before:
                change.rows[key] = after
    return changes


def _applied(operation: Put | Insert | Update | Add, before: Row | None) -> Row | None:
    """The row's next state; the same object, or None, when nothing changes."""
    match operation:
        case Put(_, row, where):
            return dict(row) if before is None or _allows(where, before) else before
        case Insert(_, row):
            return dict(row) if before is None else before
        case Update(_, _, values, where, added):
            if before is None or not _allows(where, before):
                return before
            sums = {column: (before[column] or 0) + value for column, value in added.items()}
            return {**before, **values, **sums}
        case Add(table, row):
            if before is None:
                return dict(row)
            return {c: row[c] if c in table.key else before[c] + row[c] for c in row}
        case _:
            assert_never(operation)


def _allows(where: Allowed, row: Row) -> bool:
    return all(row[column] in values for column, values in where.items())


def _key_of(operation: Put | Insert | Update | Add) -> Key:
    if isinstance(operation, Update):
        return operation.key
    return operation.table.key_of(operation.row)
