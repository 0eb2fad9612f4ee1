"""The state holds what is open, not what is closed, and what is told again changes nothing."""

from __future__ import annotations

import random

import msgspec
import pytest

from schemas.events import sites
from schemas.events.sites import SitesEvent
from streams.metering.agent import AGENT
from streams.metering.intervals import MAX_JUMP_MS as YEAR_MS
from streams.metering.state import IDLE_MS, State
from streams.quantities import HOUR_MS, MAX_LONG
from tests.streams.metering.site import (
    GPU,
    at,
    closed,
    metered,
    metered_hour,
    placed,
    queued,
    released,
    running_site,
    tick,
)

DAY_HOURS = 24


def a_day(day: int, pick: random.Random) -> list[SitesEvent]:
    """A customer and a workload that nobody saw before, for some hours; meters get lost."""
    events: list[SitesEvent] = []
    name = {"customer_id": f"c{day}", "workload_id": f"w{day}"}
    starts, ends = sorted(pick.sample(range(1, DAY_HOURS), 2))
    for hour in range(day * DAY_HOURS, (day + 1) * DAY_HOURS):
        if hour % DAY_HOURS == starts:
            events += [queued(when=at(hour), **name)]
            events += [placed(f"p{day}", when=at(hour), units=[(GPU, 1000)], **name)]
        if hour % DAY_HOURS == ends:
            events.append(released(f"p{day}", when=at(hour), **name))
        told = metered_hour(hour, 175)
        events += told if pick.random() < 0.9 else told[:-1]
        events += [tick(at(hour + 1)), closed(at(hour + 1))]
    return events


@pytest.mark.parametrize("seed", range(2))
def test_half_a_year_leaves_no_more_behind_than_the_customers_of_two_months(seed: int) -> None:
    pick, folded = random.Random(seed), running_site()
    sizes: list[int] = []
    told: list[SitesEvent] = []
    days = 180
    for day in range(1, days):
        events = a_day(day, pick)
        told += events
        folded.fold(*events)
        sizes.append(len(msgspec.msgpack.encode(folded.state)))
    kept_days = IDLE_MS // (DAY_HOURS * 3_600_000)
    assert max(sizes[kept_days:]) <= max(sizes[: kept_days + 2]) * 11 // 10
    state = folded.state
    assert (state.placements, state.readings) == ({}, {})
    assert len(state.customers) <= kept_days + 2
    # a producer that tells everything again adds nothing to any bill
    said = len(folded.answers)
    producers = (sites.TimePassed, sites.EnergyMetered, sites.PowerPricePublished)
    folded.fold(*(event for event in told if isinstance(event, producers)))
    assert len(folded.answers) == said
    assert (folded.state.placements, folded.state.readings) == ({}, {})
    assert len(msgspec.msgpack.encode(folded.state)) <= max(sizes) * 11 // 10


def test_what_is_left_out_is_counted_up_to_what_a_snapshot_holds() -> None:
    """A hundred thousand GPUs through a jump of seventy years; and the meters of as many."""
    far, day = at(10) + 70 * YEAR_MS, 24 * HOUR_MS
    folded = running_site().fold(queued(), placed(when=at(10), units=[(GPU, 10**8)]))
    folded.fold(tick(far), tick(far + 1), closed(far))
    folded.state.left_out_wh["too_long"] = MAX_LONG - 5
    folded.fold(metered(far - 2 * day, [(GPU, 10)], length=2 * day))
    assert AGENT.left_out(folded.state)["beyond_a_years_jump_gpu_us"] == MAX_LONG
    assert AGENT.left_out(folded.state)["too_long_wh"] == MAX_LONG
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(folded.state), type=State) == folded.state
