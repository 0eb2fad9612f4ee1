from __future__ import annotations

import time
from dataclasses import replace

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events.sites import (
    CurtailmentLifted,
    Feeder,
    PowerPlanApplied,
    PowerPlanProposed,
    SitesEvent,
    UnitDrained,
    UnitFailed,
    UnitRecovered,
)
from schemas.topics import Event
from streams.definition import step
from streams.optimization.agent import AGENT
from streams.optimization.state import State
from tests.streams.optimization.builders import (
    CONFIGURED,
    MINUTE,
    QUARTER,
    asic,
    assigned,
    curtailment,
    gpu,
    hashes,
    mode,
    placed,
    power,
    released,
    tick,
)


class Site:
    """Runs the agent over a log and answers its plans as a faithful router would."""

    def __init__(self, *events: SitesEvent, obedient: bool = True) -> None:
        self.state = State(site_id="dallas")
        self.obedient = obedient
        for event in events:
            self.hear(event)

    def hear(self, event: SitesEvent) -> PowerPlanProposed | None:
        self.state, answers = step(AGENT, self.state, event)
        if not answers:
            return None
        (plan,) = answers
        assert isinstance(plan, PowerPlanProposed)
        if self.obedient:
            self.obey(plan)
        return plan

    def obey(self, plan: PowerPlanProposed) -> None:
        for part in plan.assignments:
            for unit_id in part.unit_ids:
                if self.state.asics[unit_id].mode != part.mode:
                    assert self.hear(assigned(unit_id, part.mode)) is None
        applied = PowerPlanApplied(
            site_id="dallas", at=plan.at, plan_id=plan.plan_id, applied=1, skipped=0
        )
        assert self.hear(applied) is None


def test_the_first_plan_waits_for_both_prices_and_the_time() -> None:
    site = Site(CONFIGURED, asic("m1", "a"), power("30"))
    assert site.hear(tick(0)) is None
    plan = site.hear(hashes("38.2"))
    assert plan is not None
    assert (plan.plan_id, plan.trigger, plan.at) == ("dallas/plan/1", "price", 0)
    assert modes(plan) == {"m1": "normal"}
    assert plan.value_usd_micros_per_hour == 318_333 - 105_000
    assert plan.bound_usd_micros_per_hour == 213_334


def test_a_price_above_break_even_turns_mining_off_and_one_below_on_again() -> None:
    site = running("m1", "m2")
    dear = site.hear(power("91", start=QUARTER))
    assert dear is None
    plan = site.hear(tick(QUARTER))
    assert plan is not None
    assert (plan.trigger, modes(plan)) == ("price", {"m1": "off", "m2": "off"})
    assert plan.value_usd_micros_per_hour == plan.bound_usd_micros_per_hour == 0
    assert [h.ai_headroom_w for h in plan.headroom] == [10_500, 10_500]
    site.hear(power("-5", start=2 * QUARTER))
    again = site.hear(tick(2 * QUARTER))
    assert again is not None
    assert modes(again) == {"m1": "normal", "m2": "normal"}


def test_a_price_that_changes_no_mode_asks_for_nothing() -> None:
    site = running("m1")
    assert site.hear(power("31", start=MINUTE)) is None
    assert site.hear(tick(MINUTE)) is None


def test_the_last_known_price_stays_in_force_when_the_feed_is_late() -> None:
    site = running("m1")
    assert site.hear(tick(50 * QUARTER)) is None
    assert modes_of(site) == {"m1": "normal"}


def test_a_corrected_price_counts_at_once() -> None:
    site = running("m1")
    plan = site.hear(power("500"))
    assert plan is not None
    assert modes(plan) == {"m1": "off"}


def test_a_lower_hashprice_is_a_trigger_of_its_own() -> None:
    site = running("m1")
    plan = site.hear(hashes("10", start=0))
    assert plan is not None
    assert (plan.trigger, modes(plan)) == ("hashprice", {"m1": "off"})


def test_a_curtailment_counts_from_its_start_to_its_end() -> None:
    site = running("m1", "m2", "m3")
    asked = curtailment(4_000, QUARTER, 900)
    assert site.hear(asked) is None
    start = site.hear(tick(QUARTER))
    assert start is not None
    assert (start.trigger, list(modes(start).values()).count("normal")) == ("curtailment", 1)
    assert start.site_shadow_price_usd_per_mwh > 0
    end = site.hear(tick(2 * QUARTER))
    assert end is not None
    assert (end.trigger, list(modes(end).values()).count("normal")) == ("curtailment", 3)


