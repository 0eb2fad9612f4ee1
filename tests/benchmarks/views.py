"""`python -m tests.benchmarks.views [ROWS [TABLE ...]]`: each documented view on so many rows, and
what the gateway asks of the same tables.

Of a table that grows with time it makes ROWS (5,000,000 when none are named), of one that grows
with the company a fiftieth. One table after the other is filled, asked and emptied again, in a
PostgreSQL of its own. It prints milliseconds, of the second time that each question is asked, as an
analyst asks it: within the limits of the role.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from rich.console import Console
from rich.table import Table

from deploy.local import ports
from deploy.local.child import Child
from deploy.local.infrastructure import wait_ready
from deploy.local.postgres import Postgres
from gateway.database import Database
from gateway.settings import Settings
from projections.migrating import migrate
from projections.rollups import roll_up
from tests.benchmarks import account_questions, site_questions
from tests.benchmarks.view_subjects import Ask

ROWS = 5_000_000
Connection = psycopg.Connection[tuple[object, ...]]
ROLLUPS = sql.SQL("rollups.feeder_hours, rollups.site_hours, rollups.stale_hours")
MARK = b"""INSERT INTO rollups.stale_hours SELECT DISTINCT site_id,
           date_trunc('hour', interval_start, 'UTC') FROM feeder_energy_readings"""
out = Console(width=None if sys.stdout.isatty() else 140)

SUBJECTS = (*site_questions.SUBJECTS, *account_questions.SUBJECTS)

# What a column holds where its table says nothing of it: an expression of the row's number, g.
BY_NAME = {
    "site_id": "'site-' || g % 20",
    "customer_id": "'customer-' || g % 1000",
    "feeder_id": "'feeder-' || g % 4",
    "gpu_model": "(ARRAY['H100', 'A100', 'L40S'])[1 + g % 3]",
    "interval_end": "timestamptz '2020-01-01' + (g + 1) * interval '30 s'",
    "offset": "g",
    "partition": "0",
    "reason": "'because'",
    "rejected": "false",
}
BY_TYPE = {
    "text": "'{column}-' || g",
    "bytea": "decode(repeat('00', 500), 'hex')",
    "bigint": "1000 + g % 100000",
    "integer": "g % 1000",
    "numeric": "(g % 10000) / 100.0",
    "boolean": "false",
    "double precision": "1.0",
    "jsonb": "'[]'::jsonb",
    "text[]": "ARRAY['unit-' || g % 500]",
    "bigint[]": "ARRAY[700]::bigint[]",
    "integer[]": "ARRAY[1000]",
    "timestamp with time zone": "timestamptz '2020-01-01' + g * interval '30 s'",
}


def main(rows: int, named: frozenset[str]) -> int:
    """named: only the views of these tables; all when empty"""
    subjects = [s for s in SUBJECTS if not named or named & s.tables.keys()]
    table = Table(title=f"Each documented view, {rows:,} rows in the tables below it")
    for heading, justify in (("view", "left"), ("question", "left"), ("ms", "right")):
        table.add_column(heading, justify="right" if justify == "right" else "left")
    with postgres() as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        for subject in subjects:
            started = time.monotonic()
            for name, columns in subject.tables.items():
                share = subject.shares.get(name, subject.share)
                fill(connection, name, columns, max(1, int(rows * share)))
            rolled = roll_everything_up(connection)
            filled_s = time.monotonic() - started
            for view, asked, query in subject.questions:
                table.add_row(view, asked, answered(connection, query))
            for asked, ask in subject.asks.items():
                table.add_row("(gateway)", asked, asyncio.run(told(dsn, ask)))
            names = sql.SQL(", ").join(map(sql.Identifier, subject.tables))
            connection.execute(sql.SQL("TRUNCATE {}, {}").format(names, ROLLUPS))
            out.print(f"{', '.join(subject.tables)}: filled in {filled_s:.0f} s")
            if rolled:
                out.print(f"{rolled:,} hours rolled up in that time")
        missing = views(connection) - {view for s in SUBJECTS for view, *_ in s.questions}
    out.print(table)
    if missing:
        out.print(f"not measured: {', '.join(sorted(missing))}")
    return 1 if missing else 0


def fill(connection: Connection, name: str, columns: Mapping[str, str], rows: int) -> None:
    """Without its other indexes, which are quicker to make afterwards."""
    described = connection.execute(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
        "WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
        (name,),
    ).fetchall()
    expressions = {
        str(column): columns.get(str(column))
        or BY_NAME.get(str(column))
        or BY_TYPE[str(kind)].format(column=column)
        for column, kind in described
    }
    indexes = connection.execute(
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index "
        "WHERE indrelid = %s::regclass AND NOT indisprimary",
        (name,),
    ).fetchall()
    for index, _ in indexes:
        connection.execute(f"DROP INDEX {index}".encode())
    connection.execute(f"ALTER TABLE {name} DISABLE TRIGGER USER".encode())
    targets = ", ".join(f'"{column}"' for column in expressions)
    values = ", ".join(expressions.values())
    connection.execute(
        f"INSERT INTO {name} ({targets}) SELECT {values} FROM generate_series(1, {rows}) g".encode()
    )
    for _, definition in indexes:
        connection.execute(str(definition).encode())
    connection.execute(f"ALTER TABLE {name} ENABLE TRIGGER USER".encode())
    connection.execute(f"VACUUM ANALYZE {name}".encode())


def roll_everything_up(connection: Connection) -> int:
    """As it is when the projections have had the time; how many hours of sites there are."""
    connection.execute(MARK)
    rolled = 0
    while done := roll_up(connection):
        rolled += done
    connection.execute(sql.SQL("VACUUM ANALYZE {}").format(ROLLUPS))
    return rolled


def answered(connection: Connection, query: str) -> str:
    """As an analyst would ask it, in time or not at all: ms."""
    took_ms = 0.0
    for _ in range(2):
        try:
            with connection.transaction():
                connection.execute("SET LOCAL ROLE hcp_analyst")
                connection.execute("SET LOCAL statement_timeout = '60s'")
                started = time.perf_counter()
                connection.execute(query.encode()).fetchall()
                took_ms = (time.perf_counter() - started) * 1000
        except psycopg.errors.QueryCanceled:
            return "over 60,000"
    return f"{took_ms:,.1f}"


async def told(dsn: str, ask: Ask) -> str:
    """As the gateway asks it: ms."""
    database = Database(Settings(database=dsn, gateway_query_timeout_s=60))
    await database.open()
    took_ms = 0.0
    try:
        for _ in range(2):
            started = time.perf_counter()
            await ask(database)
            took_ms = (time.perf_counter() - started) * 1000
    except psycopg.errors.QueryCanceled:
        return "over 60,000"
    finally:
        await database.close()
    return f"{took_ms:,.1f}"


def views(connection: Connection) -> set[str]:
    found = connection.execute("SELECT viewname FROM pg_views WHERE schemaname = 'analytics'")
    return {str(name) for (name,) in found}


@contextmanager
def postgres() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)  # where we are root, PostgreSQL is somebody else
        (port,) = ports.choose_free(1)
        server = Postgres(directory / "postgres", port, "benchmark", durable=False)
        server.prepare(directory / "initdb.log")
        child = Child(server.command(), directory / "postgres.log")
        try:
            wait_ready(child)
            server.create_databases()
            migrate(server.dsn("hcp"))
            yield f"{server.dsn('hcp')}?options=-c%20maintenance_work_mem%3D256MB"
        finally:
            child.stop()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else ROWS, frozenset(sys.argv[2:])))
