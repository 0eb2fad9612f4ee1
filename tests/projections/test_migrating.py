"""Migrations by whatever DSN names the database, and by an owner who is nothing more."""

from __future__ import annotations

import logging
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from yoyo.connections import parse_uri

import gateway.database
import projections.migrating
from projections.migrating import migrate
from projections.rollups import roll_up

Connection = psycopg.Connection[tuple[object, ...]]

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


@pytest.fixture
def old(postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """A database of before profit was rolled up, with some rows."""
    before = tmp_path / "before"
    before.mkdir()
    for file in projections.migrating.MIGRATIONS.glob("*.sql"):
        if file.name < "0010":
            shutil.copy(file, before)
    name = f"test_old_{secrets.token_hex(4)}"
    with psycopg.connect(postgres, autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        with monkeypatch.context() as patch:
            patch.setattr(projections.migrating, "MIGRATIONS", before)
            migrate(make_conninfo(postgres, dbname=name))
        with psycopg.connect(make_conninfo(postgres, dbname=name), autocommit=True) as found:
            found.execute(OLD_ROWS)
            yield found
        server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


PROFIT = b"SELECT * FROM site_pnl_hourly WHERE site_id = 'even' ORDER BY hour"
COSTS = b"SELECT power_cost_usd_micros FROM site_pnl_hourly WHERE site_id = 'long' ORDER BY hour"
POSITIONS = b"SELECT read_model, next_offset FROM projection_positions"
MARKS = b"SELECT read_model FROM projection_marks"


def test_profit_is_the_same_when_it_is_rolled_up(old: Connection, postgres: str) -> None:
    """At once, and after; of a reading over two hours each has its half."""
    before = old.execute(PROFIT).fetchall()
    assert len(before) == 2
    assert old.execute(COSTS).fetchall() == [(500_000,)]
    migrate(make_conninfo(postgres, dbname=old.info.dbname))
    for _ in range(2):
        assert old.execute(PROFIT).fetchall() == before
        assert old.execute(COSTS).fetchall() == [(100_000,), (400_000,)]
        roll_up(old)
    assert old.execute(b"SELECT count(*) FROM rollups.feeder_hours").fetchone() == (4,)
    assert old.execute(POSITIONS).fetchall() == [("ai_revenue", 9)]


def test_a_rating_over_hours_is_read_from_its_log_again(old: Connection, postgres: str) -> None:
    old.execute(LONG_RATING)
    migrate(make_conninfo(postgres, dbname=old.info.dbname))
    assert old.execute(POSITIONS).fetchall() == old.execute(MARKS).fetchall() == []
    assert old.execute(b"SELECT FROM ai_revenue_hourly").fetchall() == []


LONG_RATING = b"""INSERT INTO usage_ratings (usage_id, interval_start, interval_end, customer_id,
    contract_id, tariff_id, quantity, unit, amount_usd_micros)
    VALUES ('u', '2024-06-01 10:30Z', '2024-06-01 11:15Z', 'acme', 'c', 't', 1, 'gpu_us', 100)"""
OLD_ROWS = b"""
    INSERT INTO feeder_energy_readings
    SELECT 0, n, site, 'f', start, start + length, '{}', '{}', '{}', 10000, 86400, 0
    FROM (VALUES (0, 'even', timestamptz '2024-06-01 10:00Z', interval '1 hour'),
                 (1, 'even', '2024-06-01 11:15Z', '15 minutes'),
                 (2, 'long', '2024-06-01 10:00Z', '2 hours')) AS r (n, site, start, length);
    INSERT INTO power_price_publications
    SELECT 0, n, site, 'HB', start, start + interval '1 hour', price
    FROM (VALUES (0, 'even', timestamptz '2024-06-01 10:00Z', 20),
                 (1, 'even', '2024-06-01 11:00Z', 80),
                 (2, 'long', '2024-06-01 10:00Z', 20),
                 (3, 'long', '2024-06-01 11:00Z', 80)
    ) AS p (n, site, start, price);
    INSERT INTO hash_price_publications VALUES (0, 0, 'even', '2024-06-01 00:00Z', 38.2, 1, 0, 1);
    INSERT INTO ai_revenue_hourly VALUES ('even', '2024-06-01 10:00Z', 391667, 0);
    INSERT INTO projection_positions (read_model, topic, partition, next_offset)
    VALUES ('ai_revenue', 'hcp.accounts.v1', 0, 9);
    INSERT INTO projection_marks (read_model, topic, partition, agent, source, input_offset, index)
    VALUES ('ai_revenue', 'hcp.accounts.v1', 0, 'invoicing', 'hcp.accounts.v1:0', 8, 0);
"""
