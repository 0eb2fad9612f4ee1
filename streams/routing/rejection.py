"""Inputs that are understood and refused, each with a code and a sentence; nothing else changes.

Here is what depends on the site; what no site takes is `streams.site_inputs`, and what optimization
or metering must judge alike is `streams.site_rules`. A submission is judged by `admission`.

What is not refused but ignored, because it is an ordinary race: a report about a placement that has
ended (the hardware completed what routing had just requeued or cancelled), a cancellation of a
workload that is over, a repeated curtailment request. A report about a placement that never was is
refused.
"""

from __future__ import annotations

from schemas.events.sites import (
    CurtailmentLifted,
    CurtailmentRequested,
    EnergyMetered,
    HashpricePublished,
    PowerPricePublished,
    SitesEvent,
    TimePassed,
    UnitDrained,
    UnitFailed,
    UnitRecovered,
    UnitRegistered,
    UnitReported,
    UnitSwitched,
    WorkloadCancelled,
    WorkloadCompleted,
    WorkloadFailed,
    WorkloadProgressed,
    WorkloadStarted,
    WorkloadSubmitted,
)
from streams.refusal import Refusal
from streams.routing.state import State, placement_id
from streams.site_inputs import refusal_of, tick
from streams.site_names import shown
from streams.site_rules import curtailment_refusal, price_refusal, registration_refusal
from streams.site_times import time_refusal

Placed = WorkloadStarted | WorkloadProgressed | WorkloadCompleted | WorkloadFailed
OfUnit = UnitFailed | UnitRecovered | UnitDrained | UnitReported | UnitSwitched


def refuse(state: State, event: SitesEvent) -> Refusal | None:
    """Why a configured site, or its configuration, refuses this input; None when it does not."""
    if isinstance(event, WorkloadSubmitted):
        return None
    return (
        refusal_of(event)
        or _refuse_here(state, event)
        or time_refusal(event, state.now, state.configured_at)
    )


def _refuse_here(state: State, event: SitesEvent) -> Refusal | None:  # noqa: PLR0911 - a row a type
    match event:
        case TimePassed():
            return tick(state.now, state.doubted, event.at, state.configured_at).refusal
        case WorkloadStarted() | WorkloadProgressed() | WorkloadCompleted() | WorkloadFailed():
            return _placement(state, event)
        case UnitFailed() | UnitRecovered() | UnitDrained() | UnitReported() | UnitSwitched():
            return _unit_event(state, event)
        case WorkloadCancelled():
            return _known_workload(state, event.workload_id)
        case PowerPricePublished():
            return price_refusal(state.power_prices, event.interval_start, state.now)
        case HashpricePublished():
            return price_refusal(state.hashprices, event.interval_start, state.now)
        case EnergyMetered():
            return _energy(state, event)
        case CurtailmentRequested():
            return curtailment_refusal(state.curtailments, state.now, event)
        case CurtailmentLifted():
            return _lifted(state, event)
        case UnitRegistered():
            return _registration(state, event)
        case _:
            return None


def _known_workload(state: State, workload_id: str) -> Refusal | None:
    if workload_id in state.workloads or workload_id in state.index.remembered:
        return None
    return Refusal("unknown_workload", f"Workload {workload_id!r} is not known on this site.")


def _placement(state: State, event: Placed) -> Refusal | None:
    unknown = _known_workload(state, event.workload_id)
    if unknown is not None:
        return unknown
    if not was_placed(state, event.workload_id, event.placement_id):
        return Refusal(
            "unknown_placement",
            f"Workload {event.workload_id} never had the placement {event.placement_id!r}.",
        )
    return None


def was_placed(state: State, workload_id: str, placement: str) -> bool:
    """Whether this placement is the workload's last one, or an earlier one."""
    workload = state.workloads.get(workload_id)
    if workload is not None:
        attempts = workload.attempt
    else:
        attempts = state.finished[state.index.remembered[workload_id]].attempt
    _, _, attempt = placement.rpartition("/")
    if not (attempt.isascii() and attempt.isdigit() and len(attempt) < 10):
        return False
    number = int(attempt)
    return 1 <= number <= attempts and placement == placement_id(workload_id, number)


def _unit_event(state: State, event: OfUnit) -> Refusal | None:
    unit = state.units.get(event.unit_id)
    if unit is None:
        return Refusal("unknown_unit", f"Unit {event.unit_id!r} is not registered on this site.")
    if isinstance(event, UnitSwitched) and event.mode not in unit.modes:
        return Refusal("unknown_mode", f"{event.unit_id} has no mode {event.mode!r}.")
    return None


def _energy(state: State, event: EnergyMetered) -> Refusal | None:
    """The units say whether it is about this site. Its feeder may be gone: the last meter comes
    after the feeder was removed, and tells of energy that somebody used."""
    for reading in event.readings:
        if reading.unit_id not in state.units:
            return Refusal(
                "unknown_unit", f"Unit {shown(reading.unit_id)!r} is not registered here."
            )
    return None


def _lifted(state: State, event: CurtailmentLifted) -> Refusal | None:
    if event.curtailment_id in state.curtailments:
        return None
    return Refusal(
        "unknown_curtailment", f"Curtailment {event.curtailment_id!r} is not open on this site."
    )


def _registration(state: State, event: UnitRegistered) -> Refusal | None:
    known = state.units.get(event.unit_id)
    kind = None if known is None else known.kind
    return registration_refusal(state.feeder_caps_w, kind, len(state.units), event)


def subject_of(event: SitesEvent) -> str:
    """The most specific id the event names, else its site; as much of it as an answer repeats."""
    for name in ("workload_id", "unit_id", "curtailment_id", "plan_id", "feeder_id"):
        subject = getattr(event, name, None)
        if subject:
            return shown(str(subject))
    return shown(event.site_id)
