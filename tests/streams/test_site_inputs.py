"""The bounds that every agent puts on a site's inputs, and the rule of the clock."""

from __future__ import annotations

from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import sites
from streams.quantities import DAY_MS
from streams.refusal import Refusal
from streams.site_inputs import (
    INPUTS,
    MAX_JUMP_MS,
    MAX_TIME_MS,
    Tick,
    refusal_of,
    tick,
)

SITE = "s1"
NOON = 1_704_110_400_000
QUARTER = 900_000
PHASES: dict[str, Any] = {"save_ms": 1, "clear_ms": 1, "load_ms": 1, "initialise_ms": 1}
NAMED: dict[str, Any] = {"site_id": SITE, "at": NOON}
S21 = sites.UnitMode(mode="normal", power_w=3_500, hashrate_ths=200, tflops=0.0)
OFF = sites.UnitMode(mode="off", power_w=0, hashrate_ths=0, tflops=0.0)
ORDINARY: tuple[Any, ...] = (
    sites.WorkloadSubmitted(
        **NAMED,
        workload_id="w1",
        customer_id="c1",
        name="a run",
        kind="training",
        gpu_count=1,
        duration_s=60,
        deadline=NOON + DAY_MS,
        max_price_usd_per_gpu_hour=Decimal(2),
    ),
    sites.WorkloadProgressed(**NAMED, workload_id="w1", placement_id="w1/1", progress_ppm=5),
    sites.TimePassed(**NAMED),
    sites.UnitFailed(**NAMED, unit_id="u", reason="fan"),
    sites.UnitReported(**NAMED, unit_id="u", health="ok", power_w=700, temperature_c=60),
    sites.UnitSwitched(**NAMED, unit_id="u", mode="off", succeeded=True, **PHASES),
    sites.PowerPricePublished(
        **NAMED,
        settlement_point="HB",
        interval_start=NOON,
        interval_end=NOON + QUARTER,
        price_usd_per_mwh=Decimal(-12),
    ),
    sites.HashpricePublished(
        **NAMED,
        interval_start=NOON,
        hashprice_usd_per_ph_day=Decimal(50),
        difficulty=10**14,
        fees_sats=10**7,
        btc_price_usd=Decimal(90_000),
    ),
    sites.CurtailmentRequested(
        **NAMED,
        curtailment_id="k",
        max_power_w=5,
        starts_at=NOON,
        duration_s=600,
        payment_usd_per_mwh=Decimal(100),
    ),
    sites.EnergyMetered(
        **NAMED,
        feeder_id="fa",
        interval_start=NOON,
        interval_end=NOON + QUARTER,
        readings=(sites.MeterReading(unit_id="u", energy_wh=875, work_th=180_000),),
    ),
    sites.UnitRegistered(
        **NAMED, unit_id="u", feeder_id="fa", kind="asic", model="S21", modes=(OFF, S21)
    ),
    sites.SiteConfigured(
        **NAMED,
        name="Test",
        power_cap_w=100_000,
        feeders=(sites.Feeder(feeder_id="fa", power_cap_w=50_000),),
        gpu_prices=(sites.GpuPrice(gpu_model="H100", price_usd_per_gpu_hour=Decimal(2)),),
    ),
    sites.ClockCorrected(**NAMED, now=NOON, corrected_by="olga"),
)
NUMBERS = [
    (event, field.name)
    for event in ORDINARY
    for field in fields(event)
    if isinstance(getattr(event, field.name), int | Decimal)
    and not isinstance(getattr(event, field.name), bool)
]


@pytest.mark.parametrize("event", ORDINARY, ids=lambda event: type(event).__name__)
def test_an_ordinary_input_is_not_refused(event: Any) -> None:  # noqa: ANN401
    assert type(event) in INPUTS
    assert refusal_of(event) is None


@pytest.mark.parametrize("extreme", [2**63 - 1, 2**62, -(2**63)])
@pytest.mark.parametrize(
    ("event", "name"), NUMBERS, ids=[f"{type(e).__name__}-{name}" for e, name in NUMBERS]
)
def test_every_number_is_bounded(event: Any, name: str, extreme: int) -> None:  # noqa: ANN401
    known = getattr(event, name)
    value = Decimal(extreme) if isinstance(known, Decimal) else extreme
    refusal = refusal_of(replace(event, **{name: value}))
    assert refusal is not None
    assert refusal.detail.endswith(".")


def registered(**changed: Any) -> sites.UnitRegistered:  # noqa: ANN401
    event: sites.UnitRegistered = ORDINARY[10]
    return replace(event, modes=(OFF, replace(S21, **changed)))


