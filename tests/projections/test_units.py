"""A unit's events and what they do to its tables."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from projections.operations import Insert, Operation, Put, Update
from projections.units import PLACEMENTS, REGISTRATIONS, STATES, operations
from schemas.events import sites
from schemas.topics import Event
from tests.projections.given import MIDNIGHT, T0, record

UNIT: dict[str, Any] = {"site_id": "alpha", "at": T0, "unit_id": "u1"}
RUN: dict[str, Any] = {"site_id": "alpha", "at": T0, "workload_id": "w1", "placement_id": "w1/1"}


def changed(**values: object) -> list[Operation]:
    return [Update(STATES, ("alpha", "u1"), {**values, "updated_at": MIDNIGHT})]


def health(detail: str, **values: object) -> list[Operation]:
    return changed(detail=detail, detail_offset=7, **values)


def ended(reason: str) -> list[Operation]:
    return [
        Update(PLACEMENTS, ("alpha", "w1/1"), {"ended_at": MIDNIGHT, "end_reason": reason}),
    ]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (
            sites.UnitModeAssigned(
                mode="mine", power_w=3500, reason="plan", decision_id="d", **UNIT
            ),
            changed(mode="mine", power_w=3500),
        ),
        (sites.UnitFailed(reason="fan", **UNIT), health("fan", failed_offset=7)),
        (sites.UnitDrained(reason="dust", **UNIT), health("dust", drained_offset=7)),
        (
            sites.UnitRecovered(**UNIT),
            [
                Update(
                    STATES,
                    ("alpha", "u1"),
                    {"drained_offset": None},
                    where={"failed_offset": (None,)},
                ),
                *health("", failed_offset=None),
            ],
        ),
        (
            sites.UnitReported(health="degraded", power_w=9, detail="hot", **UNIT),
            health("hot", degraded_offset=7, reported_power_w=9, temperature_c=None),
        ),
        (sites.UnitReported(health="ok", power_w=-9, **UNIT), []),
        (sites.UnitRegistered(kind="tpu", feeder_id="f1", model="v5e", modes=(), **UNIT), []),
        (
            sites.AlertRaised(
                kind="switch_failing", alert_id="a", severity="critical", detail="5 times", **UNIT
            ),
            health("5 times", failed_offset=7),
        ),
        (
            sites.WorkloadPlaced(
                customer_id="c",
                gpu_model="H100",
                gpu_milli=500,
                units=(sites.UnitShare(unit_id="u1", gpu_milli=500, power_w=700),),
                duration_s=60,
                attempt=1,
                price_usd_per_gpu_hour=Decimal("2.35"),
                decision_id="d",
                **RUN,
            ),
            [
                Put(
                    PLACEMENTS,
                    {
                        "site_id": "alpha",
                        "placement_id": "w1/1",
                        "workload_id": "w1",
                        "customer_id": "c",
                        "gpu_model": "H100",
                        "attempt": 1,
                        "unit_ids": ["u1"],
                        "unit_gpu_milli": [500],
                        "unit_power_w": [700],
                        "price_usd_per_gpu_hour": Decimal("2.35"),
                        "decision_id": "d",
                        "placed_at": MIDNIGHT,
                        "ended_at": None,
                        "end_reason": None,
                    },
                )
            ],
        ),
        (
            sites.WorkloadReleased(customer_id="c", outcome="completed", **RUN),
            ended("completed"),
        ),
        (
            sites.WorkloadRequeued(customer_id="c", reason="unit_failed", **RUN),
            ended("unit_failed"),
        ),
        (
            sites.WorkloadReleased(
                customer_id="c", outcome="cancelled", **{**RUN, "placement_id": None}
            ),
            [],
        ),
    ],
    ids=lambda given: type(given).__name__,
)
def test_operations(event: Event, expected: list[Operation]) -> None:
    assert operations(record(event)) == expected


def test_registration_adds_a_definition_and_a_state_where_there_is_none() -> None:
    event = sites.UnitRegistered(
        feeder_id="f1",
        kind="asic",
        model="S21",
        modes=(sites.UnitMode(mode="off", power_w=0, hashrate_ths=0, tflops=0.0),),
        **UNIT,
    )
    definition, state = operations(record(event))
    assert isinstance(definition, Put)
    assert definition.row["modes"] == [
        {"mode": "off", "power_w": 0, "hashrate_ths": 0, "tflops": 0.0}
    ]
    assert isinstance(state, Insert)
    assert state.row["mode"] == "off"


def test_a_refused_registration_is_taken_back() -> None:
    refused = sites.InputRejected(
        site_id="alpha",
        at=T0,
        rejected_type="hcp.sites.v1.UnitRegistered",
        subject="u1",
        reason="unknown_feeder",
        detail="No.",
    )
    assert operations(record(refused, offset=9, answers=7)) == [
        Update(REGISTRATIONS, (0, 7), {"rejected": True}),
    ]
