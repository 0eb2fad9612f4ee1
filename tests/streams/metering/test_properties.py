"""Whatever the order of ticks, meters and answers, nothing is lost, doubled or invented."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events.sites import SitesEvent
from streams.definition import step
from streams.metering.agent import AGENT
from streams.metering.intervals import QUARTER_MS
from streams.metering.state import State
from streams.quantities import HOUR_MS
from tests.streams.metering.site import (
    SITE,
    Folded,
    at,
    closed,
    configured,
    metered,
    placed,
    priced,
    queued,
    registered,
    released,
    requeued,
    tick,
)

UNITS = ("gpu-1", "gpu-2", "gpu-3")
CUSTOMERS = ("acme", "umbra")
START = at(10)

Step = tuple[int, str, int, int]
STEPS = st.lists(
    st.tuples(
        st.integers(1, 90 * 60_000),
        st.sampled_from(["tick", "tick", "place", "place", "release", "requeue"]),
        st.integers(0, 10**6),
        st.sampled_from([100, 250, 333, 500, 1000]),
    ),
    min_size=1,
    max_size=40,
)


@dataclass
class Ran:
    """A placement as routing sees it."""

    workload_id: str
    customer_id: str
    units: tuple[tuple[str, int], ...]
    start: int
    end: int | None = None


@dataclass
class Script:
    """What producers and routing wrote, each in order, and the truth behind it."""

    log: list[SitesEvent] = field(default_factory=list)
    ran: dict[str, Ran] = field(default_factory=dict)
    metered: dict[tuple[int, str], int] = field(default_factory=dict)
    now: int = START


def written(steps: list[Step], lag: int) -> Script:
    """A log in which routing's answers come up to `lag` producers' events late."""
    script = Script()
    waiting: list[list[SitesEvent]] = []
    script.log += [configured(), tick(START), closed(START)]
    script.log += [registered(unit) for unit in UNITS]

    def produce(events: list[SitesEvent], answers: list[SitesEvent]) -> None:
        script.log += events
        waiting.append(answers)
        while len(waiting) > lag:
            script.log += waiting.pop(0)

    clock = START
    for ahead_ms, action, choice, milli in steps:
        script.now += ahead_ms
        if action == "tick":
            produce(*_tick(script, clock, choice))
            clock = script.now
        else:
            produce([], list(_route(script, action, choice, milli)))
    script.now = script.now // HOUR_MS * HOUR_MS + HOUR_MS
    produce(*_tick(script, clock, 7))
    for answers in waiting:
        script.log += answers
    script.log += [tick(script.now + 60_000 * minute) for minute in range(1, 40)]
    return script


def _tick(script: Script, clock: int, seed: int) -> tuple[list[SitesEvent], list[SitesEvent]]:
    """The tick, then the meters and prices of the quarters that it ended."""
    events: list[SitesEvent] = [tick(script.now)]
    for quarter in range(
        clock // QUARTER_MS * QUARTER_MS, script.now // QUARTER_MS * QUARTER_MS, QUARTER_MS
    ):
        readings = [(unit, (seed + quarter // 1000 + i) % 500) for i, unit in enumerate(UNITS)]
        script.metered |= {(quarter, unit): energy for unit, energy in readings}
        events += [priced(quarter, "31.5"), metered(quarter, readings)]
    crossed = script.now // HOUR_MS > clock // HOUR_MS
    return events, [closed(script.now)] if crossed else []


def _route(script: Script, action: str, choice: int, milli: int) -> Iterator[SitesEvent]:
    running = [placement for placement, ran in script.ran.items() if ran.end is None]
    if action == "place":
        yield from _place(script, choice, milli)
    elif running:
        placement_id = running[choice % len(running)]
        ran = script.ran[placement_id]
        ran.end = script.now
        who = {"workload_id": ran.workload_id, "customer_id": ran.customer_id}
        if action == "release":
            yield released(placement_id, when=script.now, **who)
        else:
            yield requeued(placement_id, when=script.now, reason="unit_failed", **who)


def _place(script: Script, choice: int, milli: int) -> Iterator[SitesEvent]:
    free = dict.fromkeys(UNITS, 1000)
    for ran in script.ran.values():
        for unit, share in ran.units if ran.end is None else ():
            free[unit] -= share
    fitting = [unit for unit, left in free.items() if left >= milli]
    if not fitting:
        return
    number = len(script.ran)
    units = tuple(
        (u, milli) for u in (fitting if milli == 1000 else [fitting[choice % len(fitting)]])
    )
    ran = Ran(f"w{number}", CUSTOMERS[choice % 2], units, script.now)
    script.ran[f"p{number}"] = ran
    yield queued(ran.workload_id, when=script.now, customer_id=ran.customer_id)
    yield placed(
        f"p{number}",
        when=script.now,
        workload_id=ran.workload_id,
        customer_id=ran.customer_id,
        units=units,
    )


@settings(deadline=None, max_examples=150)
@given(steps=STEPS, lag=st.integers(0, 6))
def test_gpu_time_is_exactly_what_was_placed(steps: list[Step], lag: int) -> None:
    script = written(steps, lag)
    recorded: dict[str, int] = {}
    for usage in Folded().fold(*script.log).usage("gpu_time"):
        recorded[usage.placement_id] = recorded.get(usage.placement_id, 0) + usage.quantity
    expected = {
        placement_id: sum(milli for _, milli in ran.units) * (end - ran.start)
        for placement_id, ran in script.ran.items()
        if (end := script.now if ran.end is None else ran.end) > ran.start
    }
    assert recorded == expected


@settings(deadline=None, max_examples=150)
@given(steps=STEPS, lag=st.integers(0, 6))
def test_energy_of_units_with_workloads_is_recorded_to_the_last_watt_hour(
    steps: list[Step], lag: int
) -> None:
    script = written(steps, lag)
    recorded: dict[int, int] = {}
    folded = Folded().fold(*script.log)
    for usage in folded.usage("energy"):
        quarter = usage.interval_start // QUARTER_MS * QUARTER_MS
        recorded[quarter] = recorded.get(quarter, 0) + usage.quantity
        ran = script.ran[usage.placement_id]
        assert ran.start <= usage.interval_start
        assert ran.end is None or usage.interval_end <= ran.end
    expected: dict[int, int] = {}
    for (quarter, unit), energy_wh in script.metered.items():
        if energy_wh and _occupied(script, quarter, unit):
            expected[quarter] = expected.get(quarter, 0) + energy_wh
    assert recorded == expected
    assert (folded.state.refused, folded.state.left_out_wh) == (0, {})


METERS: st.SearchStrategy[list[tuple[str, int, int, dict[str, int]]]] = st.lists(
    st.one_of(
        st.tuples(st.just("tick"), st.integers(0, 90), st.just(0), st.just({})),
        st.tuples(
            st.sampled_from(["f1", "f2", "f9"]),
            st.integers(-120, 20 * 60),
            st.sampled_from([1, 5, 15, 17, 60, 61, 150, 25 * 60]),
            st.dictionaries(st.sampled_from(UNITS[:2]), st.integers(0, 300)),
        ),
    ),
    max_size=30,
)


@settings(deadline=None, max_examples=200)
@given(meters=METERS)
def test_energy_billed_and_energy_left_out_are_the_energy_metered(
    meters: list[tuple[str, int, int, dict[str, int]]],
) -> None:
    # Given two GPUs that a workload each has all the time, and meters of any kind
    folded = Folded().fold(configured(), *(registered(unit) for unit in UNITS[:2]))
    folded.fold(tick(START), closed(START))
    for unit in UNITS[:2]:
        folded.fold(queued(unit), placed(unit, when=START, workload_id=unit, units=[(unit, 1000)]))
    now, metered_wh = START, 0
    for feeder_id, minute, length, energy_wh in meters:
        if feeder_id == "tick":
            now += minute * 60_000
            folded.fold(tick(now), closed(now))
        else:
            metered_wh += sum(energy_wh.values())
            start, length_ms = START + minute * 60_000, length * 60_000
            folded.fold(metered(start, energy_wh.items(), length=length_ms, feeder_id=feeder_id))
    # When the clock has passed them all
    end = now + 60 * HOUR_MS
    folded.fold(tick(end), closed(end), tick(end + 1))
    # Then every watt-hour is accounted for, and nothing is kept
    billed_wh = sum(usage.quantity for usage in folded.usage("energy"))
    assert billed_wh + sum(folded.state.left_out_wh.values()) == metered_wh
    assert (folded.state.readings, folded.state.metered) == ({}, {})


@settings(deadline=None, max_examples=75)
@given(steps=STEPS, lag=st.integers(0, 6))
def test_usage_is_recorded_once_in_order_and_never_behind_its_watermark(
    steps: list[Step], lag: int
) -> None:
    folded = Folded().fold(*written(steps, lag).log)
    usages = [*folded.usage("gpu_time"), *folded.usage("energy")]
    assert len({usage.usage_id for usage in usages}) == len(usages)
    until, recorded = 0, dict[tuple[str, str], int]()
    for answer in folded.answers:
        if hasattr(answer, "collected_until"):
            until = max(until, answer.collected_until)
        else:
            placed = answer.placement_id, answer.meter
            assert answer.interval_start >= max(until, recorded.get(placed, 0))
            recorded[placed] = answer.interval_end


@settings(deadline=None, max_examples=75)
@given(steps=STEPS, lag=st.integers(0, 6), cut=st.integers(0, 200))
def test_a_snapshot_anywhere_changes_nothing(steps: list[Step], lag: int, cut: int) -> None:
    log = written(steps, lag).log
    whole = Folded().fold(*log)
    broken = Folded().fold(*log[:cut])
    broken.state = msgspec.msgpack.decode(msgspec.msgpack.encode(broken.state), type=State)
    broken.fold(*log[cut:])
    assert broken.answers == whole.answers
    assert msgspec.msgpack.encode(broken.state) == msgspec.msgpack.encode(whole.state)


@settings(deadline=None, max_examples=50)
@given(steps=STEPS, lag=st.integers(0, 6))
def test_deciding_changes_nothing_and_says_the_same_twice(steps: list[Step], lag: int) -> None:
    state = AGENT.initial(SITE)
    for event in written(steps, lag).log:
        before = msgspec.msgpack.encode(state)
        first, second = AGENT.decide(state, event), AGENT.decide(state, event)
        assert first == second
        assert msgspec.msgpack.encode(state) == before
        state, _ = step(AGENT, state, event)


def _occupied(script: Script, quarter: int, unit: str) -> bool:
    return any(
        max(ran.start, quarter)
        < min(script.now if ran.end is None else ran.end, quarter + QUARTER_MS)
        for ran in script.ran.values()
        if unit in dict(ran.units)
    )