def test_a_lifted_curtailment_gives_the_power_back_at_once() -> None:
    site = running("m1", "m2")
    assert site.hear(curtailment(0, 0, 900)) is not None
    lifted = CurtailmentLifted(site_id="dallas", at=0, curtailment_id="c1")
    plan = site.hear(lifted)
    assert plan is not None
    assert modes(plan) == {"m1": "normal", "m2": "normal"}


def test_mining_takes_only_what_ai_leaves() -> None:
    site = running("m1", "m2", "m3", gpus=("g1",))
    site.hear(assigned("m1", "off"))  # routing displaced it
    site.hear(placed("p1", "g1", 4_000))
    assert modes_of(site) == {"m1": "off", "m2": "normal", "m3": "normal"}
    plan = site.hear(released("p1"))
    assert plan is not None
    assert (plan.trigger, modes(plan)["m1"]) == ("capacity", "normal")


def test_a_gpu_that_two_workloads_share_draws_its_power_once_until_both_are_gone() -> None:
    site = running("m1", "m2", "m3", gpus=("g1",))
    site.hear(assigned("m1", "off"))
    site.hear(placed("p1", "g1", 4_000))
    site.hear(placed("p2", "g1", 4_000))
    assert site.hear(released("p1")) is None
    assert site.hear(released("p2")) is not None


def test_a_failed_asic_leaves_the_plan_and_a_recovered_one_returns() -> None:
    site = running("m1", "m2", "m3", "m4", "m5", cap_w=14_000)
    off = [name for name, mode in modes_of(site).items() if mode == "off"]
    assert off == ["m2"]
    plan = site.hear(UnitFailed(site_id="dallas", at=0, unit_id="m1", reason="fan"))
    assert plan is not None
    assert set(modes(plan)) == {"m2", "m3", "m4", "m5"}
    assert modes(plan)["m2"] == "normal"
    site.hear(assigned("m1", "off"))
    assert site.hear(UnitRecovered(site_id="dallas", at=0, unit_id="m1")) is None


def test_a_drained_asic_is_not_planned() -> None:
    site = running("m1", "m2")
    site.hear(UnitDrained(site_id="dallas", at=0, unit_id="m1", reason="repair"))
    plan = site.hear(power("500"))
    assert plan is not None
    assert modes(plan) == {"m2": "off"}


def test_a_change_too_small_to_matter_waits_for_the_clock() -> None:
    site = running("m1", cap_w=10_000_000)
    assert site.hear(asic("m2", "a")) is None
    plan = site.hear(tick(MINUTE))
    assert plan is not None
    assert (plan.trigger, modes(plan)) == ("capacity", {"m1": "normal", "m2": "normal"})


def test_a_plan_on_its_way_is_not_proposed_twice_but_is_revised() -> None:
    site = running("m1")
    site.obedient = False
    assert site.hear(power("500")) is not None
    assert site.hear(power("600")) is None
    back = site.hear(power("30"))
    assert back is not None
    assert modes(back) == {"m1": "normal"}


def test_smaller_caps_are_a_change_of_capacity() -> None:
    site = running("m1", "m2")
    plan = site.hear(replace(CONFIGURED, power_cap_w=4_000))
    assert plan is not None
    assert (plan.trigger, sorted(modes(plan).values())) == ("capacity", ["normal", "off"])


def test_what_routing_refuses_is_left_out_of_account() -> None:
    site = running("m1")
    before = repr(site.state)
    refused: tuple[SitesEvent, ...] = (
        asic("bad", "nowhere"),
        replace(asic("bad", "a"), modes=(mode("off", 0, 0), mode("x", -5, 9))),
        replace(asic("bad", "a"), modes=(mode("normal", 3_500, 200),)),
        replace(asic("bad", "a"), kind="toaster"),
        power("2000000"),
        hashes("-1"),
        curtailment(-1, 0, 60),
        curtailment(5, 0, 0),
        replace(CONFIGURED, power_cap_w=-1),
        UnitFailed(site_id="dallas", at=0, unit_id="nobody", reason="fan"),
        tick(-MINUTE),
    )
    for event in refused:
        assert site.hear(event) is None
        assert repr(site.state) == before, event


