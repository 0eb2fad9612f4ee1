"""What metering says about each event of a site."""

from __future__ import annotations

from schemas.events import sites
from schemas.events.accounts import UsageCollected, UsageRecorded
from schemas.events.sites import SitesEvent
from streams.metering import clock, differences
from streams.metering.collection import collectable_until, watermarks
from streams.metering.evolution import clocked, is_failed_switch
from streams.metering.state import State
from streams.metering.usage import energy, gpu_time
from streams.quantities import HOUR_MS

Answer = UsageRecorded | UsageCollected | sites.BillingDifferenceFound


def decide(state: State, event: SitesEvent) -> list[Answer]:  # noqa: PLR0911 - a row a type
    match event:
        case sites.TimePassed() if state.now is not None:
            return _collect(state, event.at, state.closed_until)
        case sites.ClockCorrected():
            return list(clock.watermarks(state, event.now, at=event.now))
        case sites.HourClosed() if state.now is not None:
            closed_until = max(state.closed_until, event.closed_until)
            return [*_close(state, event), *_collect(state, state.now, closed_until)]
        case sites.WorkloadReleased() | sites.WorkloadRequeued():
            return _end(state, event)
        case sites.PowerPricePublished():
            return [*differences.late_price(state, event)]
        case sites.EnergyMetered():
            return [*differences.left_out(state, event)]
        case _:  # facts to remember, and what others decide about
            return []


def retain(state: State) -> bool:
    """An unknown site is not worth remembering."""
    return bool(state.feeders)


def left_out(state: State) -> dict[str, int]:
    """For operators, see the package."""
    by_reason = {f"{reason}_wh": wh for reason, wh in sorted(state.left_out_wh.items())}
    for reason, prices in sorted(state.left_out_prices.items()):
        by_reason[f"{reason}_prices"] = prices
    if state.left_out_gpu_us:
        by_reason["beyond_a_years_jump_gpu_us"] = state.left_out_gpu_us
    return {"refused_inputs": state.refused, **by_reason}


def _close(state: State, event: sites.HourClosed) -> list[Answer]:
    return [
        usage
        for placement_id, placement in sorted(state.placements.items())
        if placement.ends_at is None
        for usage in gpu_time(state, placement_id, placement, event.closed_until, at=event.at)
    ]


def _collect(state: State, now: int, closed_until: int) -> list[Answer]:
    until = collectable_until(state, now, closed_until)
    if until == state.collected_until:
        return []
    answers: list[Answer] = []
    for hour in range(state.collected_until, until, HOUR_MS):
        answers += [usage for _, usage in energy(state, hour, at=now)]
    answers += watermarks(state, until, at=now)
    return answers


def _end(state: State, event: sites.WorkloadReleased | sites.WorkloadRequeued) -> list[Answer]:
    placement = state.placements.get(event.placement_id or "")
    if placement is None or placement.ends_at is not None or is_failed_switch(event):
        return []
    until = clocked(state, event.at)
    return list(gpu_time(state, event.placement_id or "", placement, until, at=event.at))
