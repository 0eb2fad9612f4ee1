"""Every page of every list is a walk along an index: it reads about as many rows as it shows.

A year of a platform, generated. Statements are planned for their values, and once for all values
(`force_generic_plan`), which PostgreSQL may do to one that is used often.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from gateway import alert_queries, dead_letter_queries, money_queries, queries
from gateway.database import Database, Row, Statement
from gateway.settings import Settings
from projections.migrating import migrate

ROWS = 30_000
UNITS = 6_000
LIMIT = 20
READ_FOR_A_ROW = 12  # a look-up or two beside each row, and the pages of the index
START = datetime(2024, 1, 1, tzinfo=UTC)
FILL = Path(__file__).with_name("list_rows.sql")
List = Callable[[Database], Awaitable[list[Row]]]


def moment(row: int) -> datetime:
    return START + row * timedelta(minutes=15)


def page(find: Callable[..., Awaitable[list[Row]]], *after: object, **given: object) -> List:
    """A page of a list; filters that are not given are none."""
    code = find.__code__
    names = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    filters = dict.fromkeys(names) | given
    return lambda database: find(database, LIMIT, after or None, **filters)


HALF = moment(ROWS // 2)
SIXTH = moment(ROWS // 6)
SITE = {"site_id": "s1"}
LISTS: dict[str, List] = {
    "workloads": page(queries.workloads),
    "workloads after": page(queries.workloads, HALF, "w5"),
    "workloads by state": page(queries.workloads, HALF, "w5", state="queued"),
    "workloads by a state of none": page(queries.workloads, state="failed"),
    "workloads by customer": page(queries.workloads, HALF, "w5", customer_id="c3"),
    "workloads by site": page(queries.workloads, HALF, "w5", **SITE),
    "workloads of no site": page(queries.workloads, site_id="nowhere"),
    "workload events": lambda db: queries.workload_events(db, "w1", LIMIT, ("hcp.sites.v1", 0, 9)),
    "queue": page(queries.queue),
    "queue by site": page(queries.queue, **SITE),
    "units": page(queries.units),
    "units after": page(queries.units, "s1", "u002000", **SITE),
    "curtailments": page(queries.curtailments, HALF, "k5", **SITE),
    "waivers": page(money_queries.waivers, **SITE),
    "waivers after": page(money_queries.waivers, HALF, 0, ROWS // 2, **SITE),
    "decisions": lambda db: queries.decisions_about(db, "w1", LIMIT),
    "alerts": page(alert_queries.alerts),
    "alerts by site": page(alert_queries.alerts, HALF, "a5", **SITE),
    "alerts that stand": page(alert_queries.alerts, active=True),
    "alerts that are over": page(alert_queries.alerts, HALF, "a5", active=False),
    "alerts that health counts": lambda db: alert_queries.open_alerts(db, LIMIT),
    "dead letters": page(dead_letter_queries.dead_letters),
    "dead letters by topic": page(dead_letter_queries.dead_letters, HALF, "d5", topic="t1"),
    "dead letters by reader": page(dead_letter_queries.dead_letters, HALF, "d5", reader="r1"),
    "dead letters by reason": page(dead_letter_queries.dead_letters, reason="none such"),
    "power prices": page(money_queries.power_prices),
    "power prices by site": page(money_queries.power_prices, SIXTH, "s1", "HB", SIXTH, **SITE),
    "power prices by time": page(money_queries.power_prices, since=START, until=SIXTH),
    "hash prices": page(money_queries.hash_prices),
    "hash prices by site": page(money_queries.hash_prices, SIXTH, "s1", **SITE),
    "hash prices by time": page(money_queries.hash_prices, since=START, until=SIXTH),
    "usage": page(money_queries.usage),
    "usage by customer": page(money_queries.usage, HALF, "u5", customer_id="c3"),
    "usage by workload": page(money_queries.usage, HALF, "u5", workload_id="w3"),
    "usage by site": page(money_queries.usage, HALF, "u5", **SITE),
    "usage by time": page(money_queries.usage, since=START, until=HALF),
    "invoices": page(money_queries.invoices),
    "invoices by customer": page(money_queries.invoices, HALF, "i5", customer_id="c3"),
    "invoices by state": page(money_queries.invoices, HALF, "i5", state="drafted"),
}


class Counting(Database):
    """Also counts the rows that each statement read, as PostgreSQL counts them."""

    read = 0

    async def rows(self, text: Statement, values: Mapping[str, Any] | None = None) -> list[Row]:
        async with self._pool.connection() as connection, connection.transaction():
            cursor = connection.cursor(row_factory=dict_row)
            found = await (await cursor.execute(text, values or {})).fetchall()
            counted = await cursor.execute(
                """SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::integer AS read
                   FROM pg_stat_xact_user_tables"""
            )
            (counts,) = await counted.fetchall()
        self.read += counts["read"]
        return found


@pytest.fixture(scope="module")
def filled(database: str) -> str:
    migrate(database)
    rows = f"""CREATE TEMPORARY VIEW rows AS SELECT i, timestamptz '2024-01-01Z' AS start,
               interval '15 minutes' AS step FROM generate_series(1, {ROWS}) i"""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(rows.encode())
        connection.execute(FILL.read_text().replace("{units}", str(UNITS)).encode())
        connection.execute("VACUUM ANALYZE")
    return database


@pytest.fixture(params=["force_custom_plan", "force_generic_plan"])
def settings(filled: str, request: pytest.FixtureRequest) -> Settings:
    name = psycopg.conninfo.conninfo_to_dict(filled)["dbname"]
    change = sql.SQL("ALTER DATABASE {} SET plan_cache_mode = {}")
    with psycopg.connect(filled, autocommit=True) as connection:
        connection.execute(change.format(sql.Identifier(str(name)), sql.Literal(request.param)))
    return Settings(kafka="-", schema_registry="http://-", database=filled)


@pytest.mark.parametrize("name", LISTS)
def test_a_page_reads_no_more_than_it_shows(settings: Settings, name: str) -> None:
    shown, read = asyncio.run(counted(settings, LISTS[name]))
    assert read <= READ_FOR_A_ROW * LIMIT, f"{read} rows read for {shown} shown"


async def counted(settings: Settings, find: List) -> tuple[int, int]:
    database = Counting(settings)
    await database.open()
    try:
        return len(await find(database)), database.read
    finally:
        await database.close()
