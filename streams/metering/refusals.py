"""What routing will say of an input, seen from metering: the same rules, over the same log.

Asked only while routing has not answered yet, see `streams.definition.Adviser`.
`streams.site_inputs` judges what no site takes, `streams.site_rules` what a site knows; here they
are asked about what metering keeps of it.
"""

from __future__ import annotations

from schemas.events import sites
from schemas.events.sites import SitesEvent
from streams.metering.evolution import COUNTED
from streams.metering.state import State
from streams.refusal import Refusal
from streams.site_inputs import refusal_of, tick
from streams.site_names import shown
from streams.site_rules import price_refusal, registration_refusal
from streams.site_times import time_refusal


def concerns(_state: State, event: SitesEvent) -> bool:
    return isinstance(event, COUNTED)


def judge(state: State, event: SitesEvent) -> Refusal | None:
    """Of an input that `concerns` metering: an unknown site, feeder or unit, another kind of unit,
    a clock that jumps or goes back, or more than a site holds."""
    if not state.feeders and not isinstance(event, sites.SiteConfigured):
        return Refusal("unknown_site", f"Site {state.site_id!r} was never configured.")
    return (
        refusal_of(event)
        or _judge_here(state, event)
        or time_refusal(event, state.now, state.configured_at)
    )


def _judge_here(state: State, event: SitesEvent) -> Refusal | None:
    match event:
        case sites.TimePassed():
            return tick(state.now, state.doubted, event.at, state.configured_at).refusal
        case sites.UnitRegistered():
            known = state.units.get(event.unit_id)
            kind = None if known is None else known.kind
            return registration_refusal(state.feeders, kind, len(state.units), event)
        case sites.EnergyMetered():
            unknown = [r.unit_id for r in event.readings if r.unit_id not in state.units]
            if unknown:
                told = f"Unit {shown(unknown[0])!r} is not registered here."
                return Refusal("unknown_unit", told)
        case sites.PowerPricePublished():
            start = event.interval_start
            return price_refusal(state.kept_prices, start, state.now)
    return None
