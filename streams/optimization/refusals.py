"""What routing will say of an input, seen from the adviser: the same rules, over the same log.

Asked only while routing has not answered yet, see `streams.definition.Adviser`.
`streams.site_inputs` judges what no site takes, `streams.site_rules` what a site knows; here they
are asked about what the adviser keeps of it.
"""

from __future__ import annotations

from schemas.events import sites
from schemas.events.sites import SitesEvent
from streams.optimization.profiles import modes_of
from streams.optimization.state import State
from streams.refusal import Refusal
from streams.site_inputs import refusal_of, tick
from streams.site_rules import curtailment_refusal, price_refusal, registration_refusal
from streams.site_times import time_refusal

_MOVES_A_SITE = (
    sites.ClockCorrected,
    sites.CurtailmentLifted,
    sites.CurtailmentRequested,
    sites.HashpricePublished,
    sites.PowerPricePublished,
    sites.SiteConfigured,
    sites.TimePassed,
    sites.UnitRegistered,
)
_MOVES_A_UNIT = (sites.UnitDrained, sites.UnitFailed, sites.UnitRecovered, sites.UnitSwitched)


def concerns(state: State, event: SitesEvent) -> bool:
    """Plans depend on ASICs; what becomes of a GPU they hear from routing."""
    if isinstance(event, _MOVES_A_UNIT):
        return event.unit_id in state.asics
    return isinstance(event, _MOVES_A_SITE)


def judge(state: State, event: SitesEvent) -> Refusal | None:
    """Of an input that `concerns` the adviser."""
    if state.power_cap_w is None and not isinstance(event, sites.SiteConfigured):
        return Refusal("unknown_site", f"Site {state.site_id!r} was never configured.")
    return (
        refusal_of(event)
        or _judge_here(state, event)
        or time_refusal(event, state.now, state.configured_at)
    )


def _judge_here(state: State, event: SitesEvent) -> Refusal | None:  # noqa: PLR0911 - a row a type
    match event:
        case sites.TimePassed():
            return tick(state.now, state.doubted, event.at, state.configured_at).refusal
        case sites.PowerPricePublished():
            return price_refusal(state.power_prices, event.interval_start, state.now)
        case sites.HashpricePublished():
            return price_refusal(state.hashprices, event.interval_start, state.now)
        case sites.CurtailmentRequested():
            return curtailment_refusal(state.curtailments, state.now, event)
        case sites.CurtailmentLifted() if event.curtailment_id not in state.curtailments:
            told = f"Curtailment {event.curtailment_id!r} is not open on this site."
            return Refusal("unknown_curtailment", told)
        case sites.UnitRegistered():
            units = len(state.asics) + len(state.gpu_feeders)
            kind = _kind_of(state, event.unit_id)
            return registration_refusal(state.feeder_caps_w, kind, units, event)
        case sites.UnitSwitched():
            modes = modes_of(state.asics[event.unit_id].profile)
            if all(mode.name != event.mode for mode in modes):
                return Refusal("unknown_mode", f"{event.unit_id} has no mode {event.mode!r}.")
    return None


def _kind_of(state: State, unit_id: str) -> str | None:
    if unit_id in state.asics:
        return "asic"
    return "gpu" if unit_id in state.gpu_feeders else None
