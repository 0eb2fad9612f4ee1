"""A partition that an open transaction holds back is named, and forgotten when it moves again."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx2 as httpx
import pytest

from gateway.standstill import STANDS_STILL_S, Ends, Standstills
from schemas.events import sites
from schemas.topics import SITES
from tests.gateway.conftest import Platform
from tests.integration.processes import wait_until
from tests.projections.story import START
from tests.streams.substrates import KafkaTransaction, said

HERE = ("hcp.sites.v1", 0)
THERE = ("hcp.sites.v1", 1)


def test_a_partition_that_does_not_move_is_named_with_its_place_and_time() -> None:
    seen = Standstills()
    assert seen.see({HERE: Ends(5, 6), THERE: Ends(9, 9)}, 1000.5) == []
    (found,) = seen.see({HERE: Ends(5, 8), THERE: Ends(9, 9)}, 1000.5 + STANDS_STILL_S)
    assert (found.log, found.partition, found.offset, found.waiting) == (*HERE, 5, 3)
    assert found.since == datetime.fromtimestamp(1000, UTC)
    assert found.detail.startswith("hcp.sites.v1:0 stands still at offset 5 since 00:16:40 UTC")


def test_transactions_that_end_one_after_the_other_are_no_standstill() -> None:
    seen = Standstills()
    for second in range(100):
        assert seen.see({HERE: Ends(second, second + 5)}, second) == []


def test_what_moved_again_starts_anew() -> None:
    seen = Standstills()
    seen.see({HERE: Ends(5, 6)}, 0)
    assert seen.see({HERE: Ends(7, 7)}, 60) == []
    assert seen.see({HERE: Ends(7, 8)}, 61) == []
    assert seen.see({HERE: Ends(7, 7)}, 62) == []
    assert seen.see({HERE: Ends(8, 9)}, 100) == []
    assert len(seen.see({HERE: Ends(8, 9)}, 100 + STANDS_STILL_S)) == 1


@pytest.mark.parametrize("is_left", [False, True])
def test_an_open_transaction_is_an_alert_until_it_ends_or_its_time_runs_out(
    platform: Platform, client: httpx.Client, is_left: bool
) -> None:
    log = platform.topics.name_of(SITES)

    def standing() -> list[str]:
        """The logs that stand still, twice: as an alert, and in the words of the component."""
        found = client.get("/api/v1/health").json()
        parts = {part["name"]: part for part in found["components"]}
        said = parts["transactions"]
        return [each["log"] for each in found["standstills"] if each["detail"] == said["detail"]]

    assert standing() == []
    transaction = KafkaTransaction(platform.settings.kafka, platform.topics, timeout_s=12)
    event = sites.TimePassed(site_id="delta", at=START)
    transaction.append(said(event, platform.codec))
    wait_until(lambda: standing() == [log], 30, "the partition is named")
    metric = f'hcp_gateway_standstill_seconds{{log="{log}",partition="0"}}'
    assert metric in client.get("/metrics").text
    if not is_left:
        transaction.abort()
    wait_until(lambda: standing() == [], 60, "it moves again")
    assert metric not in client.get("/metrics").text


def test_a_position_that_an_aborted_transaction_left_is_reached(
    platform: Platform, client: httpx.Client
) -> None:
    transaction = KafkaTransaction(platform.settings.kafka, platform.topics)
    transaction.append(said(sites.TimePassed(site_id="delta", at=START), platform.codec))
    transaction.abort()
    platform.story.report(sites.TimePassed(site_id="delta", at=START))
    _, _, offset = platform.write().rpartition(":")
    for behind in (0, 1, 2):  # our record, the marker before it, and what was aborted
        position = f"{SITES.name}:0:{int(offset) - behind}"
        assert client.get(f"/api/v1/sites?min_position={position}").status_code == 200
    last = KafkaTransaction(platform.settings.kafka, platform.topics)
    last.append(said(sites.TimePassed(site_id="delta", at=START), platform.codec))
    last.abort()
    for ahead in (1, 2):  # nothing comes behind what was aborted
        position = f"{SITES.name}:0:{int(offset) + ahead}"
        assert client.get(f"/api/v1/sites?min_position={position}").status_code == 200
