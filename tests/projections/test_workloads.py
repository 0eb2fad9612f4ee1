"""A workload's life as rows, whichever way it came in."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from projections.fold import fold
from projections.operations import Append, Operation, Row
from projections.workloads import EVENTS, WORKLOADS, operations
from schemas.events import intake, sites
from schemas.topics import Event, Topic, topic_of
from tests.projections.given import MIDNIGHT, T0, record

SPEC: dict[str, Any] = {
    "at": T0,
    "workload_id": "w1",
    "customer_id": "c1",
    "name": "job",
    "kind": "training",
    "gpu_count": 2,
    "duration_s": 60,
}
RUN: dict[str, Any] = {"site_id": "alpha", "workload_id": "w1", "placement_id": "w1/1"}
BY_INTAKE = intake.WorkloadSubmitted(pool="default", **SPEC)
BY_SITE = sites.WorkloadSubmitted(site_id="alpha", **SPEC)
QUEUED = sites.WorkloadQueued(site_id="alpha", submitted_at=T0, reason="Waits.", **SPEC)
PLACED = sites.WorkloadPlaced(
    at=T0 + 1000,
    customer_id="c1",
    gpu_model="H100",
    gpu_milli=1000,
    units=(
        sites.UnitShare(unit_id="u1", gpu_milli=1000, power_w=700),
        sites.UnitShare(unit_id="u2", gpu_milli=1000, power_w=700),
    ),
    duration_s=60,
    attempt=1,
    price_usd_per_gpu_hour=Decimal("2.35"),
    decision_id="d1",
    **RUN,
)
STARTED = sites.WorkloadStarted(at=T0 + 2000, **RUN)
CANCELLED = sites.WorkloadReleased(
    site_id="alpha",
    at=T0 + 4000,
    workload_id="w1",
    customer_id="c1",
    outcome="cancelled",
    reason="cancelled",
    detail="too slow",
)
REQUEUED = sites.WorkloadRequeued(at=T0 + 3000, customer_id="c1", reason="unit_failed", **RUN)
RELEASED = sites.WorkloadReleased(at=T0 + 4000, customer_id="c1", outcome="completed", **RUN)
NOT_TO_BE_HAD = sites.WorkloadReleased(
    site_id="alpha",
    at=T0 + 4000,
    workload_id="w1",
    customer_id="c1",
    outcome="rejected",
    reason="no_such_model",
    detail="None is one.",
)
REJECTED = sites.WorkloadRejected(
    site_id="alpha",
    at=T0 + 1000,
    workload_id="w1",
    customer_id="c1",
    reason="no_such_model",
    detail="None is one.",
)


WAITING = intake.WorkloadQueued.from_record(
    {
        **BY_INTAKE.to_record(),
        "submitted_at": T0 - 1000,
        "rank": 7,
        "reason": "no_site",
        "detail": "No site yet.",
    }
)
TOO_BIG = intake.WorkloadRejected(
    pool="default",
    at=T0 + 4000,
    workload_id="w1",
    customer_id="c1",
    reason="too_many_gpus",
    detail="No.",
    submitted_at=T0 - 2000,
)
WITHDRAWN = intake.WorkloadReleased(
    pool="default",
    at=T0 + 4000,
    workload_id="w1",
    customer_id="c1",
    outcome="cancelled",
    reason="cancelled",
    digest="d",
)
WAITS: Row = {
    "state": "queued",
    "site_id": None,
    "pool": "default",
    "reason": "no_site",
    "detail": "No site yet.",
    "submitted_at": MIDNIGHT - timedelta(seconds=1),
    "queued_at": MIDNIGHT - timedelta(seconds=1),
    "queue_offset": 7,
}
ENDED_THERE = {"site_id": None, "ended_at": MIDNIGHT + timedelta(seconds=4)}


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([BY_INTAKE, WAITING], WAITS),
        (
            [BY_INTAKE, WAITING, TOO_BIG],
            {
                **ENDED_THERE,
                "state": "rejected",
                "reason": "too_many_gpus",
                "submitted_at": MIDNIGHT - timedelta(seconds=2),
            },
        ),
        ([BY_INTAKE, WAITING, WITHDRAWN], {**ENDED_THERE, "state": "cancelled"}),
        ([BY_INTAKE, TOO_BIG, BY_INTAKE, WAITING], {**WAITS, "ended_at": None}),
        (
            [BY_INTAKE, TOO_BIG, BY_INTAKE],
            {"state": "queued", "reason": "pending", "ended_at": None},
        ),
        ([BY_SITE, REJECTED, BY_SITE], {"state": "queued", "reason": "pending", "ended_at": None}),
        ([BY_SITE, REJECTED, BY_SITE, REJECTED], {"state": "rejected", "reason": "no_such_model"}),
        ([BY_SITE, REJECTED, BY_SITE, QUEUED], {"state": "queued", "reason": "Waits."}),
        ([BY_SITE, QUEUED, BY_SITE], {"state": "queued", "reason": "Waits."}),
        ([BY_INTAKE], {"state": "queued", "site_id": None, "pool": "default"}),
        ([BY_SITE], {"state": "queued", "site_id": "alpha", "queued_at": None}),
        ([BY_SITE, QUEUED], {"state": "queued", "reason": "Waits.", "queued_at": MIDNIGHT}),
        (
            [BY_SITE, QUEUED, PLACED],
            {
                "state": "switching",
                "units": ["u1", "u2"],
                "placed_gpu_model": "H100",
                "gpu_model": None,
                "attempt": 1,
                "reason": "",
            },
        ),
        (
            [BY_SITE, QUEUED, PLACED, STARTED],
            {"state": "running", "started_at": MIDNIGHT + timedelta(seconds=2)},
        ),
        (
            [BY_SITE, QUEUED, PLACED, STARTED, REQUEUED],
            {
                "state": "queued",
                "units": [],
                "placement_id": None,
                "started_at": None,
                "reason": "unit_failed",
                "attempt": 1,
                "queue_offset": 1,
            },
        ),
        ([BY_SITE, QUEUED, PLACED, REQUEUED, STARTED], {"state": "queued"}),
        (
            [BY_SITE, QUEUED, PLACED, STARTED, RELEASED],
            {
                "state": "completed",
                "units": ["u1", "u2"],
                "ended_at": MIDNIGHT + timedelta(seconds=4),
            },
        ),
        (
            [BY_SITE, QUEUED, CANCELLED],
            {"state": "cancelled", "reason": "cancelled", "detail": "too slow"},
        ),
        (
            [BY_SITE, QUEUED, NOT_TO_BE_HAD],
            {
                "state": "rejected",
                "reason": "no_such_model",
                "detail": "None is one.",
                "ended_at": MIDNIGHT + timedelta(seconds=4),
            },
        ),
        (
            [BY_SITE, QUEUED, NOT_TO_BE_HAD, BY_SITE],
            {"state": "queued", "reason": "pending", "detail": "", "ended_at": None},
        ),
        ([BY_SITE, REJECTED], {"state": "rejected", "reason": "no_such_model"}),
        (
            [replace(BY_SITE, at=T0 + 900 * 86_400_000), replace(REJECTED, submitted_at=T0)],
            {"state": "rejected", "submitted_at": MIDNIGHT},
        ),
        ([BY_SITE, QUEUED, PLACED, RELEASED, BY_SITE], {"state": "completed"}),
        ([BY_SITE, QUEUED, PLACED, BY_SITE, REJECTED], {"state": "switching"}),
    ],
)
def test_life(events: list[Event], expected: Row) -> None:
    row = after(events)
    assert row == {**row, **expected}


def test_another_site_cannot_touch_the_row() -> None:
    elsewhere = sites.WorkloadRejected(
        site_id="beta",
        at=T0,
        workload_id="w1",
        customer_id="c1",
        reason="unknown_site",
        detail="None.",
    )
    assert after([BY_SITE, elsewhere])["state"] == "queued"


@pytest.mark.parametrize("by_broker", [TOO_BIG, WAITING, WITHDRAWN])
def test_intake_and_site_may_be_read_in_any_order(by_broker: Event) -> None:
    on_site: list[Event] = [BY_SITE, QUEUED, PLACED]
    by_intake: list[Event] = [BY_INTAKE, by_broker]
    orders = {
        tuple(order)
        for order in permutations([*on_site, *by_intake])
        if in_order(order, on_site) and in_order(order, by_intake)
    }
    assert len(orders) == 10
    assert all(after(list(order)) == after(on_site) for order in orders)


def test_every_event_goes_to_the_history() -> None:
    (entry,) = [o for o in operations(record(REQUEUED)) if isinstance(o, Append)]
    assert entry.table is EVENTS
    assert entry.row["type"] == "hcp.sites.v1.WorkloadRequeued"
    assert entry.row["data"]["at"] == "2024-09-01T00:00:03.000Z"


def test_a_switch_without_a_workload_is_no_history() -> None:
    event = sites.UnitSwitched(
        site_id="alpha",
        at=T0,
        unit_id="u1",
        mode="mine",
        save_ms=1,
        clear_ms=1,
        load_ms=1,
        initialise_ms=1,
        succeeded=True,
    )
    assert operations(record(event)) == []


def test_a_deadline_beyond_the_calendar_is_clamped() -> None:
    event = sites.WorkloadSubmitted(site_id="alpha", deadline=2**62, **SPEC)
    assert after([event])["deadline"].year == 9999


def after(events: list[Event]) -> Row:
    done: list[Operation] = []
    read: Counter[Topic] = Counter()
    for event in events:
        topic = topic_of(type(event))
        done += operations(record(event, offset=read[topic]))
        read[topic] += 1
    row = fold(done, {})[WORKLOADS].rows["w1",]
    assert row is not None
    return row


def in_order(order: tuple[Event, ...], events: list[Event]) -> bool:
    places = [order.index(event) for event in events]
    return places == sorted(places)
