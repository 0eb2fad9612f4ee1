"""Metering leaves out of account exactly what routing refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.events import sites
from schemas.events.sites import SitesEvent
from streams.definition import provisional, settle, step
from streams.metering.agent import AGENT as METERING
from streams.routing.agent import AGENT as ROUTING
from streams.site_inputs import MAX_JUMP_MS, MAX_TIME_MS
from streams.site_memory import MAX_PRICES
from streams.verdicts import verdict_of
from tests.streams.metering.site import (
    GPU,
    SITE,
    at,
    configured,
    metered,
    priced,
    registered,
    running_site,
    tick,
)

MINUTE_MS = 60_000
FAR = at(0) + 2 * MAX_JUMP_MS

FEEDERS = st.sampled_from(["f1", "f2", "f9"])
UNITS = st.sampled_from(["gpu-1", "gpu-2", "gpu-3", ""])
WATT_HOURS = st.sampled_from([0, 9, 175, -1, 2**62])
LENGTHS = st.sampled_from([15 * MINUTE_MS, 5 * MINUTE_MS, 0, -1, 10**15])
TIMES = st.one_of(
    st.integers(0, 600).map(lambda minute: at(0, minute)),
    st.sampled_from([-1, 0, FAR, FAR + 1, FAR + MAX_JUMP_MS, MAX_TIME_MS, MAX_TIME_MS + 1]),
)
INPUTS: st.SearchStrategy[SitesEvent] = st.one_of(
    TIMES.map(tick),
    st.builds(lambda ids: _at(configured(), ids), TIMES),
    st.builds(lambda: replace(configured(), feeders=configured().feeders[:1])),
    st.builds(lambda: replace(configured(), power_cap_w=-1)),
    st.builds(
        lambda unit, feeder, kind: registered(unit, feeder_id=feeder, kind=kind),
        UNITS,
        FEEDERS,
        st.sampled_from(["gpu", "gpu", "asic", "cpu"]),
    ),
    st.builds(
        lambda start, readings, length, feeder: metered(
            start, readings, length=length, feeder_id=feeder
        ),
        TIMES,
        st.lists(st.tuples(UNITS, WATT_HOURS), max_size=3),
        LENGTHS,
        FEEDERS,
    ),
    st.builds(
        lambda start, price, length: priced(start, price, length=length),
        TIMES,
        st.sampled_from(["20", "-250", "100001", "5000000"]),
        LENGTHS,
    ),
)


def _at(event: sites.SiteConfigured, when: int) -> sites.SiteConfigured:
    return replace(event, at=when)


@settings(deadline=None, max_examples=150)
@given(events=st.lists(INPUTS, max_size=30))
@example([tick(at(0)), tick(FAR), tick(at(1)), tick(FAR), tick(FAR + 1)])
@example([registered(kind="asic"), registered()])
def test_both_refuse_the_same_inputs(events: list[SitesEvent]) -> None:
    _refuse_the_same([tick(at(0)), configured(), *events])


@settings(deadline=None, max_examples=50)
@given(events=st.lists(INPUTS, max_size=30))
def test_both_refuse_the_same_inputs_when_little_is_kept(events: list[SitesEvent]) -> None:
    """Also before the first tick."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("streams.site_rules.MAX_PRICES", 3)
        patch.setattr("streams.site_memory.MAX_PRICES", 3)
        _refuse_the_same([configured(), *events, tick(at(0)), *events])


def _refuse_the_same(events: list[SitesEvent]) -> None:
    routing, metering = ROUTING.initial(SITE), METERING.initial(SITE)
    for event in events:
        mine = provisional(METERING, metering, event)
        routing, answers = step(ROUTING, routing, event)
        assert mine == verdict_of(event, answers), event
        metering, _ = step(METERING, metering, event)
        assert metering.kept_prices == routing.power_prices
    assert metering.now == routing.now


def test_both_refuse_the_same_prices_when_there_are_too_many() -> None:
    routing, metering = ROUTING.initial(SITE), METERING.initial(SITE)
    prices = [priced(at(1, minute), "20") for minute in range(MAX_PRICES + 2)]
    again: list[SitesEvent] = [
        priced(at(1), "21"),
        tick(at(1)),
        tick(at(1, 1)),
        priced(at(1), "20"),
        prices[-1],
    ]
    refused = 0
    log: list[SitesEvent] = [configured(), tick(at(0)), *prices, *again]
    for event in log:
        mine = provisional(METERING, metering, event)
        routing, answers = step(ROUTING, routing, event)
        assert mine == verdict_of(event, answers), event
        metering, _ = step(METERING, metering, event)
        refused += mine is not None
    assert refused == 2


def test_a_meter_that_routing_took_of_a_unit_that_metering_does_not_know_is_counted() -> None:
    folded = running_site()
    meter = metered(at(10), [("ghost", 5), (GPU, 7)])
    (difference,) = METERING.decide(folded.state, meter)
    assert isinstance(difference, sites.BillingDifferenceFound)
    assert (difference.reason, difference.energy_wh) == ("unknown_unit", 5)
    state = settle(METERING, folded.state, meter, [], None)
    assert METERING.left_out(state) == {"refused_inputs": 1, "unknown_unit_wh": 5}
    assert [reading.energy_wh for reading in state.readings[GPU].values()] == [7]