def test_nothing_is_kept_of_a_site_that_nobody_configured() -> None:
    site = Site(power("30"), tick(0), asic("m1", "a"))
    assert not AGENT.retain(site.state)
    assert site.state == State(site_id="dallas")


hours = st.integers(0, 40).map(lambda n: n * 5 * MINUTE)
inputs = st.one_of(
    hours.map(tick),
    st.builds(lambda usd, at: power(str(usd), start=at), st.integers(-50, 200), hours),
    st.builds(lambda usd, at: hashes(str(usd), start=at), st.integers(0, 80), hours),
    st.builds(curtailment, st.integers(0, 20_000), hours, hours),
    st.builds(asic, st.sampled_from(["m1", "m2", "m3", "m4", "m5"]), st.sampled_from("abz")),
    st.builds(
        lambda name: UnitFailed(site_id="dallas", at=0, unit_id=name, reason="fan"),
        st.sampled_from(["m1", "m2", "m3"]),
    ),
    st.builds(
        lambda name: UnitRecovered(site_id="dallas", at=0, unit_id=name),
        st.sampled_from(["m1", "m2", "m3"]),
    ),
    st.builds(lambda cap: replace(CONFIGURED, power_cap_w=cap), st.integers(0, 20_000)),
)


@settings(max_examples=150)
@given(st.lists(inputs, max_size=40))
def test_after_every_input_what_runs_fits_and_no_second_thought_follows(
    events: list[SitesEvent],
) -> None:
    """With a router that obeys at once: every plan fits, deciding changes nothing by itself, and
    asking again right after a plan was carried out proposes nothing."""
    site = Site(CONFIGURED, tick(0), power("40"), hashes("38.2"))
    for event in events:
        before = repr(site.state)
        answers: list[Event] = list(AGENT.decide(site.state, event))
        assert repr(site.state) == before
        assert list(AGENT.decide(site.state, event)) == answers
        plan = site.hear(event)
        if plan is not None:
            assert plan.value_usd_micros_per_hour <= plan.bound_usd_micros_per_hour
            assert planned_w(plan) <= (site.state.power_cap_w or 0)
            site.state.pending_w += 10**9
            assert site.hear(tick(site.state.now or 0)) is None
    saved = msgspec.msgpack.encode(site.state)
    assert msgspec.msgpack.decode(saved, type=State) == site.state


def test_ten_thousand_asics_are_planned_quickly() -> None:
    site = Site(CONFIGURED, tick(0), obedient=False)
    big = replace(CONFIGURED, power_cap_w=25_000_000, feeders=feeders(4, 7_000_000))
    site.hear(big)
    for number in range(10_000):
        site.hear(asic(f"m{number:05}", f"f{number % 4}"))
    site.hear(power("30"))
    started = time.perf_counter()
    plan = site.hear(hashes("38.2"))
    elapsed_s = time.perf_counter() - started
    assert plan is not None
    assert sum(len(part.unit_ids) for part in plan.assignments) == 10_000
    assert elapsed_s < 2


def running(*names: str, cap_w: int = 14_000, gpus: tuple[str, ...] = ()) -> Site:
    """A site at $30/MWh and $38.2/PH/day whose ASICs, alternately on feeders a and b, mine."""
    site = Site(replace(CONFIGURED, power_cap_w=cap_w), tick(0))
    for number, name in enumerate(names):
        site.hear(asic(name, "ab"[number % 2]))
    for name in gpus:
        site.hear(gpu(name, "a"))
    site.hear(power("30"))
    assert site.hear(hashes("38.2")) is not None
    return site


def modes(plan: PowerPlanProposed) -> dict[str, str]:
    return {unit_id: part.mode for part in plan.assignments for unit_id in part.unit_ids}


def modes_of(site: Site) -> dict[str, str]:
    return {unit_id: asic.mode for unit_id, asic in sorted(site.state.asics.items())}


def planned_w(plan: PowerPlanProposed) -> int:
    return 3_500 * sum(mode == "normal" for mode in modes(plan).values())


def feeders(count: int, cap_w: int) -> tuple[Feeder, ...]:
    return tuple(Feeder(feeder_id=f"f{number}", power_cap_w=cap_w) for number in range(count))
