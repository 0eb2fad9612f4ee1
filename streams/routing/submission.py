"""Answers a submission: rejected with a reason, or queued, and placed at once when it fits."""

from __future__ import annotations

from schemas.events.decisions import Alternative
from schemas.events.sites import (
    InputRejected,
    WorkloadQueued,
    WorkloadRejected,
    WorkloadSubmitted,
)
from streams.routing.admission import awaited, refuse_submission
from streams.routing.draft import Draft
from streams.routing.explanation import alternatives_of
from streams.routing.holding import held_before
from streams.routing.index import QueueKey, choices
from streams.routing.placement import Search, find_placement
from streams.routing.state import State, digest_of, micros
from streams.routing.waiting import may_fit_before, place, place_waiting
from streams.site_times import time_among


def answer_submission(draft: Draft, event: WorkloadSubmitted) -> None:
    """A repeated submission is answered with nothing; another one under a known id is refused.

    A rejected submission is not remembered: sent again, it is judged again.
    """
    state = draft.state
    known = _known_digest(state, event.workload_id)
    if known is not None:
        if known != digest_of(event):
            _refuse_taken(draft, event)
        return
    refusal = refuse_submission(state, event)
    if refusal is not None:
        draft.emit(
            WorkloadRejected(
                site_id=state.site_id,
                at=draft.at,
                workload_id=event.workload_id,
                customer_id=event.customer_id,
                reason=refusal.reason,
                detail=refusal.detail,
                submitted_at=_asked_at(state, event),
            )
        )
        return
    _admit(draft, event)


def _admit(draft: Draft, event: WorkloadSubmitted) -> None:
    state = draft.state
    search = _search(state, event)
    placed = search.chosen is not None
    if placed and may_fit_before(state, _key(state, event)):
        _take_turn(draft, event, "Others that wait go first.")
        return
    if placed:
        _queue(draft, event, "Its units follow at once.")
        place(draft, state.workloads[event.workload_id], search)
        return
    lacking = awaited(state, event)
    reason = search.reason
    if lacking is not None:
        reason = f"The site is still registering its GPUs. {lacking.detail}"
    _queue(draft, event, reason)
    decision_id = draft.new_id("queueing", event.workload_id)
    alternatives = alternatives_of(state, search)
    draft.explain(
        decision_id=decision_id,
        kind="queueing",
        subject=event.workload_id,
        reason=reason,
        alternatives=alternatives,
    )


def _take_turn(draft: Draft, event: WorkloadSubmitted, reason: str) -> None:
    """Queue it and let a pass decide: one may have been cut short at its bounds, and what waits
    before this one goes first."""
    _queue(draft, event, reason)
    place_waiting(draft)
    workload = draft.state.workloads.get(event.workload_id)
    if workload is None or workload.placed:
        return
    decision_id = draft.new_id("queueing", event.workload_id)
    wait = Alternative(
        label="wait for its turn",
        feasible=True,
        reason=reason,
        value_usd_micros_per_hour=0,
        power_w=0,
    )
    draft.explain(
        decision_id=decision_id,
        kind="queueing",
        subject=event.workload_id,
        reason=reason,
        alternatives=[wait],
    )


def _key(state: State, event: WorkloadSubmitted) -> QueueKey:
    """What `Workload.queue_key` will be."""
    return (-event.priority, state.sequence, event.workload_id)


def _search(state: State, event: WorkloadSubmitted) -> Search:
    """Only this one is tried, unless its models are held for a workload before it."""
    price = event.max_price_usd_per_gpu_hour
    models = choices(state, event.gpu_model, None if price is None else micros(price))
    held = held_before(state, _key(state, event))
    return find_placement(state, (models, event.gpu_count, event.gpu_milli), held)


def _queue(draft: Draft, event: WorkloadSubmitted, reason: str) -> None:
    draft.emit(
        WorkloadQueued(
            site_id=event.site_id,
            at=draft.at,
            workload_id=event.workload_id,
            customer_id=event.customer_id,
            name=event.name,
            kind=event.kind,
            gpu_model=event.gpu_model,
            gpu_count=event.gpu_count,
            gpu_milli=event.gpu_milli,
            duration_s=event.duration_s,
            priority=event.priority,
            preemptible=event.preemptible,
            deadline=event.deadline,
            max_price_usd_per_gpu_hour=event.max_price_usd_per_gpu_hour,
            submitted_at=_asked_at(draft.state, event),
            reason=reason,
        )
    )


def _asked_at(state: State, event: WorkloadSubmitted) -> int:
    """When a customer asked, ms: as it says itself, where that can be of the site's time."""
    return time_among(state.configured_at if state.now is None else state.now, event.at)


def _known_digest(state: State, workload_id: str) -> str | None:
    workload = state.workloads.get(workload_id)
    if workload is not None:
        return workload.digest
    slot = state.index.remembered.get(workload_id)
    return None if slot is None else state.finished[slot].digest


def _refuse_taken(draft: Draft, event: WorkloadSubmitted) -> None:
    draft.emit(
        InputRejected(
            site_id=draft.state.site_id,
            at=draft.at,
            rejected_type=event.FULL_NAME,
            subject=event.workload_id,
            reason="workload_id_taken",
            detail=f"Workload {event.workload_id} was submitted before with other content.",
        )
    )
