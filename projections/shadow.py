"""A read model's second set of tables, filled beside the first and then put in its place.

The schema `rebuilding` holds tables of the same names and shape, with positions and marks of their
own. A session whose search path is that schema fills them with the very code that fills the first
ones, while those go on being served and moved on.

Put in place means: in one transaction the first tables get the rows that differ. That takes no
lock that a reader could hold or would wait for, leaves views, grants and indexes as they are, and
readers see the old rows until they see the new ones.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import LiteralString

from psycopg import sql

import projections
import schemas
from projections.database import CHANNEL, Connection, Place, identifiers, lock_swap
from projections.operations import Table
from projections.record import ReadModel

SCHEMA = "rebuilding"
_SOURCES = (".py", ".sql", ".avsc")
_WORK_MEM = "64MB"


def prepare(connection: Connection, model: ReadModel) -> bool:
    """Make the second set; whether one was there that this same code had begun to fill."""
    with connection.transaction():
        found = connection.execute(
            "SELECT 1 FROM rebuilding.fills WHERE read_model = %s AND code_sha256 = %s",
            (model.name, code_sha256()),
        ).fetchone()
        if found is not None:
            return True
        _drop(connection, model)
        for table in model.tables:
            connection.execute(
                sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(
                    _second(table), _first(table)
                )
            )
        connection.execute(
            "INSERT INTO rebuilding.fills (read_model, code_sha256) VALUES (%s, %s)",
            (model.name, code_sha256()),
        )
    return False


def served_positions(connection: Connection, model: ReadModel) -> dict[Place, int]:
    """Of the first set: what readers see."""
    return _positions(connection, "public", model)


def put_in_place(connection: Connection, model: ReadModel) -> bool:
    """False, and nothing done, where the first set has moved past the second one.

    The read model stands still meanwhile, as it does in a batch of its own.
    """
    with connection.transaction():
        lock_swap(connection, model.name)
        places = _positions(connection, "public", model, "FOR UPDATE")
        filled = _positions(connection, SCHEMA, model)
        if any(filled.get(place, 0) < offset for place, offset in places.items()):
            return False
        connection.execute(sql.SQL("SET LOCAL work_mem = {}").format(sql.Literal(_WORK_MEM)))
        for table in model.tables:
            connection.execute(sql.SQL("ANALYZE {}").format(_second(table)))
            _take_over(connection, table)
        _move(connection, model)
        connection.execute(sql.SQL("NOTIFY {}").format(sql.Identifier(CHANNEL)))
    return True


def clear(connection: Connection, model: ReadModel) -> None:
    with connection.transaction():
        _drop(connection, model)


@cache
def code_sha256() -> str:
    """Of all that says what a record does to a table: rows of other code are not gone on with."""
    digest = hashlib.sha256()
    for package in (projections, schemas):
        root = Path(str(package.__file__)).parent
        for path in sorted(root.rglob("*")):
            if path.suffix in _SOURCES:
                digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _positions(
    connection: Connection, schema: str, model: ReadModel, lock: LiteralString = ""
) -> dict[Place, int]:
    rows = connection.execute(
        sql.SQL(
            "SELECT read_model, topic, partition, next_offset FROM {} WHERE read_model = %s "
            "ORDER BY topic, partition {}"
        ).format(sql.Identifier(schema, "projection_positions"), sql.SQL(lock)),
        (model.name,),
    )
    return {Place(*row[:3]): row[3] for row in rows}


def _take_over(connection: Connection, table: Table) -> None:
    """Rows are compared byte by byte, so that equal numbers of another scale count as changed."""
    columns = (*table.columns, *table.derived)
    others = [column for column in columns if column not in table.key]
    parts = {
        "first": _first(table),
        "second": _second(table),
        "key": identifiers(table.key),
        "first_key": identifiers(table.key, of="f"),
        "second_key": identifiers(table.key, of="s"),
        "columns": identifiers(columns),
        "first_row": identifiers(columns, of="f"),
        "second_row": identifiers(columns, of="s"),
        "changed": sql.SQL(", ").join(
            sql.SQL("{0} = excluded.{0}").format(sql.Identifier(column)) for column in others
        ),
    }
    connection.execute(
        sql.SQL(
            "DELETE FROM {first} f WHERE NOT EXISTS "
            "(SELECT FROM {second} s WHERE ({second_key}) = ({first_key}))"
        ).format(**parts)
    )
    connection.execute(
        sql.SQL(
            "INSERT INTO {first} ({columns}) SELECT {second_row} FROM {second} s "
            "LEFT JOIN {first} f ON ({second_key}) = ({first_key}) "
            "WHERE f IS NULL OR record_image_ne(ROW({second_row}), ROW({first_row})) "
            "ON CONFLICT ({key}) DO UPDATE SET {changed}"
        ).format(**parts)
    )


def _move(connection: Connection, model: ReadModel) -> None:
    """Positions and marks, in the same transaction as the rows."""
    for name in ("projection_positions", "projection_marks"):
        first, second = sql.Identifier("public", name), sql.Identifier(SCHEMA, name)
        connection.execute(
            sql.SQL("DELETE FROM {} WHERE read_model = %s").format(first), (model.name,)
        )
        connection.execute(
            sql.SQL("INSERT INTO {} SELECT * FROM {} WHERE read_model = %s").format(first, second),
            (model.name,),
        )
    connection.execute("DELETE FROM rebuilding.fills WHERE read_model = %s", (model.name,))


def _drop(connection: Connection, model: ReadModel) -> None:
    for table in model.tables:
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(_second(table)))
    for name in ("projection_positions", "projection_marks", "fills"):
        connection.execute(
            sql.SQL("DELETE FROM {} WHERE read_model = %s").format(sql.Identifier(SCHEMA, name)),
            (model.name,),
        )


def _first(table: Table) -> sql.Identifier:
    return sql.Identifier("public", table.name)


def _second(table: Table) -> sql.Identifier:
    return sql.Identifier(SCHEMA, table.name)
