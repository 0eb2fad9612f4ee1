"""What lies on the topics and in the tables, seen by strangers' tools."""

from __future__ import annotations

import csv
import gzip
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import psycopg

from tests.e2e.conftest import NotYet, Stack, eventually
from tests.e2e.stock_reader import REQUIRED_HEADERS, StockReader

ERCOT = Path(__file__).parents[2] / "simulators/data/ercot_rt_spp_hb_hubavg_2024.csv.gz"


def test_every_record_of_every_topic_is_plain_avro_under_cloudevents(reader: StockReader) -> None:
    seen = 0
    for topic in reader.topics():
        for record in reader.read_readable(topic):
            seen += 1
            assert record.body
            missing = [name for name in REQUIRED_HEADERS if not record.headers.get(name)]
            assert not missing, f"{topic}:{record.partition}:{record.offset} lacks {missing}"
            datetime.fromisoformat(record.headers["ce_time"])
    assert seen > 1_000


def test_power_prices_are_the_published_ones(stack: Stack) -> None:
    published = {}
    with gzip.open(ERCOT, "rt") as file:
        for row in csv.DictReader(file):
            start = datetime.fromisoformat(row["interval_start_utc"])
            published[start] = Decimal(row["price_usd_per_mwh"])

    for attempt in eventually(120):
        with attempt:
            stored = stored_prices(stack.endpoint("database"))
            if len(stored) < 24:
                raise NotYet(f"{len(stored)} intervals")

    begin, end = min(stored), max(stored)
    assert stored == {at: price for at, price in published.items() if begin <= at <= end}


def stored_prices(dsn: str) -> dict[datetime, Decimal]:
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(
            "SELECT interval_start, price_usd_per_mwh FROM power_prices"
            " WHERE settlement_point = 'HB_HUBAVG'"
        ).fetchall()
    return dict(rows)
