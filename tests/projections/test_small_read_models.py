"""Read models that are a row or two an event: event -> expected operations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from projections import (
    ai_revenue,
    alerts,
    curtailments,
    customers,
    decisions,
    energy,
    invoices,
    power_plans,
    prices,
    rejected_inputs,
    usage,
    usage_ratings,
)
from projections.operations import Add, Append, Insert, Operation, Put, Update
from projections.record import LogRecord
from schemas.events import accounts, sites
from schemas.events import decisions as decision_events
from schemas.topics import Event
from tests.projections.given import MIDNIGHT, T0, record

QUARTER_MS = 900_000
QUARTER = timedelta(minutes=15)
HERE = {"partition": 0, "offset": 7}

PRICE = sites.PowerPricePublished(
    site_id="alpha",
    at=T0,
    settlement_point="HB_HUBAVG",
    interval_start=T0,
    interval_end=T0 + QUARTER_MS,
    price_usd_per_mwh=Decimal("-3.25"),
)
METERED = sites.EnergyMetered(
    site_id="alpha",
    at=T0,
    feeder_id="f1",
    interval_start=T0,
    interval_end=T0 + QUARTER_MS,
    readings=(
        sites.MeterReading(unit_id="u1", energy_wh=875, work_th=180_000),
        sites.MeterReading(unit_id="u2", energy_wh=175, work_th=0),
    ),
)
CURTAILED = sites.CurtailmentRequested(
    site_id="alpha",
    at=T0,
    curtailment_id="k1",
    max_power_w=5000,
    starts_at=T0,
    duration_s=900,
    reason="grid",
    payment_usd_per_mwh=Decimal(90),
)
RATED = accounts.UsageRated(
    customer_id="c1",
    at=T0,
    usage_id="g1",
    site_id="alpha",
    workload_id="w1",
    meter="gpu_time",
    interval_start=T0 + 5_400_000,
    contract_id="k",
    tariff_id="t",
    quantity=1,
    unit="gpu_us",
    amount_usd_micros=391_667,
)
COLLECTED = accounts.UsageCollected(customer_id="c1", at=T0, site_id="alpha", collected_until=T0)
SIGNED = accounts.ContractSigned(
    customer_id="c1",
    at=T0,
    contract_id="k",
    tariff_id="t",
    starts_at=T0,
    billing_period="day",
    grace_s=3600,
)
DRAFTED = accounts.InvoiceDrafted(
    customer_id="c1",
    at=T0,
    invoice_id="i1",
    number="c1-1",
    contract_id="k",
    period_start=T0,
    period_end=T0 + QUARTER_MS,
    lines=(
        accounts.InvoiceLine(
            line_id="1",
            workload_id="w1",
            meter="gpu_time",
            description="H100",
            quantity=1,
            unit="gpu_us",
            amount_usd_micros=5,
            usage_ids=("g1", "g2"),
        ),
    ),
    total_usd_micros=5,
)
REFUSED = sites.InputRejected(
    site_id="alpha", at=T0, rejected_type="T", subject="s", reason="r", detail="No."
)
PLAN = sites.PowerPlanApplied(
    site_id="alpha", at=T0, plan_id="p1", applied=3, skipped=1, reason="x"
)

Operations = Callable[[LogRecord], list[Operation]]


@pytest.mark.parametrize(
    ("operations", "event", "expected"),
    [
        pytest.param(
            prices.operations,
            PRICE,
            [
                Put(
                    prices.POWER_PRICES,
                    {
                        **HERE,
                        "site_id": "alpha",
                        "settlement_point": "HB_HUBAVG",
                        "interval_start": MIDNIGHT,
                        "interval_end": MIDNIGHT + QUARTER,
                        "price_usd_per_mwh": Decimal("-3.25"),
                        "rejected": False,
                    },
                )
            ],
            id="power price",
        ),
        pytest.param(
            energy.operations,
            METERED,
            [
                Put(
                    energy.READINGS,
                    {
                        **HERE,
                        "site_id": "alpha",
                        "feeder_id": "f1",
                        "interval_start": MIDNIGHT,
                        "interval_end": MIDNIGHT + QUARTER,
                        "unit_ids": ["u1", "u2"],
                        "unit_energy_wh": [875, 175],
                        "unit_work_th": [180_000, 0],
                        "energy_wh": 1050,
                        "work_th": 180_000,
                        "rejected": False,
                    },
                )
            ],
            id="energy",
        ),
        pytest.param(
            energy.operations,
            replace(METERED, interval_end=T0),
            [],
            id="energy of no time",
        ),
        pytest.param(
            energy.operations,
            replace(METERED, readings=(sites.MeterReading(unit_id="u1", energy_wh=-1, work_th=0),)),
            [],
            id="a meter that runs backwards",
        ),
        pytest.param(
            energy.operations,
            replace(METERED, readings=METERED.readings[:1] * 2),
            [],
            id="a meter that reads a unit twice",
        ),
        pytest.param(
            energy.operations,
            replace(
                METERED,
                readings=(sites.MeterReading(unit_id="u1", energy_wh=9 * 10**18, work_th=0),),
            ),
            [],
            id="a meter out of this world",
        ),
        pytest.param(
            curtailments.operations,
            CURTAILED,
            [
                Put(
                    curtailments.REQUESTS,
                    {
                        **HERE,
                        "curtailment_id": "k1",
                        "site_id": "alpha",
                        "max_power_w": 5000,
                        "starts_at": MIDNIGHT,
                        "ends_at": MIDNIGHT + QUARTER,
                        "reason": "grid",
                        "payment_usd_per_mwh": Decimal(90),
                        "requested_at": MIDNIGHT,
                        "rejected": False,
                    },
                )
            ],
            id="curtailment requested",
        ),
        pytest.param(
            curtailments.operations,
            sites.CurtailmentMet(
                site_id="alpha", at=T0, curtailment_id="k1", power_w=4000, max_power_w=5000
            ),
            [
                Put(
                    curtailments.MET,
                    {
                        **HERE,
                        "site_id": "alpha",
                        "curtailment_id": "k1",
                        "met_at": MIDNIGHT,
                        "met_power_w": 4000,
                        "cause_offset": HERE["offset"],
                    },
                )
            ],
            id="curtailment met",
        ),
        pytest.param(
            curtailments.operations,
            sites.CurtailmentLifted(site_id="alpha", at=T0, curtailment_id="k1"),
            [
                Put(
                    curtailments.LIFTS,
                    {
                        **HERE,
                        "site_id": "alpha",
                        "curtailment_id": "k1",
                        "lifted_at": MIDNIGHT,
                        "rejected": False,
                    },
                )
            ],
            id="curtailment lifted",
        ),
        pytest.param(
            alerts.operations,
            sites.AlertCleared(site_id="alpha", at=T0, alert_id="a1", reason="fine"),
            [Update(alerts.TABLE, ("a1",), {"cleared_at": MIDNIGHT, "clear_reason": "fine"})],
            id="alert cleared",
        ),
        pytest.param(
            power_plans.operations,
            PLAN,
            [
                Update(
                    power_plans.TABLE,
                    ("p1",),
                    {"applied_at": MIDNIGHT, "applied": 3, "skipped": 1, "skip_reason": "x"},
                    where={"site_id": ("alpha",)},
                )
            ],
            id="plan applied",
        ),
        pytest.param(
            ai_revenue.operations,
            RATED,
            [
                Add(
                    ai_revenue.TABLE,
                    {
                        "site_id": "alpha",
                        "hour": MIDNIGHT + timedelta(hours=1),
                        "amount_usd_micros": 391_667,
                        "energy_wh": 0,
                    },
                )
            ],
            id="revenue",
        ),
        pytest.param(
            usage.operations,
            RATED,
            [
                Update(
                    usage.TABLE,
                    ("g1",),
                    {
                        "state": "rated",
                        "reason": None,
                        "tariff_id": "t",
                        "contract_id": "k",
                    },
                    where={"customer_id": ("c1",)},
                    added={"amount_usd_micros": 391_667},
                )
            ],
            id="usage rated",
        ),
        pytest.param(
            usage_ratings.operations,
            replace(RATED, interval_end=T0 + 7_200_000, period_start=T0, priced_by="tariff"),
            [
                Insert(
                    usage_ratings.TABLE,
                    {
                        "usage_id": "g1",
                        "interval_start": MIDNIGHT + timedelta(hours=1.5),
                        "interval_end": MIDNIGHT + timedelta(hours=2),
                        "customer_id": "c1",
                        "contract_id": "k",
                        "tariff_id": "t",
                        "period_start": MIDNIGHT,
                        "priced_by": "tariff",
                        "quantity": 1,
                        "unit": "gpu_us",
                        "amount_usd_micros": 391_667,
                    },
                )
            ],
            id="usage rated in pieces",
        ),
        pytest.param(
            usage.operations,
            COLLECTED,
            [
                Put(
                    usage.COLLECTIONS,
                    {
                        "site_id": "alpha",
                        "customer_id": "c1",
                        "collected_until": MIDNIGHT,
                        "heard_at": MIDNIGHT,
                    },
                )
            ],
            id="usage collected",
        ),
        pytest.param(
            customers.operations,
            SIGNED,
            [
                Put(
                    customers.CONTRACTS,
                    {
                        **HERE,
                        "contract_id": "k",
                        "customer_id": "c1",
                        "tariff_id": "t",
                        "starts_at": MIDNIGHT,
                        "billing_period": "day",
                        "grace_s": 3600,
                        "auto_finalize": True,
                        "signed_at": MIDNIGHT,
                        "rejected": False,
                    },
                ),
            ],
            id="contract",
        ),
        pytest.param(
            invoices.operations,
            accounts.InvoiceFinalized(
                customer_id="c1",
                at=T0,
                invoice_id="i1",
                number="c1-1",
                total_usd_micros=5,
                finalized_by="grace",
            ),
            [
                Update(
                    invoices.INVOICES,
                    ("i1",),
                    {
                        "state": "finalized",
                        "total_usd_micros": 5,
                        "finalized_at": MIDNIGHT,
                        "finalized_by": "grace",
                    },
                    where={"customer_id": ("c1",)},
                )
            ],
            id="invoice finalized",
        ),
    ],
)
def test_operations(operations: Operations, event: Event, expected: list[Operation]) -> None:
    assert operations(record(event)) == expected


def test_a_meter_that_routing_will_refuse_is_not_shown_until_it_does() -> None:
    reading = METERED.readings[0]
    twice = replace(METERED, readings=(reading, replace(reading, energy_wh=1)))
    assert energy.operations(record(twice)) == []
    assert len(energy.operations(record(METERED))) == 1


def test_an_invoice_and_its_lines() -> None:
    invoice, line = invoices.operations(record(DRAFTED))
    assert isinstance(invoice, Insert)
    assert (invoice.row["state"], invoice.row["total_usd_micros"]) == ("drafted", 5)
    assert isinstance(line, Insert)
    assert line.row == {
        "invoice_id": "i1",
        "line_id": "1",
        "workload_id": "w1",
        "meter": "gpu_time",
        "description": "H100",
        "quantity": 1,
        "unit": "gpu_us",
        "amount_usd_micros": 5,
        "usage_ids": ["g1", "g2"],
        "priced_by": None,
    }


def test_a_decision_keeps_its_alternatives() -> None:
    event = decision_events.DecisionExplained(
        site_id="alpha",
        at=T0,
        decision_id="d1",
        agent="routing",
        policy_version="1",
        kind="placement",
        subject="w1",
        chosen="u1",
        reason="Pays most.",
        alternatives=(
            decision_events.Alternative(
                label="u1", feasible=True, reason="", value_usd_micros_per_hour=5, power_w=700
            ),
        ),
        value_usd_micros_per_hour=5,
    )
    (put,) = decisions.operations(record(event))
    assert isinstance(put, Put)
    assert put.row["alternatives"] == [
        {
            "label": "u1",
            "feasible": True,
            "reason": "",
            "value_usd_micros_per_hour": 5,
            "power_w": 700,
        }
    ]


def test_a_refusal_is_kept_and_takes_back_what_it_refuses() -> None:
    refusal = record(REFUSED, offset=9, answers=7)
    (kept,) = rejected_inputs.operations(refusal)
    assert isinstance(kept, Append)
    assert (kept.row["input_event_id"], kept.row["input_offset"]) == ("e-1", 7)
    assert curtailments.operations(refusal) == [
        Update(curtailments.REQUESTS, (0, 7), {"rejected": True}),
        Update(curtailments.LIFTS, (0, 7), {"rejected": True}),
    ]
    assert energy.operations(refusal) == [
        Update(energy.UNITS, (0, 7), {"rejected_offset": 9}),
        Update(energy.READINGS, (0, 7), {"rejected": True}),
    ]
    assert prices.operations(refusal) == [
        Update(prices.POWER_PRICES, (0, 7), {"rejected": True}),
        Update(prices.HASH_PRICES, (0, 7), {"rejected": True}),
    ]


def test_usage_is_refused_by_its_own_record_only() -> None:
    said = accounts.InputRejected(
        customer_id="c1",
        at=T0,
        rejected_type=accounts.UsageRecorded.FULL_NAME,
        subject="g1",
        reason="unpriced_model",
        detail="No price.",
    )
    assert usage.operations(record(said, offset=9, answers=7)) == [
        Update(
            usage.TABLE,
            ("g1",),
            {"state": "refused", "reason": "unpriced_model"},
            where={"partition": (0,), "offset": (7,)},
        )
    ]
    other = replace(said, rejected_type=accounts.TariffPublished.FULL_NAME)
    assert usage.operations(record(other, offset=9, answers=7)) == []
