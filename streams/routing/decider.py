"""What routing says about each event of a site.

`decide` applies the input to the state, lets the modules beside this one answer it, each answer
taking effect before the next is made, and takes everything back before it returns: a plan of many
steps is checked against exactly what `evolve` will do with it.
"""

from __future__ import annotations

from typing import assert_never

from schemas.events.sites import (
    AlertCleared,
    AlertRaised,
    BillingDifferenceFound,
    ClockCorrected,
    CurtailmentLifted,
    CurtailmentMet,
    CurtailmentRequested,
    EnergyMetered,
    HashpricePublished,
    HourClosed,
    InputRejected,
    PowerPlanApplied,
    PowerPlanProposed,
    PowerPricePublished,
    SiteConfigured,
    SitesEvent,
    TimePassed,
    UnitDrained,
    UnitFailed,
    UnitModeAssigned,
    UnitRecovered,
    UnitRegistered,
    UnitReported,
    UnitSwitched,
    WorkloadCancelled,
    WorkloadCompleted,
    WorkloadFailed,
    WorkloadPlaced,
    WorkloadProgressed,
    WorkloadQueued,
    WorkloadRejected,
    WorkloadReleased,
    WorkloadRequeued,
    WorkloadStarted,
    WorkloadSubmitted,
)
from streams.quantities import HOUR_MS
from streams.refusal import CLOCK_JUMP
from streams.routing import clock, units
from streams.routing.admission import reject_impossible, release_impossible
from streams.routing.curtailment import answer_limits
from streams.routing.draft import Answer, Draft
from streams.routing.evolution import OWN, take
from streams.routing.overdue import raise_overdue
from streams.routing.plan import apply_plan
from streams.routing.registering import is_registering
from streams.routing.rejection import OfUnit, refuse, subject_of
from streams.routing.state import GPU, State
from streams.routing.submission import answer_submission
from streams.routing.waiting import place_waiting
from streams.site_inputs import possible_time


def decide(state: State, event: SitesEvent) -> list[Answer]:
    """The answers to one input, given the state before it. The state is left as it was."""
    if isinstance(event, OWN):
        return []
    if not state.configured and not isinstance(event, SiteConfigured):
        return [_unknown_site(state, event)]
    refusal = refuse(state, event)
    if refusal is not None and refusal.reason != CLOCK_JUMP:
        return [_rejected(state, event, refusal.reason, refusal.detail)]
    draft = Draft(state, event)
    state.journal.begin()
    try:
        if refusal is None:
            _answer(draft, event)
        else:
            draft.emit(_rejected(state, event, refusal.reason, refusal.detail))
            clock.doubted(draft, refusal.detail)
    finally:
        state.journal.rollback()
    return draft.answers


def retain(state: State) -> bool:
    """A site that was never configured is not worth keeping."""
    return state.configured


def _answer(draft: Draft, event: SitesEvent) -> None:  # noqa: PLR0912 - one row a type
    state = draft.state
    replaced_ths = units.replaced_ths(state, event) if isinstance(event, UnitRegistered) else None
    before = state.now
    offer_changed = state.offer_changed
    prices = (state.power_price_micros, state.hashprice_micros)
    pool = state.pool if state.configured else None
    take(state, event)
    match event:
        case WorkloadSubmitted():
            answer_submission(draft, event)
        case WorkloadCompleted():
            _end(draft, event, "completed", "completed", "")
        case WorkloadFailed():
            _end(draft, event, "failed", "reported_failed", event.reason)
        case WorkloadCancelled():
            _cancel(draft, event)
        case TimePassed():
            clock.ticked(draft, before)
            if event.at != before:
                _tick(draft, before, offer_changed)
        case ClockCorrected():
            clock.corrected(draft)
            _tick(draft, before, offer_changed)
        case PowerPricePublished() | HashpricePublished():
            if prices != (state.power_price_micros, state.hashprice_micros):
                place_waiting(draft)
        case PowerPlanProposed():
            apply_plan(draft, event)
            place_waiting(draft)
        case CurtailmentRequested() | CurtailmentLifted():
            answer_limits(draft, state.site_id)
            place_waiting(draft)
        case SiteConfigured():
            _configure(draft, pool)
        case UnitRegistered():
            if replaced_ths is not None:
                units.changed(draft, event, replaced_ths)
            if replaced_ths is not None or event.kind == GPU:
                _offer(draft)
        case UnitFailed() | UnitRecovered() | UnitDrained() | UnitReported() | UnitSwitched():
            _answer_unit(draft, event)
        case WorkloadStarted() | WorkloadProgressed() | EnergyMetered():
            pass  # nothing to decide; a wrong one was refused before
        case (
            AlertCleared()
            | AlertRaised()
            | BillingDifferenceFound()
            | CurtailmentMet()
            | HourClosed()
            | InputRejected()
            | PowerPlanApplied()
            | UnitModeAssigned()
            | WorkloadPlaced()
            | WorkloadQueued()
            | WorkloadRejected()
            | WorkloadReleased()
            | WorkloadRequeued()
        ):
            pass  # its own, and metering's
        case _:
            assert_never(event)


