"""Alerts that views tell of, and when they end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from projections.database import Connection, connect
from projections.migrating import migrate

NOON = datetime(2024, 9, 1, 12, tzinfo=UTC)
TABLES = (
    *("dead_letters", "power_price_publications", "hash_price_publications", "site_ticks"),
    *("site_configurations", "alerts", "usage", "usage_collections", "rated_usage"),
    *("period_closings", "collection_waivers", "invoices", "contract_signatures"),
)


@pytest.fixture
def connection(database: str) -> Iterator[Connection]:
    migrate(database)
    with connect(database) as found, found.transaction(force_rollback=True):
        for table in TABLES:
            found.execute(f"DELETE FROM {table}".encode())
        yield found


def alerts(connection: Connection, columns: str = "kind, severity") -> list[tuple[object, ...]]:
    said = f"SELECT {columns} FROM all_alerts ORDER BY alert_id"
    return connection.execute(said.encode()).fetchall()


def letters(connection: Connection, count: int, minutes_ago: float = 0) -> None:
    connection.execute(
        "INSERT INTO dead_letters SELECT gen_random_uuid()::text, 'hcp.sites.v1', 0, i, 'routing', "
        "'malformed_body', 'No.', now() - %s * interval '1 minute', 0, NULL, 0, NULL, 0, '[]', 0 "
        "FROM generate_series(1, %s) i",
        (minutes_ago, count),
    )


def test_more_than_a_hundred_dead_letters_in_five_minutes_are_a_flood(
    connection: Connection,
) -> None:
    letters(connection, 100)
    letters(connection, 500, minutes_ago=5.1)
    assert alerts(connection) == [], "a hundred now, and a flood that is over"
    letters(connection, 1, minutes_ago=4)
    ((site, kind, severity, detail),) = alerts(connection, "site_id, kind, severity, detail")
    assert (site, kind, severity) == (None, "dead_letters", "warning")
    assert str(detail).startswith("101 records of hcp.sites.v1 were refused within 5 minutes")
    ends = connection.execute("SELECT count(*) FROM analytics.alerts").fetchone()
    assert ends == (1,)


def site(connection: Connection, now: datetime) -> None:
    connection.execute(
        "INSERT INTO site_configurations VALUES (0, 0, 's1', %s, 'S', 'default', 1, '[]', '[]')",
        (NOON,),
    )
    tick(connection, now)


def tick(connection: Connection, now: datetime) -> None:
    connection.execute("DELETE FROM site_ticks")
    connection.execute("INSERT INTO site_ticks VALUES ('s1', 0, 0, 0, %s)", (now,))


def power_price(connection: Connection, offset: int, start: datetime, minutes: int) -> None:
    connection.execute(
        "INSERT INTO power_price_publications VALUES (0, %s, 's1', 'HB', %s, %s, 25)",
        (offset, start, start + timedelta(minutes=minutes)),
    )


def test_a_feed_of_power_prices_is_silent_after_half_an_hour(connection: Connection) -> None:
    site(connection, NOON)
    power_price(connection, 1, NOON, 15)
    for minutes, expected in (
        (44, []),
        (45, [("power_price_stale", "warning")]),
        (74, [("power_price_stale", "warning")]),
        (75, [("power_price_stale", "critical")]),
    ):
        tick(connection, NOON + timedelta(minutes=minutes))
        assert alerts(connection) == expected, minutes
    ((raised_at,),) = alerts(connection, "raised_at")
    assert raised_at == NOON + timedelta(minutes=15)
    power_price(connection, 2, NOON + timedelta(minutes=60), 15)
    assert alerts(connection) == [], "it speaks again"


def test_a_price_of_tomorrow_is_none_of_now(connection: Connection) -> None:
    site(connection, NOON + timedelta(hours=2))
    power_price(connection, 1, NOON, 15)
    power_price(connection, 2, NOON + timedelta(days=1), 60)
    assert alerts(connection) == [("power_price_stale", "critical")]
    power_price(connection, 3, NOON, 24 * 60)
    assert alerts(connection) == []


def test_a_refused_price_is_none(connection: Connection) -> None:
    site(connection, NOON + timedelta(hours=2))
    power_price(connection, 1, NOON + timedelta(hours=2), 15)
    assert alerts(connection) == []
    connection.execute("UPDATE power_price_publications SET rejected = true")
    assert alerts(connection) == [("power_price_stale", "critical")]


def test_a_site_without_any_price_is_told_of_since_it_was_configured(
    connection: Connection,
) -> None:
    site(connection, NOON + timedelta(minutes=29))
    assert alerts(connection) == []
    tick(connection, NOON + timedelta(minutes=30))
    assert alerts(connection, "kind, raised_at") == [("power_price_stale", NOON)]


def test_a_hashprice_is_old_after_two_days(connection: Connection) -> None:
    site(connection, NOON + timedelta(hours=47))
    power_price(connection, 1, NOON, 7 * 24 * 60)
    assert alerts(connection) == [], "it mines nothing, and needs none"
    connection.execute(
        "INSERT INTO hash_price_publications VALUES (0, 1, 's1', %s, 40, 1, 1, 1, false)", (NOON,)
    )
    assert alerts(connection) == []
    tick(connection, NOON + timedelta(hours=48))
    assert alerts(connection) == [("hashprice_stale", "warning")]


def draft(connection: Connection, *, state: str = "drafted", auto: bool = True) -> None:
    """Of the first of September, with a grace of a day, used on two sites: ten dollars on each."""
    connection.execute(
        'INSERT INTO contract_signatures (partition, "offset", customer_id, contract_id, '
        "tariff_id, starts_at, billing_period, grace_s, auto_finalize, signed_at, rejected) "
        "VALUES (0, 0, 'acme', 'c', 't', '2024-01-01Z', 'day', 86400, %s, '2024-01-01Z', false)",
        (auto,),
    )
    connection.execute(
        "INSERT INTO invoices VALUES ('i1', 'n', 'acme', 'c', '2024-09-01Z', '2024-09-02Z', 'USD', "
        "%s, 20000000, '2024-09-02Z', NULL, NULL)",
        (state,),
    )
    for name in ("quiet", "loud"):
        connection.execute(
            "INSERT INTO rated_usage VALUES ('acme', 'c', '2024-09-01Z', %s, 2, 10000000)", (name,)
        )
    connection.execute("INSERT INTO period_closings VALUES ('acme', 'c', '2024-09-02Z')")


def collected(connection: Connection, name: str, day: int, heard_days_ago: int = 0) -> None:
    connection.execute(
        "INSERT INTO usage_collections VALUES (%s, 'acme', timestamptz '2024-09-01Z' "
        "+ %s * interval '1 day', now() - %s * interval '1 day')",
        (name, day - 1, heard_days_ago),
    )


def test_a_silent_site_that_holds_only_the_grace_of_a_draft_is_named(
    connection: Connection,
) -> None:
    draft(connection)
    collected(connection, "quiet", 2)  # the period is closed, its grace is not over
    collected(connection, "loud", 6)
    assert alerts(connection, "site_id, kind, severity, detail") == [
        (
            *("quiet", "site_silent", "critical"),
            "Nothing was collected since 2024-09-02T00:00:00Z: 1 drafted invoices of 1 customers "
            "(acme), 20.000000 USD, wait for it to become final. "
            "To bill what is known: POST /api/v1/sites/quiet/waivers.",
        )
    ]
    said = "SELECT site_id, ratings, drafts, drafted_usd FROM analytics.silent_sites"
    assert connection.execute(said.encode()).fetchall() == [("quiet", 0, 1, 20)]
    connection.execute("UPDATE invoices SET state = 'finalized'")
    assert alerts(connection) == []


def test_a_site_alone_holds_a_draft_by_the_wall_clock(connection: Connection) -> None:
    draft(connection)
    collected(connection, "quiet", 2, heard_days_ago=3)
    collected(connection, "loud", 3)
    assert alerts(connection, "site_id, kind") == [("quiet", "site_silent")]


@pytest.mark.parametrize("ends", ["collected", "waived", "within patience", "by hand"])
def test_a_draft_that_waits_for_nobody_silent_raises_nothing(
    ends: str, connection: Connection
) -> None:
    draft(connection, auto=ends != "by hand")
    collected(connection, "quiet", 3 if ends == "collected" else 2)
    collected(connection, "loud", 4 if ends == "within patience" else 9)
    assert bool(alerts(connection)) is (ends == "waived")
    connection.execute(
        "INSERT INTO collection_waivers VALUES "
        "(0, 0, 'acme', 'quiet', '2024-09-03Z', 'me', '', '2024-09-09Z', false)"
    )
    assert alerts(connection) == []
