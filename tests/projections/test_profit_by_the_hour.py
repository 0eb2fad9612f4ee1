"""Profit by the hour: what spans several hours, or several prices, is cut where it must be; and
what is rolled up is what would be computed now, whatever came late, again, or was taken back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

import psycopg
import pytest

from projections.migrating import migrate
from projections.record import moment
from projections.rollups import HOURS_AT_ONCE, roll_up
from tests.streams.metering.site import SITE, at

Connection = psycopg.Connection[tuple[object, ...]]
Said = tuple[str, tuple[object, ...]]
MINUTE = 60_000
HOUR = 60 * MINUTE
EVER = 2**45

READING = """INSERT INTO feeder_energy_readings (partition, "offset", site_id, feeder_id,
    interval_start, interval_end, unit_ids, unit_energy_wh, unit_work_th, energy_wh, work_th,
    mining_energy_wh) VALUES (0, %s, %s, %s, %s, %s, '{}', '{}', '{}', %s, %s, %s)"""
POWER = """INSERT INTO power_price_publications (partition, "offset", site_id, settlement_point,
    interval_start, interval_end, price_usd_per_mwh) VALUES (0, %s, %s, 'HB', %s, %s, %s)"""
HASH = """INSERT INTO hash_price_publications (partition, "offset", site_id, interval_start,
    hashprice_usd_per_ph_day, difficulty, fees_sats, btc_price_usd)
    VALUES (0, %s, %s, %s, %s, 1, 0, 1)"""
TABLES = ("feeder_energy_readings", "power_price_publications", "hash_price_publications")
HOURS = """SELECT extract(epoch FROM hour) / 3600, energy_wh, mining_energy_wh,
    power_cost_usd_micros, mining_revenue_usd_micros, unpriced_energy_wh
    FROM site_pnl_hourly WHERE site_id = %s ORDER BY hour"""


@pytest.fixture(scope="module")
def migrated(database: str) -> str:
    migrate(database)
    return database


@pytest.fixture
def connection(migrated: str) -> Iterator[Connection]:
    with psycopg.connect(migrated, autocommit=True) as found:
        found.execute(f"TRUNCATE {', '.join(TABLES)}".encode())
        rolled_up(found)
        yield found


def rolled_up(connection: Connection) -> None:
    while roll_up(connection):
        pass
    assert connection.execute("SELECT count(*) FROM rollups.stale_hours").fetchone() == (0,)


@dataclass
class Meter:
    """In hours of the day and minutes. ai, mining: Wh"""

    since: tuple[int, int]
    until: tuple[int, int]
    ai: int = 0
    mining: int = 0
    work_th: int = 0


@dataclass
class Case:
    """power: from hour to hour, $/MWh; hash: from hour and minute on, $/PH/day

    right: by hour of the day, Wh, Wh of mining, micro-dollars of power, of mining, unpriced Wh
    """

    meters: list[Meter]
    right: dict[int, tuple[int, int, int, int, int]]
    power: list[tuple[int, int, str]] = field(default_factory=list)
    hash: list[tuple[int, int, str]] = field(default_factory=list)


CASES = {
    # 1,200 Wh an hour, each at the price of its hour
    "a reading of three hours": Case(
        [Meter((10, 0), (13, 0), ai=3_600)],
        {
            10: (1_200, 0, 12_000, 0, 0),
            11: (1_200, 0, 24_000, 0, 0),
            12: (1_200, 0, 36_000, 0, 0),
        },
        power=[(10, 11, "10"), (11, 12, "20"), (12, 13, "30")],
    ),
    # by 11:00 it has come to 1.75 Wh, by 12:00 to 5.25: whole ones are 1, then 5, in the end 7
    "watt-hours that do not divide": Case(
        [Meter((10, 30), (12, 30), ai=7)],
        {10: (1, 0, 10, 0, 0), 11: (4, 0, 40, 0, 0), 12: (2, 0, 20, 0, 0)},
        power=[(10, 13, "10")],
    ),
    # of 2 Wh of AI and 1 of mining over two hours, mining gets its one in the second
    "AI and mining each add up": Case(
        [Meter((10, 0), (12, 0), ai=2, mining=1)],
        {10: (1, 0, 1, 0, 0), 11: (2, 1, 2, 0, 0)},
        power=[(10, 12, "1")],
    ),
    # 864,000 TH are 0.01 PH/s for a day: $0.38 at $38, half of it at twice that
    "a hashprice that changes within the hour": Case(
        [Meter((10, 0), (11, 0), mining=100, work_th=864_000)],
        {10: (100, 100, 0, 570_000, 100)},
        hash=[(0, 0, "38"), (10, 30, "76")],
    ),
    "work before the first hashprice": Case(
        [Meter((10, 0), (11, 0), mining=100, work_th=864_000)],
        {10: (100, 100, 0, 95_000, 100)},
        hash=[(10, 45, "38")],
    ),
    # 432,000 TH in each: at $38 to 10:30, then $76, then $19 from 11:00
    "work over several hashprices and hours": Case(
        [Meter((10, 0), (12, 0), mining=200, work_th=864_000)],
        {10: (100, 100, 0, 285_000, 100), 11: (100, 100, 0, 95_000, 100)},
        hash=[(0, 0, "38"), (10, 30, "76"), (11, 0, "19")],
    ),
    # carried from 11:00 to 12:00, and no further
    "a feed that died within a reading": Case(
        [Meter((10, 0), (14, 0), ai=4_000)],
        {
            10: (1_000, 0, 20_000, 0, 0),
            11: (1_000, 0, 20_000, 0, 0),
            12: (1_000, 0, 0, 0, 1_000),
            13: (1_000, 0, 0, 0, 1_000),
        },
        power=[(10, 11, "20")],
    ),
    # the first 500 Wh of the hour come of the long reading, and the other 800 of the short one
    "a short reading after a long one": Case(
        [Meter((9, 0), (10, 30), ai=1_500), Meter((10, 30), (11, 0), ai=800)],
        {9: (1_000, 0, 2_000, 0, 0), 10: (1_300, 0, 500 * 2 + 800 * 2, 0, 0)},
        power=[(9, 11, "2")],
    ),
}


@pytest.mark.parametrize("order", ["prices first", "meters first"])
@pytest.mark.parametrize("case", list(CASES))
def test_what_spans_hours_and_prices_is_cut_at_them(
    connection: Connection, case: str, order: str
) -> None:
    given = CASES[case]
    prices: list[Said] = [
        (POWER, (n, SITE, moment(at(since)), moment(at(until)), price))
        for n, (since, until, price) in enumerate(given.power)
    ]
    for n, (hour, minute, price) in enumerate(given.hash):
        prices.append((HASH, (n, SITE, moment(at(hour, minute)), price)))
    meters: list[Said] = [(READING, _row(n, meter)) for n, meter in enumerate(given.meters)]
    for statement, values in prices + meters if order == "prices first" else meters + prices:
        connection.execute(statement.encode(), values)
        rolled_up(connection)
    right = [(at(hour) // HOUR, *of_hour) for hour, of_hour in given.right.items()]
    assert connection.execute(HOURS.encode(), (SITE,)).fetchall() == right
    of_feeder = "SELECT energy_wh, mining_energy_wh FROM feeder_energy_hourly ORDER BY hour"
    assert connection.execute(of_feeder.encode()).fetchall() == [row[1:3] for row in right]


def _row(offset: int, meter: Meter) -> tuple[object, ...]:
    energy = meter.ai + meter.mining
    times = moment(at(*meter.since)), moment(at(*meter.until))
    return offset, SITE, "f1", *times, energy, meter.work_th, meter.mining


ALL = """SELECT site_id, hour, feeder_id, energy_wh, mining_energy_wh, unpriced_energy_wh,
    power_cost_usd_micros, mining_revenue_usd_micros FROM {} ORDER BY 1, 2, 3"""
AFRESH = """(SELECT h.site_id, h.hour, f.* FROM (
    SELECT DISTINCT site_id, generate_series(date_trunc('hour', interval_start, 'UTC'),
        interval_end, interval '1 hour') AS hour FROM feeder_energy_readings
) h CROSS JOIN LATERAL feeder_hour(h.site_id, h.hour) f) afresh"""

SUMMED = """(SELECT site_id, hour, '' AS feeder_id, sum(energy_wh) AS energy_wh,
    sum(mining_energy_wh) AS mining_energy_wh, sum(unpriced_energy_wh) AS unpriced_energy_wh,
    sum(power_cost_usd_micros) AS power_cost_usd_micros,
    sum(mining_revenue_usd_micros) AS mining_revenue_usd_micros
    FROM rollups.feeder_hours GROUP BY site_id, hour) summed"""


@pytest.mark.parametrize("seed", range(15))
def test_what_is_rolled_up_is_what_would_be_computed_now(connection: Connection, seed: int) -> None:
    """Late prices, revisions, late meters, refusals, a rebuild that takes rows or changes them."""
    random = Random(seed)
    for offset in range(40):
        _change(connection, random, offset)
        if random.random() < 0.4:
            roll_up(connection)
        if random.random() < 0.1:
            assert said(connection, "feeder_hours") == said(connection, AFRESH)
    assert said(connection, "feeder_hours") == said(connection, AFRESH)
    rolled_up(connection)
    rows = said(connection, "rollups.feeder_hours")
    assert rows == said(connection, AFRESH)
    assert said(connection, "(SELECT *, '' AS feeder_id FROM rollups.site_hours) h") == said(
        connection, SUMMED
    )
    connection.execute("DELETE FROM rollups.feeder_hours")
    connection.execute("UPDATE feeder_energy_readings SET rejected = rejected")
    rolled_up(connection)
    assert said(connection, "rollups.feeder_hours") == rows


def said(connection: Connection, source: str) -> list[tuple[object, ...]]:
    return connection.execute(ALL.format(source).encode()).fetchall()


def _change(connection: Connection, random: Random, offset: int) -> None:
    site = random.choice(("a", "b"))
    start = at(0) + random.randrange(0, 600, 5) * MINUTE
    end = start + random.choice((5, 15, 60, 300, 1_500)) * MINUTE
    times = moment(start), moment(end)
    match random.randrange(7):
        case 0 | 1:
            energy, mining = random.randrange(1_000, 2_000), random.randrange(1_000)
            feeder = random.choice(("f1", "f2"))
            row = (offset, site, feeder, *times, energy, random.randrange(10**6), mining)
            connection.execute(READING.encode(), row)
        case 2 | 3:
            connection.execute(POWER.encode(), (offset, site, *times, random.randrange(-9, 99)))
        case 4:
            connection.execute(HASH.encode(), (offset, site, times[0], random.randrange(99)))
        case 5:
            table = random.choice(TABLES)
            connection.execute(
                f'UPDATE {table} SET rejected = NOT rejected WHERE "offset" %% 5 = %s'.encode(),
                (random.randrange(5),),
            )
        case _:
            table = random.choice(TABLES)
            longer = f"UPDATE {table} SET interval_start = interval_start - interval '40 min'"
            gone = f"DELETE FROM {table}"
            statement = random.choice((longer, gone)) + ' WHERE "offset" %% 9 = %s'
            connection.execute(statement.encode(), (random.randrange(9),))


def test_an_emptied_table_leaves_nothing(connection: Connection) -> None:
    connection.execute(READING.encode(), _row(0, Meter((10, 0), (12, 0), ai=5)))
    rolled_up(connection)
    connection.execute("TRUNCATE feeder_energy_readings")
    assert said(connection, "feeder_hours") == []
    rolled_up(connection)
    assert said(connection, "rollups.feeder_hours") == []


def test_nothing_is_rolled_up_while_somebody_changes_it(
    migrated: str, connection: Connection
) -> None:
    """Two who change the same hour wait for nobody, and neither sees what the other has done."""
    with closing(psycopg.connect(migrated)) as meter, closing(psycopg.connect(migrated)) as price:
        meter.execute(READING.encode(), _row(0, Meter((10, 0), (11, 0), ai=100)))
        price.execute(POWER.encode(), (0, SITE, moment(at(10)), moment(at(11)), "20"))
        assert roll_up(connection) == 0
        meter.commit()
        assert roll_up(connection) == 0, "the other one does not know of that hour"
        price.commit()
        assert roll_up(connection) == 1
    rows = connection.execute("SELECT power_cost_usd_micros FROM site_pnl_hourly").fetchall()
    assert rows == [(2_000,)]


def test_years_of_hours_are_rolled_up_a_few_at_a_time(connection: Connection) -> None:
    days = HOURS_AT_ONCE // 24 + 2
    connection.execute(READING.encode(), _row(0, Meter((0, 0), (24 * days, 0), ai=24 * days * 7)))
    assert roll_up(connection) == HOURS_AT_ONCE
    oldest = connection.execute("SELECT min(hour) FROM rollups.feeder_hours").fetchone()
    assert oldest == (moment(at(24 * days - HOURS_AT_ONCE)),), "the newest first"
    whole = connection.execute("SELECT sum(energy_wh), count(*) FROM site_pnl_hourly").fetchone()
    assert whole == (24 * days * 7, 24 * days)


def test_an_hour_reads_a_few_of_many_readings_and_prices(connection: Connection) -> None:
    """Also of a site that has one of each over a year."""
    year = moment(at(0) - 300 * 24 * HOUR), moment(at(0) + 60 * 24 * HOUR)
    connection.execute(READING.encode(), (0, SITE, "yearly", *year, 360 * 24 * 10, 0, 0))
    connection.execute(POWER.encode(), (0, SITE, *year, "20"))
    with connection.cursor() as cursor:
        for table, values in ((READING, ("f1",)), (POWER, ())):
            rows = [
                (n + 1, SITE, *values, moment(at(0) + n * MINUTE), moment(at(0) + (n + 1) * MINUTE))
                for n in range(0, 45_000, 15)
            ]
            rest = (1, 0, 0) if table == READING else ("30",)
            cursor.executemany(table.encode(), [(*row, *rest) for row in rows])
    connection.execute("VACUUM ANALYZE feeder_energy_readings, power_price_publications")
    with connection.transaction():
        found = connection.execute(
            "SELECT feeder_id, energy_wh FROM feeder_hour(%s, %s) ORDER BY feeder_id",
            (SITE, moment(at(200))),
        ).fetchall()
        read = connection.execute(
            """SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables
               WHERE relname IN ('feeder_energy_readings', 'power_price_publications')"""
        ).fetchone()
        index_rows = connection.execute(
            """SELECT sum(pg_stat_get_xact_tuples_returned(indexrelid))::bigint FROM pg_index
               WHERE indrelid IN ('feeder_energy_readings'::regclass,
                                  'power_price_publications'::regclass)"""
        ).fetchone()
    assert found == [("f1", 4), ("yearly", 10)]
    assert read is not None
    assert isinstance(read[0], Decimal)
    assert read[0] < 100
    assert index_rows is not None
    assert isinstance(index_rows[0], int)
    assert index_rows[0] < 150
