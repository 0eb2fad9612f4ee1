"""What the views say of usage that is on no invoice, and of who holds it up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from projections.database import Connection, connect
from projections.migrating import migrate
from projections.unbilled import READ_MODEL, operations
from schemas.events import accounts
from tests.projections.given import MIDNIGHT_MS, record

DAY_MS = 86_400_000


@pytest.fixture
def connection(database: str) -> Iterator[Connection]:
    migrate(database)
    with connect(database) as found, found.transaction(force_rollback=True):
        for table in (*(table.name for table in READ_MODEL.tables), "usage_collections"):
            found.execute(f"DELETE FROM {table}".encode())
        found.execute("DELETE FROM site_ticks")
        found.execute("DELETE FROM alerts")
        found.execute("DELETE FROM usage")
        yield found


@dataclass
class Site:
    """days: collected up to, by event time; heard_days_ago: by the wall clock"""

    name: str
    days: int
    heard_days_ago: int = 0


def given(connection: Connection, *found: Site, unbilled: str) -> None:
    """acme used ten dollars on each, in the first of two days; `unbilled`: from that day on."""
    for site in found:
        connection.execute(
            "INSERT INTO usage_collections VALUES "
            "(%s, 'acme', timestamptz '2024-09-01Z' + %s * interval '1 day', "
            "now() - %s * interval '1 day')",
            (site.name, site.days, site.heard_days_ago),
        )
        connection.execute(
            "INSERT INTO rated_usage VALUES ('acme', 'c', '2024-09-01Z', %s, 2, 10000000)",
            (site.name,),
        )
    connection.execute("INSERT INTO period_closings VALUES ('acme', 'c', %s)", (unbilled,))


def alerts(connection: Connection) -> list[tuple[object, ...]]:
    return connection.execute(
        "SELECT site_id, kind, severity, raised_at::date::text, detail FROM all_alerts"
    ).fetchall()


def test_a_site_that_others_have_left_behind_is_named(connection: Connection) -> None:
    given(connection, Site("quiet", 0), Site("loud", 3), unbilled="2024-09-01Z")
    # what loud recorded waits too, because periods close in order
    assert alerts(connection) == [
        (
            *("quiet", "site_silent", "critical", "2024-09-01"),
            "Nothing was collected since 2024-09-01T00:00:00Z: 4 ratings of 1 customers (acme), "
            "20.000000 USD, wait for it and are on no invoice. "
            "To bill what is known: POST /api/v1/sites/quiet/waivers.",
        )
    ]
    rows = connection.execute("SELECT site_id, customers, amount_usd FROM analytics.silent_sites")
    assert rows.fetchall() == [("quiet", 1, 20)]


def test_a_site_that_is_alone_is_silent_by_the_wall_clock(connection: Connection) -> None:
    given(connection, Site("quiet", 0, heard_days_ago=3), unbilled="2024-09-01Z")
    assert [row[0] for row in alerts(connection)] == ["quiet"]


def test_patience_and_what_is_billed_raise_nothing(connection: Connection) -> None:
    given(connection, Site("late", 1, heard_days_ago=1), Site("loud", 3), unbilled="2024-09-01Z")
    assert alerts(connection) == []
    connection.execute("DELETE FROM usage_collections")
    connection.execute("DELETE FROM rated_usage")
    connection.execute("DELETE FROM period_closings")
    given(connection, Site("quiet", 0, heard_days_ago=9), unbilled="2024-09-02Z")
    assert alerts(connection) == []
    assert connection.execute("SELECT * FROM unbilled_usage").fetchall() == []


def test_a_clock_alone_leaves_a_site_behind(connection: Connection) -> None:
    given(connection, Site("quiet", 0), unbilled="2024-09-01Z")
    assert alerts(connection) == []
    connection.execute("INSERT INTO site_ticks VALUES ('other', 0, 0, 0, '2024-09-09Z')")
    assert [row[0] for row in alerts(connection)] == ["quiet"]


def test_usage_without_a_price_is_named(connection: Connection) -> None:
    for number in range(3):
        connection.execute(
            "INSERT INTO usage (usage_id, customer_id, site_id, workload_id, placement_id, meter, "
            'gpu_model, interval_start, interval_end, quantity, unit, state, partition, "offset") '
            "VALUES (%s, 'acme', 's1', 'w', 'p', 'gpu_time', 'TPU', '2024-09-01Z', '2024-09-02Z', "
            "1, 'gpu_us', %s, 0, %s)",
            (f"u{number}", "rated" if number == 0 else "held", number),
        )
    ((site, kind, severity, since, detail),) = alerts(connection)
    assert (site, kind, severity, since) == ("s1", "usage_unpriced", "warning", "2024-09-01")
    assert str(detail).startswith(
        "2 usages of TPU by acme since 2024-09-01T00:00:00Z have no price"
    )


def test_a_waiver_that_is_refused_is_marked() -> None:
    said = accounts.CollectionWaived(
        customer_id="acme",
        at=MIDNIGHT_MS,
        site_id="quiet",
        waived_until=MIDNIGHT_MS - DAY_MS,
        waived_by="operator",
    )
    (put,) = operations(record(said, offset=7))
    refusal = accounts.InputRejected(
        customer_id="acme",
        at=MIDNIGHT_MS,
        rejected_type=accounts.CollectionWaived.FULL_NAME,
        subject="quiet",
        reason="nothing_waits",
        detail="No.",
    )
    (update,) = operations(record(refusal, offset=8, answers=7))
    assert put.table is update.table
    assert getattr(update, "key", None) == (0, 7)
    assert getattr(update, "values", None) == {
        "rejected": True,
        "refused_reason": "nothing_waits",
        "refused_detail": "No.",
    }


def heard(connection: Connection, site: str, days: int, *, minutes_ago: float = 0) -> None:
    """Ten ticks of a site that is played 900 times as fast as the wall clock, a second apart."""
    for slot in range(10):
        connection.execute(
            'INSERT INTO site_ticks (site_id, slot, partition, "offset", at, heard_at) VALUES '
            "(%s, %s, 0, %s, timestamptz '2024-09-01Z' + %s * interval '1 day' "
            "- %s * interval '900 seconds', now() - %s * interval '1 minute' "
            "- %s * interval '1 second')",
            (site, slot, 100 - slot, days, slot, minutes_ago, slot),
        )


def test_a_clock_that_is_ahead_makes_no_other_site_silent(connection: Connection) -> None:
    given(connection, Site("own", 0), unbilled="2024-09-01Z")
    heard(connection, "own", 1)
    heard(connection, "ahead", 30)
    assert alerts(connection) == []


def test_a_site_of_a_fast_scenario_is_silent_when_the_others_have_gone_on(
    connection: Connection,
) -> None:
    given(connection, Site("quiet", 0), unbilled="2024-09-01Z")
    heard(connection, "quiet", 0, minutes_ago=4)
    heard(connection, "loud", 3)
    # Four minutes at nine hundred times are sixty hours
    assert [row[0] for row in alerts(connection)] == ["quiet"]


def test_when_a_scenario_has_ended_nobody_is_silent(connection: Connection) -> None:
    given(connection, Site("one", 0), unbilled="2024-09-01Z")
    heard(connection, "one", 0, minutes_ago=60)
    heard(connection, "two", 0, minutes_ago=60)
    assert alerts(connection) == []
