"""The pool after its server has dropped every connection, as at a restart."""

from __future__ import annotations

import asyncio

import psycopg

from gateway.database import Database
from gateway.settings import Settings

CONNECTIONS = 8


def test_no_query_meets_a_connection_that_died_in_the_pool(database: str) -> None:
    async def scene() -> None:
        settings = Settings(database=database, gateway_database_connections=CONNECTIONS)
        pool = Database(settings)
        await pool.open()
        try:
            await asyncio.gather(*(pool.row("SELECT pg_sleep(0.2)") for _ in range(CONNECTIONS)))
            end_connections(database)
            found = await asyncio.gather(*(pool.row("SELECT 1 AS one") for _ in range(16)))
            assert found == [{"one": 1}] * 16
        finally:
            await pool.close()

    asyncio.run(scene())


def end_connections(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        ended = connection.execute(
            "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name = 'hcp-gateway'"
        ).fetchone()
    assert ended is not None
    assert ended[0] > 1  # how many a loaded machine has opened by then
