"""Rows, positions and marks in PostgreSQL: everything that happens inside one batch's transaction.

SQL here is made from the declared tables only; values travel by COPY or as parameters.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

import psycopg
from psycopg import sql
from psycopg.rows import dict_row, tuple_row

from projections.fold import Changes
from projections.operations import Key, Row, Table, Value
from schemas.marks import Marks
from schemas.topics import DEAD_LETTERS_KEPT_MS

Connection = psycopg.Connection[tuple[Value, ...]]
CHANNEL = "hcp_positions"
DEAD_LETTER_ROWS = 100_000  # at most, give or take a minute's
_LOCK_SPACE = 0x484350  # "HCP": keeps our advisory locks apart from other people's
_SWAP_SPACE = 0x484351
_LOCK_WAIT_S = 10
_SILENT_S = 60


class Place(NamedTuple):
    """A read model's place in one partition. topic: without the environment's prefix."""

    read_model: str
    topic: str
    partition: int


def connect(dsn: str, *, schema: str = "public") -> Connection:
    """Autocommits. schema: where tables are looked for.

    Keepalives: a server that vanished is noticed in seconds, not hours. Waiting for a lock ends
    too, and so does a transaction in which we fell silent: others may wait for what it holds.
    """
    return psycopg.connect(
        dsn,
        connect_timeout=10,
        application_name="hcp-projections",
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
        row_factory=tuple_row,
        autocommit=True,
        options=(
            f"-c timezone=UTC -c synchronous_commit=on -c search_path={schema} "
            f"-c lock_timeout={_LOCK_WAIT_S}s -c idle_in_transaction_session_timeout={_SILENT_S}s"
        ),
    )


# positions and marks --------------------------------------------------------------------------


def ensure_positions(connection: Connection, places: Iterable[Place]) -> None:
    """A place that is new starts at 0."""
    with connection.transaction():
        connection.cursor().executemany(
            "INSERT INTO projection_positions (read_model, topic, partition, next_offset) "
            "VALUES (%s, %s, %s, 0) ON CONFLICT DO NOTHING",
            sorted(places),
        )


def positions(connection: Connection) -> dict[Place, int]:
    rows = connection.execute(
        "SELECT read_model, topic, partition, next_offset FROM projection_positions"
    )
    return {Place(*row[:3]): row[3] for row in rows}


def lock_positions(connection: Connection, read_models: Sequence[str]) -> dict[Place, int]:
    """Nobody else writes to these read models until the transaction ends.

    All positions of each, not only those of the batch: a row may hear from several logs, and two
    runners with different logs would otherwise overwrite each other's. In one order: no deadlocks.
    """
    rows = connection.execute(
        "SELECT read_model, topic, partition, next_offset FROM projection_positions "
        "WHERE read_model = ANY (%s) ORDER BY read_model, topic, partition FOR UPDATE",
        (list(read_models),),
    )
    return {Place(*row[:3]): row[3] for row in rows}


def advance(connection: Connection, moved: Mapping[Place, int]) -> None:
    connection.execute(
        "UPDATE projection_positions p SET next_offset = n.next_offset, updated_at = now() "
        "FROM unnest(%s::text[], %s::text[], %s::int[], %s::bigint[]) "
        "AS n (read_model, topic, partition, next_offset) "
        "WHERE p.read_model = n.read_model AND p.topic = n.topic AND p.partition = n.partition",
        columns_of([(*place, offset) for place, offset in moved.items()], 4),
    )
    connection.execute(sql.SQL("NOTIFY {}").format(sql.Identifier(CHANNEL)))


def skip_to(connection: Connection, firsts: Mapping[tuple[str, int], int]) -> int:
    """Past what a log holds no more, by topic and partition; how many positions it moved."""
    with connection.transaction():
        return connection.execute(
            "UPDATE projection_positions p SET next_offset = n.first, updated_at = now() "
            "FROM unnest(%s::text[], %s::int[], %s::bigint[]) AS n (topic, partition, first) "
            "WHERE p.topic = n.topic AND p.partition = n.partition AND p.next_offset < n.first",
            columns_of([(*place, first) for place, first in firsts.items()], 3),
        ).rowcount


def forget_dead_letters(connection: Connection) -> int:
    """Those that are older, or more, than the topics keep; how many rows went."""
    with connection.transaction():
        return connection.execute(
            "DELETE FROM dead_letters WHERE refused_at < greatest(now() - %s, "
            "(SELECT refused_at FROM dead_letters ORDER BY refused_at DESC OFFSET %s LIMIT 1))",
            (timedelta(milliseconds=DEAD_LETTERS_KEPT_MS), DEAD_LETTER_ROWS),
        ).rowcount


def load_marks(connection: Connection, places: Sequence[Place]) -> dict[Place, Marks]:
    rows = connection.execute(
        "SELECT read_model, topic, partition, agent, source, input_offset, index "
        "FROM projection_marks WHERE (read_model, topic, partition) IN "
        "(SELECT * FROM unnest(%s::text[], %s::text[], %s::int[]))",
        columns_of(places, 3),
    )
    found: dict[Place, Marks] = {place: {} for place in places}
    for row in rows:
        agent, source = row[3:5]
        found[Place(*row[:3])][f"{agent}/{source}"] = (row[5], row[6])
    return found


def save_marks(connection: Connection, marks: Mapping[Place, Marks]) -> None:
    rows = [
        (*place, *source.split("/", 1), *mark)
        for place, of_place in marks.items()
        for source, mark in of_place.items()
    ]
    if rows:
        connection.execute(
            "INSERT INTO projection_marks "
            "(read_model, topic, partition, agent, source, input_offset, index) "
            "SELECT * FROM unnest(%s::text[], %s::text[], %s::int[], %s::text[], %s::text[], "
            "%s::bigint[], %s::int[]) ON CONFLICT (read_model, topic, partition, agent, source) "
            "DO UPDATE SET input_offset = excluded.input_offset, index = excluded.index",
            columns_of(rows, 7),
        )


# locks ------------------------------------------------------------------------------------------


def take_rebuild_lock(connection: Connection, read_model: str) -> bool:
    """Held until the connection closes. False: somebody else is rebuilding it."""
    row = connection.execute(
        "SELECT pg_try_advisory_lock(%s, %s)", (_LOCK_SPACE, _lock_number(read_model))
    ).fetchone()
    return bool(row and row[0])


def take_swap_lock(connection: Connection, read_model: str) -> None:
    """Held until the connection closes: batches leave this read model out. Waits for the one that
    is under way."""
    connection.execute("SELECT pg_advisory_lock(%s, %s)", (_SWAP_SPACE, _lock_number(read_model)))


def lock_swap(connection: Connection, read_model: str) -> None:
    """The same until the transaction ends."""
    connection.execute(
        "SELECT pg_advisory_xact_lock(%s, %s)", (_SWAP_SPACE, _lock_number(read_model))
    )


def not_swapped(connection: Connection, read_models: Sequence[str]) -> list[str]:
    """Those whose swap lock nobody else holds; nobody gets it before this transaction ends."""
    rows = connection.execute(
        "SELECT name FROM unnest(%s::text[], %s::int[]) WITH ORDINALITY AS m (name, number, place) "
        "WHERE pg_try_advisory_xact_lock_shared(%s, number) ORDER BY place",
        (list(read_models), [_lock_number(name) for name in read_models], _SWAP_SPACE),
    )
    return [str(name) for (name,) in rows]


def _lock_number(read_model: str) -> int:
    return zlib.crc32(read_model.encode()) - 2**31


# rows -------------------------------------------------------------------------------------------


def load(connection: Connection, wanted: Mapping[Table, set[Key]]) -> dict[Table, dict[Key, Row]]:
    """The stored rows with these keys."""
    loaded: dict[Table, dict[Key, Row]] = {}
    for table, keys in wanted.items():
        stored = _select(connection, table, table.key, sorted(keys))
        loaded[table] = {table.key_of(row): row for row in stored}
    return loaded


def write(connection: Connection, tables: Iterable[Table], changes: Mapping[Table, Changes]) -> int:
    """In the order of `tables`, for derived columns read tables before their own. Rows written."""
    written = 0
    for table in tables:
        change = changes.get(table)
        if change is None:
            continue
        if change.rows:
            _upsert(connection, table, list(change.rows.values()))
        if change.appended:
            _copy(connection, sql.Identifier(table.name), table, change.appended)
        written += len(change.rows) + len(change.appended)
    return written


def _select(
    connection: Connection, table: Table, by: Sequence[str], keys: Sequence[Key]
) -> list[Row]:
    if not keys:
        return []
    types = _column_types(connection, table)
    arrays = sql.SQL(", ").join(sql.SQL(f"%s::{types[column]}[]") for column in by)
    statement = sql.SQL("SELECT {columns} FROM {table} WHERE ({by}) IN (SELECT * FROM unnest({a}))")
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(
            statement.format(
                columns=identifiers(table.columns),
                table=sql.Identifier(table.name),
                by=identifiers(by),
                a=arrays,
            ),
            columns_of([tuple(clean(value) for value in key) for key in keys], len(by)),
        )
        return cursor.fetchall()


def _upsert(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Through a temporary table: COPY is the fastest way in, and it cannot resolve conflicts."""
    incoming = sql.Identifier(f"incoming_{table.name}")
    connection.execute(
        sql.SQL(
            "CREATE TEMPORARY TABLE IF NOT EXISTS {} ON COMMIT DELETE ROWS AS "
            "SELECT {} FROM {} WITH NO DATA"
        ).format(incoming, identifiers(table.columns), sql.Identifier(table.name))
    )
    _copy(connection, incoming, table, rows)
    derived = [sql.SQL("({})").format(sql.SQL(expression)) for expression in table.derived.values()]
    targets = (*table.columns, *table.derived)
    overwritten = [
        sql.SQL("{0} = excluded.{0}").format(sql.Identifier(column))
        for column in targets
        if column not in table.key
    ]
    connection.execute(
        sql.SQL(
            "INSERT INTO {table} ({targets}) SELECT {values} FROM {incoming} AS new "
            "ON CONFLICT ({key}) DO UPDATE SET {overwritten}"
        ).format(
            table=sql.Identifier(table.name),
            targets=identifiers(targets),
            values=sql.SQL(", ").join([identifiers(table.columns), *derived]),
            incoming=incoming,
            key=identifiers(table.key),
            overwritten=sql.SQL(", ").join(overwritten),
        )
    )


