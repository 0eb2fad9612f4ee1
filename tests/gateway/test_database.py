"""The pool after its server has dropped every connection, as at a restart."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psycopg
import pytest

from gateway.database import HELD_UP, MIGRATING, Database, migrate
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


def test_a_migration_waits_for_a_table_in_use_without_holding_others_up(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(database)
    name = "gateway-9999-later"
    (tmp_path / f"{name}.sql").write_text("ALTER TABLE kept_answers ADD COLUMN later integer")
    monkeypatch.setattr("gateway.database.MIGRATIONS", tmp_path)
    with psycopg.connect(database) as reader:
        reader.execute("SELECT * FROM kept_answers")
        with pytest.raises(HELD_UP):
            migrate(database)
        reader.rollback()
    try:
        assert migrate(database) == [name]
    finally:
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("ALTER TABLE kept_answers DROP COLUMN IF EXISTS later")
            connection.execute("DELETE FROM _yoyo_migration WHERE migration_id = %s", (name,))


def test_a_migration_waits_for_another_one_for_a_bounded_time(database: str) -> None:
    migrate(database)
    with psycopg.connect(database, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (MIGRATING,))
        with pytest.raises(HELD_UP):
            migrate(database)
    assert migrate(database) == []


def end_connections(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        ended = connection.execute(
            "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name = 'hcp-gateway'"
        ).fetchone()
    assert ended is not None
    assert ended[0] > 1  # how many a loaded machine has opened by then
