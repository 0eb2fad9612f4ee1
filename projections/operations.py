"""What a read model wants done to its tables: values, to compare without a database.

Operations of one batch are applied in order to the rows they name (`fold.py`), and only the rows'
last states are written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Value = Any  # what psycopg can write to the column
Row = dict[str, Value]
Key = tuple[Value, ...]
Allowed = Mapping[str, tuple[Value, ...]]


@dataclass(frozen=True, eq=False)
class Table:
    """A table of one read model.

    key: its primary key
    json: columns that hold JSON
    derived: columns computed by SQL when a row is written; `new` is the row
    """

    name: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    json: frozenset[str] = frozenset()
    derived: Mapping[str, str] = field(default_factory=dict)

    def key_of(self, row: Row) -> Key:
        return tuple(row[column] for column in self.key)

    def __repr__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Append:
    """Add a row whose key names its record, so it cannot be there yet."""

    table: Table
    row: Row


@dataclass(frozen=True, slots=True)
class Put:
    """Write the whole row: always when there is none, else when the old one has allowed values."""

    table: Table
    row: Row
    where: Allowed = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Insert:
    """Write the row unless there is one."""

    table: Table
    row: Row


@dataclass(frozen=True, slots=True)
class Update:
    """Change some columns of a row that is there and has allowed values.

    added: columns to add to; null counts as nothing
    """

    table: Table
    key: Key
    values: Row
    where: Allowed = field(default_factory=dict)
    added: Row = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Add:
    """Write the row, or add its other columns to what is there. Counts on each record once."""

    table: Table
    row: Row


Operation = Append | Put | Insert | Update | Add
