"""The adviser beside the authority, on one log: they agree on what runs, and advice fits."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from schemas.events.sites import (
    CurtailmentLifted,
    Feeder,
    GpuPrice,
    PowerPlanApplied,
    PowerPlanProposed,
    SitesEvent,
    UnitFailed,
    UnitRecovered,
    UnitSwitched,
    WorkloadCancelled,
    WorkloadSubmitted,
)
from schemas.topics import SITES, Event, topic_of
from streams.definition import Agent, step
from streams.optimization.agent import AGENT as OPTIMIZATION
from streams.optimization.planning import plan
from streams.optimization.profiles import profile_of
from streams.routing.agent import AGENT as ROUTING
from tests.streams.optimization.builders import (
    CONFIGURED,
    MINUTE,
    asic,
    curtailment,
    gpu,
    hashes,
    mode,
    power,
    tick,
)
from tests.streams.routing.arrivals import SITE, Arrivals

AGENTS: tuple[Agent[Any, Any], ...] = (ROUTING, OPTIMIZATION)


class Log:
    """Every event to both agents in one order; what they say on it follows at the end."""

    def __init__(self, site_id: str = "dallas") -> None:
        self.routing: Any = ROUTING.initial(site_id)
        self.optimization: Any = OPTIMIZATION.initial(site_id)
        self.applied: list[PowerPlanApplied] = []
        self.plans: list[PowerPlanProposed] = []

    def write(self, event: SitesEvent) -> list[Event]:
        """Everything that was said because of it."""
        said: list[Event] = []
        waiting: deque[tuple[Event, str | None]] = deque([(event, None)])
        while waiting:
            heard, writer = waiting.popleft()
            if isinstance(heard, PowerPlanApplied):
                self.applied.append(heard)
            elif isinstance(heard, PowerPlanProposed):
                self.plans.append(heard)
            for agent in AGENTS:
                if agent.name != writer:
                    state, answers = step(agent, getattr(self, agent.name), heard)
                    setattr(self, agent.name, state)
                    said += answers
                    waiting += [(a, agent.name) for a in answers if topic_of(type(a)) is SITES]
        return said

    def agree(self) -> bool:
        advised, routed = self.optimization, self.routing
        return known_to_optimization(advised) == known_to_routing(routed)


def known_to_optimization(state: Any) -> dict[str, object]:  # noqa: ANN401 - either agent's state
    curtailments = state.curtailments.items()
    return {
        "clock": (state.now, state.doubted),
        "caps": (state.power_cap_w, state.feeder_caps_w),
        "asics": {
            name: (asic.mode, asic.feeder_id, asic.failed, asic.drained, asic.profile)
            for name, asic in state.asics.items()
        },
        "gpus": state.gpu_feeders,
        "ai": sum(gpu.power_w for gpu in state.gpus.values()),
        "power prices": [(price.start, price.micros) for price in state.power_prices],
        "hashprices": [(price.start, price.micros) for price in state.hashprices],
        "curtailments": {
            name: (asked.max_power_w, asked.starts_at, asked.ends_at, asked.lifted)
            for name, asked in curtailments
        },
    }


def known_to_routing(state: Any) -> dict[str, object]:  # noqa: ANN401
    units = state.units.items()
    curtailments = state.curtailments.items()
    return {
        "clock": (state.now, state.doubted),
        "caps": (state.power_cap_w, state.feeder_caps_w),
        "asics": {
            name: (unit.mode, unit.feeder_id, unit.failed, unit.drained, profile(unit.modes))
            for name, unit in units
            if unit.kind == "asic"
        },
        "gpus": {name: unit.feeder_id for name, unit in units if unit.kind == "gpu"},
        "ai": state.index.site_ai_w,
        "power prices": [(price.start, price.micros) for price in state.power_prices],
        "hashprices": [(price.start, price.micros) for price in state.hashprices],
        "curtailments": {
            name: (asked.max_power_w, asked.starts_at, asked.ends_at, asked.lifted)
            for name, asked in curtailments
        },
    }


def profile(modes: dict[str, Any]) -> str:
    return profile_of(
        tuple(mode(name, known.power_w, known.hashrate_ths) for name, known in modes.items())
    )


@pytest.mark.parametrize("seed", range(4))
def test_both_agree_whatever_arrives(seed: int) -> None:
    """Refused inputs, repeats, extremes, jumps of the clock: both take the same and leave the same,
    and no number that either says comes near what a long can hold."""
    arrivals, log = Arrivals(seed), Log(SITE)
    arrivals.makers = tuple(
        (weight, make) for weight, make in arrivals.makers if make != arrivals.plan
    )
    opening = arrivals.opening()
    for number in range(1_500):
        event = opening[number] if number < len(opening) else arrivals.next()
        heard = log.write(event)
        arrivals.saw(list(heard))
        assert known_to_optimization(log.optimization) == known_to_routing(log.routing), event
        assert largest([answer.to_record() for answer in heard]) < 2**60
    assert len(log.plans) > 40


def largest(value: object) -> int:
    if isinstance(value, dict):
        return max((largest(inner) for inner in value.values()), default=0)
    if isinstance(value, list | tuple):
        return max((largest(inner) for inner in value), default=0)
    return abs(int(value)) if isinstance(value, int | Decimal) else 0


def test_the_reviewed_cases_change_nothing_for_either() -> None:
    log = a_site_of_sixty_asics_and_forty_gpus()
    asked = replace(curtailment(100_000, 0, 600), curtailment_id="k")
    lifted = CurtailmentLifted(site_id="dallas", at=0, curtailment_id="k")
    for event in (asked, lifted):
        log.write(event)
    before = known_to_optimization(log.optimization)
    for refused in (
        asked,
        power("5000000"),
        power("20", start=9 * 86_400_000),
        hashes("20", start=9 * 86_400_000),
        replace(asic("stray", "a"), feeder_id="nowhere"),
        replace(curtailment(0, 0, 400 * 86_400), curtailment_id="long"),
        replace(CONFIGURED, power_cap_w=-1),
        replace(CONFIGURED, feeders=()),
        replace(asic("huge", "a"), modes=(mode("off", 0, 0), mode("normal", 3_500, 2**62))),
        replace(gpu("m000", "a")),
        tick(40 * 86_400_000),
    ):
        plans = len(log.plans)
        log.write(refused)
        assert log.agree(), refused
        assert {**known_to_optimization(log.optimization), "clock": before["clock"]} == before
        assert len(log.plans) == plans


def test_an_asic_that_fails_to_switch_is_failed_for_both() -> None:
    log = a_site_of_sixty_asics_and_forty_gpus()
    for _ in range(3):
        log.write(switched("m000", "off", succeeded=False))
    assert log.routing.units["m000"].failed
    assert not log.optimization.asics["m000"].usable
    log.write(UnitRecovered(site_id="dallas", at=0, unit_id="m000"))
    assert log.optimization.asics["m000"].usable
    assert log.agree()


def test_an_asic_that_moves_to_another_feeder_mines_there() -> None:
    log = a_site_that_mines_with_all_it_has()
    assert log.routing.units["m000"].mode == "normal"
    log.write(asic("m000", "b"))
    log.write(tick(2 * MINUTE))
    unit = log.routing.units["m000"]
    assert (unit.feeder_id, unit.mode) == ("b", "normal")
    assert log.agree()


def test_an_asic_that_failed_to_switch_once_is_tried_again_at_the_next_tick() -> None:
    log = a_site_that_mines_with_all_it_has()
    assert log.routing.units["m000"].mode == "normal"
    log.write(switched("m000", "normal", succeeded=False))
    assert log.routing.units["m000"].mode == "off"
    log.write(tick(2 * MINUTE))
    assert log.routing.units["m000"].mode == "normal"


def test_an_asic_that_only_ever_switches_off_is_not_tried_for_ever() -> None:
    # Given hardware that fails each switch of one ASIC to mining, while its switch to off works
    log = a_site_that_mines_with_all_it_has()
    # When a hundred minutes pass at the same prices
    plans = len(log.plans)
    for minute in range(2, 102):
        if log.routing.units["m000"].mode != "off":
            log.write(switched("m000", "normal", succeeded=False))
            log.write(switched("m000", "off", succeeded=True))
        log.write(tick(minute * MINUTE))
    # Then it was tried again twice for its own sake
    assert len(log.plans) == plans + 2
    # And once it has run, a failure counts as the first again
    log.write(power("500", start=100 * MINUTE))
    log.write(power("30", start=100 * MINUTE))
    log.write(switched("m000", "normal", succeeded=True))
    log.write(switched("m000", "normal", succeeded=False))
    log.write(tick(102 * MINUTE))
    assert log.routing.units["m000"].mode == "normal"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_both_know_the_same_site_and_come_to_rest_where_no_plan_earns_more(seed: int) -> None:
    """A plan may cross with workloads that take its power: routing skips what no longer fits, and
    at the next ticks of the clock it is made good."""
    random = Random(seed)
    log = a_site_of_sixty_asics_and_forty_gpus()
    now = 0
    for number in range(400):
        now += random.randrange(10, MINUTE)
        log.write(tick(now))
        log.write(something(random, number, now))
        assert log.agree()
        log.write(tick(now + 1))
        log.write(tick(now + 2))
        plans = len(log.plans)
        log.write(tick(now + 3))
        assert len(log.plans) == plans
        assert plan(log.optimization, log.optimization.basis, "capacity") is None
    assert len(log.plans) > 40
    assert [plan.plan_id for plan in log.plans] == [applied.plan_id for applied in log.applied]


def switched(unit_id: str, mode_name: str, *, succeeded: bool) -> UnitSwitched:
    return UnitSwitched(
        site_id="dallas",
        at=0,
        unit_id=unit_id,
        mode=mode_name,
        save_ms=0,
        clear_ms=0,
        load_ms=0,
        initialise_ms=0,
        succeeded=succeeded,
        reason="" if succeeded else "stuck",
    )


def something(random: Random, number: int, now: int) -> SitesEvent:
    unit_id = f"m{random.randrange(60):03}"
    submitted = WorkloadSubmitted(
        site_id="dallas",
        at=now,
        workload_id=f"w{number}",
        customer_id="acme",
        name="train",
        kind="training",
        gpu_model="H100",
        gpu_count=random.randint(1, 8),
        duration_s=600,
    )
    cancelled = WorkloadCancelled(
        site_id="dallas",
        at=now,
        workload_id=f"w{random.randrange(number + 1)}",
        cancelled_by="acme",
    )
    asked = curtailment(random.randrange(200_000), now + MINUTE * random.randrange(5), 600)
    return random.choice(
        (
            submitted,
            submitted,
            cancelled,
            cancelled,
            cancelled,
            power(str(random.randint(-20, 150)), start=now + MINUTE * random.randrange(10)),
            hashes(str(random.randint(20, 60)), start=now),
            replace(asked, curtailment_id=f"c{number}"),
            UnitFailed(site_id="dallas", at=now, unit_id=unit_id, reason="fan"),
            UnitRecovered(site_id="dallas", at=now, unit_id=unit_id),
        )
    )


def a_site_that_mines_with_all_it_has() -> Log:
    log = a_site_of_sixty_asics_and_forty_gpus()
    feeders = tuple(Feeder(feeder_id=name, power_cap_w=120_000) for name in "ab")
    log.write(replace(CONFIGURED, power_cap_w=240_000, feeders=feeders))
    log.write(tick(MINUTE))
    assert {asic.mode for asic in log.optimization.asics.values()} == {"normal"}
    return log


def a_site_of_sixty_asics_and_forty_gpus() -> Log:
    log = Log()
    feeders = tuple(Feeder(feeder_id=name, power_cap_w=120_000) for name in "ab")
    price = GpuPrice(gpu_model="H100", price_usd_per_gpu_hour=Decimal("2.35"))
    site = replace(CONFIGURED, power_cap_w=200_000, feeders=feeders, gpu_prices=(price,))
    h100 = (mode("off", 0, 0), mode("compute", 700, 0))
    for event in (site, tick(0), power("30"), hashes("38.2")):
        log.write(event)
    for number in range(60):
        log.write(asic(f"m{number:03}", "ab"[number % 2]))
    for number in range(40):
        log.write(replace(gpu(f"g{number:03}", "ab"[number % 2]), modes=h100))
    return log
