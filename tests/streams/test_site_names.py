"""Names and texts are bounded, so that whatever repeats them can be read, stored and written."""

from __future__ import annotations

from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

import pytest

from schemas.codec import Codec, LocalIds
from schemas.events import intake, sites
from schemas.topics import Event
from streams.definition import step
from streams.loop import MAX_ANSWER_BYTES
from streams.routing.agent import AGENT as ROUTING
from streams.site_inputs import MAX_FEEDERS, MAX_UNITS, refusal_of
from streams.site_names import MAX_HARDWARE_BYTES, MAX_MODE_BYTES, MAX_TEXT_LENGTH
from tests.streams.test_site_inputs import NAMED, ORDINARY, S21, SITE

FREE_TEXT = {"reason", "detail"}
INPUTS: tuple[Any, ...] = (
    *ORDINARY,
    sites.UnitSwitched(
        **NAMED,
        unit_id="u",
        mode="off",
        workload_id="w1",
        save_ms=1,
        clear_ms=1,
        load_ms=1,
        initialise_ms=1,
        succeeded=False,
        reason="stuck",
    ),
    sites.UnitReported(**NAMED, unit_id="u", health="degraded", power_w=7, detail="hot"),
    sites.UnitDrained(**NAMED, unit_id="u", reason="old"),
    sites.UnitRecovered(**NAMED, unit_id="u"),
    sites.WorkloadStarted(**NAMED, workload_id="w1", placement_id="w1/1"),
    sites.WorkloadCompleted(**NAMED, workload_id="w1", placement_id="w1/1"),
    sites.WorkloadFailed(**NAMED, workload_id="w1", placement_id="w1/1", reason="bug"),
    sites.WorkloadCancelled(**NAMED, workload_id="w1", cancelled_by="c1", reason="late"),
    sites.CurtailmentLifted(**NAMED, curtailment_id="k", reason="over"),
    replace(ORDINARY[0], gpu_model="H100"),
)
STRINGS = [
    (event, field.name)
    for event in INPUTS
    for field in fields(event)
    if isinstance(getattr(event, field.name), str)
    and (field.name != "site_id" or isinstance(event, sites.SiteConfigured))
]
IDS = [f"{number}-{type(e).__name__}-{name}" for number, (e, name) in enumerate(STRINGS)]


@pytest.mark.parametrize(("event", "name"), STRINGS, ids=IDS)
def test_every_string_is_bounded_and_so_is_what_is_said_of_it(event: Any, name: str) -> None:  # noqa: ANN401
    assert refusal_of(event) is None
    huge = replace(event, **{name: "x" * 1_000_000})
    refusal = refusal_of(huge)
    assert refusal is not None
    assert refusal.detail.endswith(".")
    state = ROUTING.initial(SITE)
    if not isinstance(event, sites.SiteConfigured):
        state = ROUTING.evolve(state, ORDINARY[11])
    _, answers = step(ROUTING, state, huge)
    for answer in answers:
        if isinstance(answer, sites.InputRejected):
            assert len(answer.subject) + len(answer.detail) < 1_000


@pytest.mark.parametrize("control", ["\x00", "\n", "\x1b", "\x7f"])
@pytest.mark.parametrize(("event", "name"), STRINGS, ids=IDS)
def test_names_hold_no_control_characters(event: Any, name: str, control: str) -> None:  # noqa: ANN401
    refusal = refusal_of(replace(event, **{name: f"a{control}b"}))
    assert (refusal is None) == (name in FREE_TEXT)


@pytest.mark.parametrize("reason", ["x" * MAX_TEXT_LENGTH, "Traceback:\n\tline 1\n"])
def test_a_failed_unit_has_failed_whatever_is_said_of_it(reason: str) -> None:
    assert refusal_of(sites.UnitFailed(**NAMED, unit_id="u", reason=reason)) is None


@pytest.mark.parametrize("site_id", ["", "a\x00b", "s" * 201])
def test_a_site_needs_an_id(site_id: str) -> None:
    event = replace(ORDINARY[11], site_id=site_id)
    state, answers = step(ROUTING, ROUTING.initial(site_id), event)
    (rejected,) = answers
    assert isinstance(rejected, sites.InputRejected)
    assert rejected.reason == "bad_site_id"
    assert not ROUTING.retain(state)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (replace(ORDINARY[11], feeders=(sites.Feeder(feeder_id="f\n", power_cap_w=1),)), "feeders"),
        (replace(ORDINARY[11], pool=""), "pool"),
        (
            replace(ORDINARY[10], modes=(*ORDINARY[10].modes, replace(S21, mode="m" * 25))),
            "modes",
        ),
        (replace(ORDINARY[10], unit_id="é" * 25), "unit_id"),
    ],
)
def test_names_inside_are_bounded_too(event: Any, reason: str) -> None:  # noqa: ANN401
    refusal = refusal_of(event)
    assert refusal is not None
    assert refusal.reason == f"bad_{reason}"


def hardware(number: int) -> str:
    return f"{number:x}".rjust(MAX_HARDWARE_BYTES, "x")


def the_largest_plan() -> Event:
    """Every unit of a full site in a mode of its own."""
    modes = (f"{number:x}".rjust(MAX_MODE_BYTES, "x") for number in range(MAX_UNITS))
    return sites.PowerPlanProposed(
        site_id="s" * 200,
        at=1,
        plan_id="p" * 230,
        policy_version="1",
        trigger="curtailment",
        assignments=tuple(
            sites.PlanAssignment(mode=mode, unit_ids=(hardware(number),))
            for number, mode in enumerate(modes)
        ),
        headroom=tuple(
            sites.FeederHeadroom(
                feeder_id=hardware(number),
                ai_headroom_w=2**62,
                shadow_price_usd_per_mwh=Decimal(10**11),
            )
            for number in range(MAX_FEEDERS)
        ),
        site_shadow_price_usd_per_mwh=Decimal(10**11),
        value_usd_micros_per_hour=2**62,
        bound_usd_micros_per_hour=2**62,
    )


def the_largest_placement() -> Event:
    return sites.WorkloadPlaced(
        **NAMED,
        workload_id="w" * 200,
        placement_id="w" * 220,
        customer_id="c" * 200,
        gpu_model=hardware(0),
        gpu_milli=1_000,
        units=tuple(
            sites.UnitShare(unit_id=hardware(number), gpu_milli=1_000, power_w=10**7)
            for number in range(MAX_UNITS)
        ),
        duration_s=2**40,
        attempt=2**30,
        price_usd_per_gpu_hour=Decimal(10**5),
        decision_id="d" * 36,
    )


def the_largest_summary() -> Event:
    """Every unit of a full site of a model of its own."""
    return intake.SiteSummarized(
        pool="p" * 200,
        at=1,
        site_id="s" * 200,
        gpus=tuple(
            intake.GpuAvailability(gpu_model=hardware(number), total=1, free=1)
            for number in range(MAX_UNITS)
        ),
        queued=50_000,
        power_headroom_w=10**10,
    )


@pytest.mark.parametrize("make", [the_largest_plan, the_largest_placement, the_largest_summary])
def test_the_largest_answers_fit_a_record(make: Any) -> None:  # noqa: ANN401
    headers_bytes = 64 * 1024
    assert len(Codec(LocalIds()).encode(make())) + headers_bytes < MAX_ANSWER_BYTES