def metered(**changed: Any) -> sites.EnergyMetered:  # noqa: ANN401
    event: sites.EnergyMetered = ORDINARY[9]
    return replace(event, readings=(replace(event.readings[0], **changed),))


PARTS = [
    (registered(hashrate_ths=2**62), "bad_hashrate"),
    (registered(power_w=1, hashrate_ths=10**6), "bad_hashrate"),
    (registered(power_w=2**62), "bad_power"),
    (registered(power_w=0, hashrate_ths=0), "bad_modes"),
    (registered(tflops=float("nan")), "bad_tflops"),
    (metered(energy_wh=2**62), "impossible_energy"),
    (metered(work_th=2**62), "impossible_energy"),
    (metered(energy_wh=-1), "negative_energy"),
    (replace(metered(), readings=metered().readings * 2), "repeated_unit"),
    (
        replace(ORDINARY[11], feeders=(sites.Feeder(feeder_id="fa", power_cap_w=2**62),)),
        "bad_power",
    ),
    (
        replace(
            ORDINARY[11],
            gpu_prices=(sites.GpuPrice(gpu_model="H100", price_usd_per_gpu_hour=Decimal(10**9)),),
        ),
        "price_out_of_range",
    ),
]


@pytest.mark.parametrize(("event", "reason"), PARTS)
def test_numbers_inside_are_bounded_too(event: Any, reason: str) -> None:  # noqa: ANN401
    refusal = refusal_of(event)
    assert refusal is not None
    assert refusal.reason == reason


def test_many_meters_cannot_claim_more_than_a_grid_carries() -> None:
    event = ORDINARY[9]
    most_wh = 10**7 // 4
    readings = tuple(
        sites.MeterReading(unit_id=f"u{number}", energy_wh=most_wh, work_th=0)
        for number in range(1_100)
    )
    assert refusal_of(replace(event, readings=readings[:900])) is None
    refusal = refusal_of(replace(event, readings=readings))
    assert refusal is not None
    assert refusal.reason == "impossible_energy"


def reason_of(refusal: Refusal | None) -> str:
    assert refusal is not None
    return refusal.reason


def test_the_clock_follows_its_ticks_up_to_the_bound() -> None:
    assert tick(None, None, NOON, NOON) == Tick(NOON, None, None)
    assert tick(None, None, NOON, None) == Tick(NOON, None, None), "a state that is older"
    assert tick(NOON, None, NOON, NOON) == Tick(NOON, None, None)
    assert tick(NOON, None, NOON + MAX_JUMP_MS, NOON) == Tick(NOON + MAX_JUMP_MS, None, None)
    assert reason_of(tick(NOON, None, NOON - 1, NOON).refusal) == "clock_backwards"


def test_one_wrong_tick_is_refused_and_the_next_right_one_ends_the_doubt() -> None:
    far = NOON + 9_000 * DAY_MS
    now, doubted, refusal = tick(NOON, None, far, NOON)
    assert (now, doubted, reason_of(refusal)) == (NOON, far, "clock_jump")
    assert tick(now, doubted, far, NOON).now == NOON, "said twice is no second tick"
    assert tick(now, doubted, NOON + 1, NOON) == Tick(NOON + 1, None, None)


def test_a_site_that_stood_still_for_long_goes_on_with_the_second_tick() -> None:
    later = NOON + 90 * DAY_MS
    now, doubted, _ = tick(NOON, None, later, NOON)
    assert tick(now, doubted, later + 60_000, NOON) == Tick(later + 60_000, None, None)


@given(st.lists(st.integers(0, MAX_TIME_MS), max_size=30))
def test_the_clock_never_goes_back_and_jumps_only_when_confirmed(times: list[int]) -> None:
    now, doubted = NOON, None
    for at in times:
        before, suspected = now, doubted
        after = tick(now, doubted, at, NOON)
        assert after.now is not None
        now, doubted = after.now, after.doubted
        assert now >= before
        if now - before > MAX_JUMP_MS:
            assert suspected is not None
            assert suspected < now <= suspected + MAX_JUMP_MS


@pytest.mark.parametrize("days", [9_000, -9_000, -32, 32])
def test_the_first_tick_is_measured_by_when_the_site_was_configured(days: int) -> None:
    wrong = NOON + days * DAY_MS
    now, doubted, refusal = tick(None, None, wrong, NOON)
    assert (now, doubted, reason_of(refusal)) == (None, wrong, "clock_jump")
    assert tick(now, doubted, NOON + 60_000, NOON) == Tick(NOON + 60_000, None, None)
    assert tick(now, doubted, wrong + 60_000, NOON) == Tick(wrong + 60_000, None, None)