def _answer_unit(draft: Draft, event: OfUnit) -> None:
    match event:
        case UnitReported():
            units.reported(draft, event)
        case UnitSwitched():
            units.switched(draft, event)
            if not event.succeeded:
                place_waiting(draft)
        case UnitFailed():
            units.failed(draft, event)
            _offer(draft)
        case UnitRecovered():
            units.recovered(draft, event)
            _offer(draft)
        case UnitDrained():
            units.drained(draft, event)
            _offer(draft)
        case _:
            assert_never(event)


def _configure(draft: Draft, former_pool: str | None) -> None:
    answer_limits(draft, draft.state.site_id)
    release_impossible(draft)
    place_waiting(draft)
    draft.summarize()
    if former_pool not in (None, draft.state.pool):
        draft.withdraw(former_pool)


def _offer(draft: Draft) -> None:
    """Units came, went or changed: place what fits now, and tell the pool."""
    place_waiting(draft)
    draft.summarize()


def _tick(draft: Draft, before: int | None, offer_changed: bool) -> None:
    hour = draft.at // HOUR_MS * HOUR_MS
    if before is None or before < hour:
        draft.emit(HourClosed(site_id=draft.state.site_id, at=draft.at, closed_until=hour))
    answer_limits(draft, draft.state.site_id)
    registered = is_registering(draft.state, before) and not is_registering(draft.state, draft.at)
    if registered:
        reject_impossible(draft)
    place_waiting(draft)
    raise_overdue(draft)
    if registered or offer_changed or draft.state.offer_changed:
        draft.summarize()


def _end(
    draft: Draft,
    event: WorkloadCompleted | WorkloadFailed,
    outcome: str,
    reason: str,
    detail: str,
) -> None:
    """The hardware's word about the present placement. About an earlier one it comes too late."""
    workload = draft.state.workloads.get(event.workload_id)
    if workload is not None and workload.placed and workload.placement_id == event.placement_id:
        unit_ids = workload.units
        draft.release(workload, outcome, reason, detail)
        if outcome == "failed":
            units.suspect(draft, unit_ids)
        else:
            units.cleared(draft, unit_ids)
        place_waiting(draft)


def _cancel(draft: Draft, event: WorkloadCancelled) -> None:
    workload = draft.state.workloads.get(event.workload_id)
    if workload is not None:
        draft.release(workload, "cancelled", "cancelled", event.reason)
        place_waiting(draft)


def _unknown_site(state: State, event: SitesEvent) -> Answer:
    detail = f"Site {state.site_id!r} was never configured."
    if isinstance(event, WorkloadSubmitted):
        return WorkloadRejected(
            site_id=state.site_id,
            at=possible_time(event.at),
            workload_id=event.workload_id,
            customer_id=event.customer_id,
            reason="unknown_site",
            detail=detail,
            submitted_at=possible_time(event.at),
        )
    return _rejected(state, event, "unknown_site", detail)


def _rejected(state: State, event: SitesEvent, reason: str, detail: str) -> InputRejected:
    return InputRejected(
        site_id=state.site_id,
        at=possible_time(event.at) if state.now is None else state.now,
        rejected_type=event.FULL_NAME,
        subject=subject_of(event),
        reason=reason,
        detail=detail,
    )
