"""A gateway that cannot start its work says why, and goes on when it can."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from deploy.local import ports
from gateway.__main__ import main
from gateway.context import build
from gateway.settings import Settings
from tests.integration.processes import Process, wait_until


@pytest.fixture
def powerless(database: str) -> Iterator[str]:
    """DSN of a user that may make no table."""
    name, password = f"powerless_{secrets.token_hex(4)}", secrets.token_hex(8)
    role = sql.Identifier(name)
    parts = conninfo_to_dict(database)
    with psycopg.connect(database, autocommit=True) as connection:
        statement = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
        connection.execute(statement.format(role, sql.Literal(password)))
        yield f"postgresql://{name}:{password}@{parts['host']}:{parts['port']}/{parts['dbname']}"
        connection.execute(sql.SQL("DROP OWNED BY {}").format(role))
        connection.execute(sql.SQL("DROP ROLE {}").format(role))


def test_without_the_right_to_make_tables_it_says_so_and_tries_again(
    powerless: str, database: str, tmp_path: Path
) -> None:
    (port,) = ports.choose_free(1)
    environment = {
        "HCP_KAFKA": "127.0.0.1:9",
        "HCP_SCHEMA_REGISTRY": "http://127.0.0.1:9",
        "HCP_DATABASE": powerless,
        "HCP_GATEWAY_PORT": str(port),
    }
    gateway = Process("gateway", ("gateway",), environment, tmp_path)
    gateway.start()

    def readiness() -> str:
        try:
            return str(httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=20).json()["detail"])
        except httpx.ConnectError:
            return "not listening"

    try:
        wait_until(lambda: "permission denied" in readiness(), 40, "it says what it may not")
        assert "permission denied" in gateway.said()
        user = sql.Identifier(str(conninfo_to_dict(powerless)["user"]))
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(sql.SQL("GRANT CREATE ON SCHEMA public TO {}").format(user))
        wait_until(lambda: "database" not in readiness(), 40, "it goes on when it may")
    finally:
        gateway.end()


def test_a_task_that_fails_stops_the_process(caplog: pytest.LogCaptureFixture) -> None:
    async def fails() -> None:
        raise ZeroDivisionError("nobody foresaw this")

    stopped: list[bool] = []
    gateway = build(Settings(), lambda: stopped.append(True))
    asyncio.run(gateway._guard("prepare-database", fails()))
    assert stopped == [True]
    assert gateway.has_failed
    assert "nobody foresaw this" in caplog.text


def test_migrating_without_the_right_to_is_one_sentence(
    powerless: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HCP_DATABASE", powerless)
    assert main(["migrate"]) == 2
    assert "permission denied" in capsys.readouterr().err
