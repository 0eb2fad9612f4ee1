"""What HCP makes of nonsense on its logs: a reason in the right place, and nothing else changes."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from schemas.events import sites
from schemas.topics import SITES, dlq
from tests.e2e.conftest import NotYet, Reporter, Stack, eventually
from tests.e2e.stock_reader import Seen, StockReader

SITE = "seed"
READERS = ("routing", "optimization", "metering", "projections")
OFF = sites.UnitMode(mode="off", power_w=0, hashrate_ths=0, tflops=0.0)


def submission(workload_id: str, **other: object) -> sites.WorkloadSubmitted:
    wanted: dict[str, object] = {
        "site_id": SITE,
        "at": 1,
        "workload_id": workload_id,
        "customer_id": "stranger",
        "name": workload_id,
        "kind": "batch",
        "gpu_model": "H100",
        "gpu_count": 1,
        "duration_s": 60,
        **other,
    }
    return sites.WorkloadSubmitted.from_record(
        {
            "gpu_milli": 1000,
            "priority": 0,
            "preemptible": False,
            "deadline": None,
            "max_price_usd_per_gpu_hour": None,
            **wanted,
        }
    )


@pytest.mark.parametrize(
    "value",
    [b"not avro", b"", b"\x00\x7f\xff\xff\xffbody", b"\x00\x00\x00\x00\x01\xff\xff\xff"],
    ids=["undecodable", "empty", "unknown schema id", "a body that ends early"],
)
def test_a_record_nobody_can_read_is_kept_with_its_reason(
    value: bytes, reporter: Reporter, reader: StockReader, stack: Stack
) -> None:
    """Once, by the log's authority; the other readers pass it by."""
    offset = reporter.send_raw(SITES, SITE.encode(), value)

    for attempt in eventually():
        with attempt:
            letters = letters_of(offset, reader)
            if not letters:
                raise NotYet("no dead letter")
    behind = f"{SITES.name}:0:{offset}"
    with stack.api() as api:
        api.get("/sites", headers={"HCP-Min-Position": behind}).raise_for_status()
    (letter,) = letters_of(offset, reader)
    assert letter["reader"] == "routing"
    assert letter["value"] == value
    assert letter["reason"]
    assert letter["detail"]


def letters_of(offset: int, reader: StockReader) -> list[dict[str, Any]]:
    return [
        letter.body
        for letter in reader.read(dlq(SITES).name)
        if letter.body["source_offset"] == offset
    ]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (
            lambda name: sites.UnitFailed(site_id=name, at=1, unit_id="u", reason="?"),
            "unknown_site",
        ),
        (
            lambda name: sites.UnitRegistered(
                site_id=SITE,
                at=1,
                unit_id=name,
                feeder_id="feeder-a",
                kind="asic",
                model="S21",
                modes=(OFF, sites.UnitMode(mode="normal", power_w=-1, hashrate_ths=1, tflops=0)),
            ),
            "negative_power",
        ),
        (lambda _: sites.TimePassed(site_id=SITE, at=1), "clock_backwards"),
    ],
    ids=["an unknown site", "a negative power", "time going backwards"],
)
def test_an_event_that_makes_no_sense_is_refused(
    make: Callable[[str], sites.SitesEvent], reason: str, reporter: Reporter, reader: StockReader
) -> None:
    event_id = str(uuid.uuid4())

    reporter.send(make(f"nowhere-{event_id[:8]}"), id=event_id)

    answer = answer_to(event_id, reader)
    assert [record.name for record in answer] == ["InputRejected"]
    assert answer[0].body["reason"] == reason
    assert answer[0].body["detail"].endswith(".")


def test_a_workload_that_no_unit_could_run_is_rejected(
    reporter: Reporter, reader: StockReader
) -> None:
    event_id = str(uuid.uuid4())

    reporter.send(submission(f"huge-{event_id[:8]}", gpu_count=1_000), id=event_id)

    (rejected,) = answer_to(event_id, reader)
    assert rejected.name == "WorkloadRejected"
    assert "1000" in rejected.body["detail"] or "1,000" in rejected.body["detail"]


def test_the_same_submission_twice_is_one_workload(reporter: Reporter, reader: StockReader) -> None:
    workload_id = f"twice-{uuid.uuid4().hex[:8]}"
    first, second, after = (str(uuid.uuid4()) for _ in range(3))

    reporter.send(submission(workload_id), id=first)
    reporter.send(submission(workload_id), id=second)
    reporter.send(submission(f"{workload_id}-after"), id=after)

    assert "WorkloadQueued" in [record.name for record in answer_to(after, reader)]
    queued = [
        record
        for record in reader.read_readable(SITES.name)
        if record.name == "WorkloadQueued" and record.body["workload_id"] == workload_id
    ]
    assert len({record.headers["ce_id"] for record in queued}) == 1


def test_the_agents_are_still_the_ones_that_started(stack: Stack, reporter: Reporter) -> None:
    reporter.send(submission(f"last-{uuid.uuid4().hex[:8]}"))

    processes = {item["name"]: item for item in stack.status()["processes"]}
    for name in (*READERS, "invoicing", "gateway"):
        assert processes[name]["state"] == "running", processes[name]
        assert processes[name]["restarts"] == 0, processes[name]


def answer_to(event_id: str, reader: StockReader) -> list[Seen]:
    """What routing said to it on the site log."""
    for attempt in eventually():
        with attempt:
            found = [
                record
                for record in reader.read_readable(SITES.name)
                if record.headers.get("ce_causationid") == event_id
                and record.headers["ce_cause"].startswith("routing/")
            ]
            if not found:
                raise NotYet(event_id)
    return found
