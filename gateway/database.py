"""The pool of connections to PostgreSQL, and the gateway's own migrations."""

from __future__ import annotations

import selectors
from collections.abc import Mapping
from pathlib import Path
from typing import Any, LiteralString
from urllib.parse import urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row
from psycopg.sql import Composed
from psycopg_pool import AsyncConnectionPool
from tenacity import (
    Retrying,
    retry_if_exception_type,
    stop_after_delay,
    wait_random_exponential,
)
from yoyo import get_backend, read_migrations

from gateway.settings import Settings

Row = dict[str, Any]
Statement = LiteralString | Composed

MIGRATIONS = Path(__file__).parent / "migrations"
# Whoever migrates this database holds this advisory lock, projections too. yoyo's own lock is a row
# that a killed process leaves behind; under ours such a row is known to be nobody's.
MIGRATING = 0x48435001
YOYO_WAIT_S = 10
LEAST_WAIT_S = 1.0  # for another migration
LOCK_WAIT = "500ms"  # below the server's deadlock_timeout
LONGEST_PAUSE_S = 5
PATIENCE_S = 150.0  # an analyst's transaction is ended before
HELD_UP = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)
CONNECT_TIMEOUT_S = 3
POOL_WAIT_S = 3.0


class Database:
    """Runs the SQL of queries.py. Each call is one transaction on a connection of the pool."""

    def __init__(self, settings: Settings) -> None:
        self._pool = AsyncConnectionPool(
            settings.database,
            min_size=1,
            max_size=settings.gateway_database_connections,
            timeout=POOL_WAIT_S,
            # Reads that waited for a position may all go on at once.
            max_waiting=(
                settings.gateway_max_concurrent_requests + settings.gateway_max_waiting_reads
            ),
            reconnect_timeout=5,
            check=_check_if_spoken_to,
            open=False,
            kwargs={
                "autocommit": True,
                "connect_timeout": CONNECT_TIMEOUT_S,
                "application_name": "hcp-gateway",
                "options": (
                    f"-c statement_timeout={int(settings.gateway_query_timeout_s * 1000)}"
                    " -c timezone=UTC"
                ),
            },
        )

    async def open(self) -> None:
        await self._pool.open(wait=False)

    async def close(self) -> None:
        await self._pool.close(timeout=3)

    async def rows(self, sql: Statement, values: Mapping[str, Any] | None = None) -> list[Row]:
        """Raises psycopg.OperationalError or PoolTimeout when the database does not answer."""
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=dict_row)
            await cursor.execute(sql, values or {})
            return await cursor.fetchall()

    async def row(self, sql: Statement, values: Mapping[str, Any] | None = None) -> Row | None:
        rows = await self.rows(sql, values)
        return rows[0] if rows else None

    async def execute(self, sql: Statement, values: Mapping[str, Any] | None = None) -> None:
        async with self._pool.connection() as connection:
            await connection.execute(sql, values or {})


async def _check_if_spoken_to(connection: psycopg.AsyncConnection[Any]) -> None:
    """Keep a connection that died with its server from being lent, at no cost to the others.

    To ask each one would be a round trip a query. A server says something on an idle connection
    only when it ends it, so silence is health.
    """
    with selectors.DefaultSelector() as selector:
        selector.register(connection.fileno(), selectors.EVENT_READ)
        if selector.select(0):
            await AsyncConnectionPool.check_connection(connection)


def migrate(dsn: str, *, patience_s: float = 0.0) -> list[str]:
    """Apply what is not applied yet, in order; the names of what was applied.

    Whoever waits for a table holds up all who come after. So, as projections do, it waits for half
    a second, lets the others pass, and tries again for so long; what was applied before stays.

    Raises psycopg.Error: one of HELD_UP when others had a table open all the time, or migrated for
    twice as long, OperationalError when the database does not answer, InsufficientPrivilege when
    its user may not make the tables.
    """
    names: list[str] = []
    with psycopg.connect(dsn, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S) as connection:
        another_s = max(LEAST_WAIT_S, 2 * patience_s)
        connection.execute(f"SET lock_timeout = '{another_s:g}s'".encode())
        connection.execute("SELECT pg_advisory_lock(%s)", (MIGRATING,))
        _require_right_to_migrate(connection)
        retrying = Retrying(
            retry=retry_if_exception_type(HELD_UP),
            wait=wait_random_exponential(multiplier=0.2, max=LONGEST_PAUSE_S),
            stop=stop_after_delay(patience_s),
            reraise=True,
        )
        retrying(_apply, dsn, names)
    return names


def _apply(dsn: str, names: list[str]) -> None:
    """Adds to `names` what it has applied, also when it fails at the next one."""
    options = f"{conninfo_to_dict(dsn).get('options') or ''} -c lock_timeout={LOCK_WAIT}"
    backend = get_backend(yoyo_uri(make_conninfo(dsn, options=options.strip())))
    try:
        backend.break_lock()
        with backend.lock(timeout=YOYO_WAIT_S):
            for migration in backend.to_apply(read_migrations(str(MIGRATIONS))):
                backend.apply_one(migration)
                names.append(migration.id)
    finally:
        backend.connection.close()


def _require_right_to_migrate(connection: psycopg.Connection[Any]) -> None:
    """yoyo hides that it could not make its own tables, and then misses them."""
    row = connection.execute(
        "SELECT to_regclass('yoyo_lock') IS NOT NULL"
        " OR coalesce(has_schema_privilege(current_schema(), 'CREATE'), false), current_user"
    ).fetchone()
    if row is not None and not row[0]:
        raise psycopg.errors.InsufficientPrivilege(
            f"permission denied: {row[1]} may make no tables in this database"
        )


def yoyo_uri(dsn: str) -> str:
    """yoyo picks its driver by the scheme, psycopg being version 3, and hands it the query: so a
    DSN of either form arrives whole, with quoted passwords and sslmode."""
    return "postgresql+psycopg:///?" + urlencode(conninfo_to_dict(dsn))