def _copy(
    connection: Connection, target: sql.Identifier, table: Table, rows: Iterable[Row]
) -> None:
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(target, identifiers(table.columns))
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(
                [
                    json_text(row[column]) if column in table.json else clean(row[column])
                    for column in table.columns
                ]
            )


def json_text(value: Value) -> str:
    """PostgreSQL's JSON has no NUL, escaped or not."""
    return json.dumps(value, default=str, separators=(",", ":")).replace("\\u0000", "\\ufffd")


def clean(value: Value) -> Value:
    """PostgreSQL's text has no NUL; a record with one must not stop the projections."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd") if "\0" in value else value
    if isinstance(value, list):
        return [clean(member) for member in value]
    return value


def columns_of(rows: Sequence[Sequence[Value]], width: int) -> tuple[list[Value], ...]:
    """Rows as one list a column: what `unnest` takes."""
    return tuple([row[column] for row in rows] for column in range(width))


def identifiers(columns: Iterable[str], *, of: str = "") -> sql.Composed:
    """of: the alias of their table"""
    prefix = (of,) if of else ()
    return sql.SQL(", ").join(sql.Identifier(*prefix, column) for column in columns)


_TYPES: dict[str, dict[str, str]] = {}


def _column_types(connection: Connection, table: Table) -> dict[str, str]:
    """From the catalog, once a table and process: migrations do not run under a running service."""
    if table.name not in _TYPES:
        rows = connection.execute(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
            "WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
            (table.name,),
        ).fetchall()
        _TYPES[table.name] = {str(row[0]): str(row[1]) for row in rows}
    return _TYPES[table.name]
