"""The conditions that were asked for, and no others.

`%(x)s IS NULL OR x = %(x)s` would say the same in one statement for all. But PostgreSQL may plan a
statement that is used often once for every value, and then no index serves a condition that may be
none: a page of a list would read the whole table.
"""

from __future__ import annotations

from typing import LiteralString

from psycopg import sql


def where(*conditions: tuple[LiteralString, object]) -> sql.Composable:
    """Each with the value that decides: None leaves it out."""
    given = [sql.SQL(condition) for condition, value in conditions if value is not None]
    return sql.SQL("WHERE ") + sql.SQL(" AND ").join(given) if given else sql.SQL("")
