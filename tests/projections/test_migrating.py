"""Migrations by whatever DSN names the database, and by an owner who is nothing more."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from yoyo.connections import parse_uri

import gateway.database
import projections.migrating
from projections.migrating import migrate

PASSWORD = "p@ss/w:rd?#%41&+='\\ x"


@dataclass
class Owner:
    """Owns a database of its own, may create no roles, and logs in with a password."""

    name: str
    server: dict[str, str | int | None]

    def dsn(self) -> str:
        return make_conninfo(
            host=self.server["host"],
            port=self.server["port"],
            user=self.name,
            password=PASSWORD,
            dbname=self.name,
        )

    def uri(self) -> str:
        place = f"{self.server['host']}:{self.server['port']}"
        return f"postgresql://{self.name}:{quote(PASSWORD, safe='')}@{place}/{self.name}"

    def execute(self, statement: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


@pytest.fixture
def owner(postgres: str) -> Iterator[Owner]:
    name = f"test_owner_{secrets.token_hex(4)}"
    role = sql.Identifier(name)
    with psycopg.connect(postgres, autocommit=True) as connection:
        made = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(PASSWORD))
        connection.execute(made)
        connection.execute(sql.SQL("CREATE DATABASE {0} OWNER {0}").format(role))
        yield Owner(name, conninfo_to_dict(postgres))
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(role))
        connection.execute(sql.SQL("DROP ROLE {}").format(role))


@pytest.mark.parametrize("form", [Owner.dsn, Owner.uri], ids=["keywords", "uri"])
def test_a_plain_owner_gets_the_read_models(owner: Owner, form: Callable[[Owner], str]) -> None:
    dsn = form(owner)
    assert migrate(dsn)
    assert gateway.database.migrate(dsn)
    assert migrate(dsn) == []
    assert owner.execute("SELECT count(*) FROM analytics.sites") == [(0,)]


def test_what_an_owner_may_not_do_is_said(owner: Owner, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="projections"):
        migrate(owner.dsn())
    assert "only a superuser can forbid it" in caplog.text
    assert owner.execute("CREATE TEMPORARY TABLE mine (one integer)") == []  # a runner does so


@pytest.mark.parametrize("yoyo_uri", [projections.migrating.yoyo_uri, gateway.database.yoyo_uri])
@pytest.mark.parametrize(
    "dsn",
    [
        "host=db.example port=5433 dbname=hcp user=u sslmode=verify-full",
        "postgresql://u:p%40ss%2F@db.example/hcp?sslmode=require&application_name=a%20b",
        "postgresql://u@/hcp?host=/run/postgresql",
    ],
)
def test_nothing_of_a_dsn_is_lost(yoyo_uri: Callable[[str], str], dsn: str) -> None:
    parsed = parse_uri(yoyo_uri(dsn))
    assert parsed.scheme == "postgresql+psycopg"
    assert parsed.args == conninfo_to_dict(dsn)
