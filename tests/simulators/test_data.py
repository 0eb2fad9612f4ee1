"""The real data are what their README says they are."""

from __future__ import annotations

import gzip
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from simulators.datafiles import DATA_DIR, read_rows
from simulators.errors import DataInvalid
from simulators.market import INTERVAL_MS, read_prices
from simulators.workloads import read_trace

ERCOT = "ercot_rt_spp_hb_hubavg_2024"
PODS = "alibaba_openb_pod_list_default"


def moment(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 1000


def test_ercot_prices_are_complete() -> None:
    prices = read_prices(ERCOT)
    assert len(prices) == 26_304
    assert prices[0].interval_start == moment("2024-01-01T00:00:00Z")
    assert prices[-1].interval_start == moment("2024-09-30T23:45:00Z")
    starts = [price.interval_start for price in prices]
    assert starts == list(range(starts[0], starts[-1] + 1, INTERVAL_MS)), "no gap, no repeat"
    assert {price.settlement_point for price in prices} == {"HB_HUBAVG"}


def test_ercot_prices_are_as_published() -> None:
    prices = {price.interval_start: price.price_usd_per_mwh for price in read_prices(ERCOT)}
    assert min(prices.values()) == Decimal("-32.00")
    assert max(prices.values()) == Decimal("4964.84")
    assert prices[moment("2024-05-09T01:00:00Z")] == Decimal("4964.84")
    assert prices[moment("2024-01-01T00:00:00Z")] == Decimal("28.55")
    written = [row["price_usd_per_mwh"] for row in read_rows(ERCOT)]
    assert [str(price) for price in prices.values()] == written, "not one digit is lost"


def test_alibaba_pods() -> None:
    pods = read_trace(PODS)
    assert len(pods) == 8_152
    assert len({pod.name for pod in pods}) == 8_152
    assert Counter(pod.num_gpu for pod in pods) == {1: 6_989, 0: 1_088, 8: 44, 2: 16, 4: 15}
    assert sum(pod.scheduled_s is None for pod in pods if pod.num_gpu) == 861
    assert max(pod.deletion_s for pod in pods) // 86_400 == 149


def test_alibaba_nodes() -> None:
    nodes = list(read_rows("alibaba_openb_node_list_gpu_node"))
    assert len(nodes) == 1_213
    assert sum(int(node["gpu"]) for node in nodes) == 6_212


def test_compressed_the_same_way_every_time() -> None:
    for path in DATA_DIR.glob("*.csv.gz"):
        text = gzip.decompress(path.read_bytes())
        header = path.read_bytes()[:10]
        assert header[3:8] == bytes(5), "no name, no time"
        assert gzip.compress(text, 9, mtime=0)[:8] == header[:8]


def test_a_missing_file_is_said_in_a_sentence() -> None:
    with pytest.raises(DataInvalid, match=r"nothing\.csv\.gz cannot be read"):
        list(read_rows("nothing"))


def test_times_are_utc() -> None:
    first = read_prices(ERCOT)[0].interval_start
    assert datetime.fromtimestamp(first / 1000, UTC).isoformat() == "2024-01-01T00:00:00+00:00"
