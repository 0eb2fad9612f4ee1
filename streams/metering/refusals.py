"""What routing refuses, seen from metering: the same rules, over the same log, so the same verdict.

`streams.site_inputs` judges what no site takes, `streams.site_rules` what a site knows; here they
are asked about what metering keeps of it. Nothing that is refused reaches a bill, whichever of the
two agents is ahead.
"""

from __future__ import annotations

from schemas.events import sites
from schemas.events.sites import SitesEvent
from streams.metering.state import State
from streams.site_inputs import refusal_of, tick
from streams.site_rules import price_refusal, registration_refusal, with_price, without_past


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
            known = state.units.get(event.unit_id)
            kind = None if known is None else known.kind
            return registration_refusal(state.feeders, kind, len(state.units), event) is not None
        case sites.EnergyMetered():
            return not all(reading.unit_id in state.units for reading in event.readings)
        case sites.PowerPricePublished():
            start = event.interval_start
            return price_refusal(state.price_starts, start, state.now, int) is not None
    return False


def count_refused(state: State, event: SitesEvent) -> None:
    """A clock that jumped may yet be confirmed by the next tick."""
    state.refused += 1
    if state.feeders and isinstance(event, sites.TimePassed) and refusal_of(event) is None:
        state.doubted = tick(state.now, state.doubted, event.at).doubted


def remember_price(state: State, start: int) -> None:
    """As routing does: prices of later intervals, and the one in force."""
    state.price_starts = with_price(state.price_starts, start, state.now, int)


def forget_prices(state: State) -> None:
    """Those that another one has replaced by the site's clock."""
    state.price_starts = without_past(state.price_starts, state.now, int)
