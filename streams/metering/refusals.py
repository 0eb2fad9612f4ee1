"""What routing refuses, seen from metering: the same rules, over the same log, so the same verdict.

`streams.site_inputs` judges what no site takes. Here is what depends on the site. Nothing that is
refused reaches a bill, whichever of the two agents is ahead.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort

from schemas.events import sites
from schemas.events.sites import SitesEvent
from streams.metering.state import State
from streams.site_inputs import MAX_PRICES, MAX_UNITS, refusal_of, tick


def is_refused(state: State, event: SitesEvent) -> bool:
    """An unknown site, feeder or unit, another kind of unit, a clock that jumps or goes back, or
    more than a site holds."""
    unknown_site = not state.feeders and not isinstance(event, sites.SiteConfigured)
    if unknown_site or refusal_of(event) is not None:
        return True
    match event:
        case sites.TimePassed():
            return tick(state.now, state.doubted, event.at).refusal is not None
        case sites.UnitRegistered():
            return event.feeder_id not in state.feeders or not _has_room_for_unit(state, event)
        case sites.EnergyMetered():
            return event.feeder_id not in state.feeders or not all(
                reading.unit_id in state.units for reading in event.readings
            )
        case sites.PowerPricePublished():
            full = len(state.price_starts) >= MAX_PRICES
            return full and not _is_known_price(state, event.interval_start)
    return False


def count_refused(state: State, event: SitesEvent) -> None:
    """A clock that jumped may yet be confirmed by the next tick."""
    state.refused += 1
    if state.feeders and isinstance(event, sites.TimePassed) and refusal_of(event) is None:
        state.doubted = tick(state.now, state.doubted, event.at).doubted


def remember_price(state: State, start: int) -> None:
    """As routing does: prices of later intervals, and the one in force."""
    if not _is_known_price(state, start):
        insort(state.price_starts, start)
    forget_prices(state)


def forget_prices(state: State) -> None:
    """Those that another one has replaced by the site's clock."""
    if state.now is not None:
        started = bisect_right(state.price_starts, state.now)
        del state.price_starts[: max(0, started - 1)]


def _has_room_for_unit(state: State, event: sites.UnitRegistered) -> bool:
    known = state.units.get(event.unit_id)
    return len(state.units) < MAX_UNITS if known is None else known == event.kind


def _is_known_price(state: State, start: int) -> bool:
    position = bisect_left(state.price_starts, start)
    return state.price_starts[position : position + 1] == [start]
