"""The views price energy by the rule that metering bills by, to the micro-dollar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

import psycopg
import pytest

from projections.migrating import migrate
from projections.record import moment
from schemas.events.sites import PowerPricePublished, SitesEvent
from streams.metering.intervals import MINUTE_MS, QUARTER_MS
from streams.prices import Price, Stretch, inserted, stretches
from streams.quantities import HOUR_MS
from tests.streams.metering.site import (
    GPU,
    SITE,
    at,
    closed,
    metered,
    placed,
    priced,
    queued,
    running_site,
    tick,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIVE = 5 * MINUTE_MS


@pytest.fixture
def connection(database: str) -> psycopg.Connection[tuple[object, ...]]:
    migrate(database)
    return psycopg.connect(database, autocommit=True)


def publish(
    connection: psycopg.Connection[tuple[object, ...]], prices: list[PowerPricePublished]
) -> None:
    connection.execute("TRUNCATE power_price_publications")
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO power_price_publications VALUES (0, %s, %s, 'HB', %s, %s, %s)",
            [
                (
                    offset,
                    price.site_id,
                    moment(price.interval_start),
                    moment(price.interval_end),
                    price.price_usd_per_mwh,
                )
                for offset, price in enumerate(prices)
            ],
        )


def meter(
    connection: psycopg.Connection[tuple[object, ...]], readings: list[tuple[int, int, int]]
) -> None:
    """readings: start, length, Wh"""
    connection.execute("TRUNCATE feeder_energy_readings")
    for offset, (start, length, energy_wh) in enumerate(readings):
        connection.execute(
            """INSERT INTO feeder_energy_readings
               VALUES (0, %s, %s, 'f1', %s, %s, '{u}', %s, '{0}', %s, 0, 0)""",
            (offset, SITE, moment(start), moment(start + length), [energy_wh], energy_wh),
        )


def in_sql(
    connection: psycopg.Connection[tuple[object, ...]], start: int, end: int
) -> list[Stretch]:
    """Joined where the price does not change."""
    rows = connection.execute(
        "SELECT * FROM power_price_stretches(%s, %s, %s) ORDER BY starts_at",
        (SITE, moment(start), moment(end)),
    ).fetchall()
    found: list[Stretch] = []
    for starts_at, ends_at, price in rows:
        assert isinstance(starts_at, datetime)
        assert isinstance(ends_at, datetime)
        assert price is None or isinstance(price, Decimal)
        micros = None if price is None else int(price.scaleb(6))
        stretch = Stretch(_ms(starts_at), _ms(ends_at), micros)
        if found and found[-1].micros == micros:
            stretch = stretch._replace(start=found.pop().start)
        found.append(stretch)
    return found


def _ms(at: datetime) -> int:
    return (at - EPOCH) // timedelta(milliseconds=1)


def test_the_views_find_the_price_in_force_that_agents_find(
    connection: psycopg.Connection[tuple[object, ...]],
) -> None:
    for seed in range(60):
        random = Random(seed)
        lengths = [FIVE, QUARTER_MS, HOUR_MS, FIVE - 1000, 17_000, 25 * HOUR_MS]
        prices = [
            priced(
                at(10) + random.randrange(-90, 150) * MINUTE_MS + random.choice([0, 0, 1, 17_000]),
                str(random.randrange(-3, 9)),
                length=random.choice(lengths[: random.randrange(1, 7)]),
            )
            for _ in range(random.randrange(12))
        ]
        publish(connection, prices)
        known: list[Price] = []
        for price in prices:
            micros = int(price.price_usd_per_mwh.scaleb(6))
            known = inserted(known, Price(price.interval_start, price.interval_end, micros))
        assert in_sql(connection, at(10), at(12)) == stretches(known, at(10), at(12)), seed


SPIKE = [priced(at(10, 5 * n), "5000" if n == 7 else "20", length=FIVE) for n in range(12)]
CASES: dict[str, tuple[list[PowerPricePublished], list[tuple[int, int, int]], int]] = {
    # 240 Wh at each of $20, $20 and $2,000
    "five minutes in a quarter": (
        [priced(at(10, 5 * n), usd, length=FIVE) for n, usd in enumerate(["20", "20", "2000"])],
        [(at(10), QUARTER_MS, 720)],
        489_600,
    ),
    # 660 Wh at $20 and 60 Wh at $5,000
    "a spike in an hourly reading": (SPIKE, [(at(10), HOUR_MS, 720)], 313_200),
    # one Wh a second: 17 at $10 and 883 at $100
    "17 s off the grid": (
        [priced(at(9, 45, 17_000), "10"), priced(at(10, 0, 17_000), "100")],
        [(at(10), QUARTER_MS, 900)],
        88_470,
    ),
    # the $20 that ended at 10:15 are carried to 11:15
    "a feed that died": (
        [priced(at(10), "20")],
        [(at(10), HOUR_MS, 720), (at(11), HOUR_MS, 720)],
        (720 + 180) * 20,
    ),
}


@pytest.mark.parametrize("case", list(CASES))
def test_the_cost_of_power_is_what_metering_bills(
    connection: psycopg.Connection[tuple[object, ...]], case: str
) -> None:
    prices, readings, right = CASES[case]
    publish(connection, prices)
    meter(connection, readings)
    rows = connection.execute(
        "SELECT sum(power_cost_usd_micros) FROM site_pnl_hourly WHERE site_id = %s", (SITE,)
    ).fetchall()
    assert rows == [(right,)]
    events: list[SitesEvent] = [*prices]
    events += [metered(start, [(GPU, energy)], length=length) for start, length, energy in readings]
    site = running_site().fold(queued(), placed(when=at(10)), *events)
    site.fold(tick(at(12, 30)), closed(at(12, 30)), tick(at(12, 31)))
    billed = sum(u.quantity * (u.price_usd_per_mwh or 0) for u in site.usage("energy"))
    assert billed == right


def test_a_shorter_price_of_the_same_start_is_no_newer_word(
    connection: psycopg.Connection[tuple[object, ...]],
) -> None:
    publish(
        connection,
        [
            priced(at(10), "20", length=HOUR_MS),
            priced(at(10), "30", length=FIVE),
            priced(at(10), "21", length=HOUR_MS),
        ],
    )
    rows = connection.execute(
        "SELECT price_usd_per_mwh FROM power_prices ORDER BY interval_end"
    ).fetchall()
    assert rows == [(30,), (21,)]


def test_the_price_of_a_moment_reads_a_few_prices_of_many(
    connection: psycopg.Connection[tuple[object, ...]],
) -> None:
    publish(connection, [priced(at(10) + n * QUARTER_MS, "20") for n in range(3_000)])
    connection.execute("VACUUM ANALYZE power_price_publications")
    middle = at(10) + 1_500 * QUARTER_MS
    with connection.transaction():
        assert len(in_sql(connection, middle, middle + HOUR_MS)) == 1
        rows = connection.execute(
            """SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables
               WHERE relname = 'power_price_publications'"""
        ).fetchall()
    assert isinstance(rows[0][0], int)
    assert rows[0][0] < 100
