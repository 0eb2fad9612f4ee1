"""Sends each submission to one site, and to the same one when it is sent again; what no site can
take yet waits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from schemas.events.intake import (
    InputRejected,
    IntakeEvent,
    SiteSummarized,
    WorkloadCancelled,
    WorkloadForwarded,
    WorkloadQueued,
    WorkloadRejected,
    WorkloadReleased,
    WorkloadSubmitted,
)
from streams.brokering import answers
from streams.brokering.answers import Answer, digest_of
from streams.brokering.selection import Choice, Wait, choose, shape_of
from streams.brokering.state import MAX_WAITING, State
from streams.brokering.waiting import BEHIND_OTHERS, answer_waiting, is_waited_for
from streams.refusal import Refusal
from streams.site_inputs import refusal_of
from streams.site_names import id_refusal


def decide(state: State, event: IntakeEvent) -> Sequence[Answer]:
    match event:
        case WorkloadSubmitted():
            return _answer_submission(state, event)
        case WorkloadCancelled():
            return _answer_cancellation(state, event)
        case SiteSummarized():
            return answer_waiting(state, event)
        case (
            InputRejected()
            | WorkloadForwarded()
            | WorkloadQueued()
            | WorkloadRejected()
            | WorkloadReleased()
        ):
            return []  # its own
        case _:
            assert_never(event)


def retain(state: State) -> bool:
    """A pool without sites is worth nothing; but what waits for one must be kept, and where
    submissions went must be known even when their site has left the pool."""
    return bool(state.sites or state.waiting or state.forwarded)


def _answer_submission(state: State, event: WorkloadSubmitted) -> Sequence[Answer]:
    bad = _bad_name(event)
    if bad is not None:
        return [answers.rejected(state, event, bad)]
    digest = _known_digest(state, event.workload_id)
    if digest is not None:
        return _answer_repeat(state, event, digest)
    return _place(state, event)


def _place(state: State, event: WorkloadSubmitted) -> Sequence[Answer]:
    found = refusal_of(answers.to_site(state, event, "")) or choose(
        state.pool, state.sites, shape_of(event)
    )
    if isinstance(found, Choice) and is_waited_for(state, shape_of(event)):
        found = BEHIND_OTHERS
    if isinstance(found, Wait) and len(state.waiting) >= MAX_WAITING:
        told = f"{MAX_WAITING} workloads wait for a site already. {found.detail}"
        found = Refusal("queue_full", told)
    match found:
        case Choice():
            to_site = answers.to_site(state, event, found.site_id)
            return [to_site, answers.forwarded(state, event, found)]
        case Wait():
            return [answers.queued(state, event, state.arrivals, found)]
        case Refusal():
            return [answers.rejected(state, event, found)]
        case _:
            assert_never(found)


def _answer_cancellation(state: State, event: WorkloadCancelled) -> Sequence[Answer]:
    """What a site has, it ends itself; what was cancelled before is over, which is no fault."""
    refusal = refusal_of(answers.cancelled_at_site(state, event, ""))
    if refusal is not None:
        return [answers.refused(state, event, refusal)]
    waiting = state.waiting.get(event.workload_id)
    if waiting is not None:
        return [answers.released(state, waiting, event)]
    known = state.forwarded.get(event.workload_id)
    if known is None:
        told = f"Workload {event.workload_id!r} is not known in the pool {state.pool!r}."
        return [answers.refused(state, event, Refusal("unknown_workload", told))]
    if known.site_id is None:
        return []
    return [answers.cancelled_at_site(state, event, known.site_id)]


def _bad_name(event: WorkloadSubmitted) -> Refusal | None:
    """What is remembered is bounded, in number and in size."""
    return (
        id_refusal("bad_pool", "pool", event.pool)
        or id_refusal("bad_workload_id", "workload_id", event.workload_id)
        or id_refusal("bad_customer_id", "customer_id", event.customer_id)
    )


def _known_digest(state: State, workload_id: str) -> str | None:
    """Of what the id stands for already; None when it stands for nothing."""
    waiting = state.waiting.get(workload_id)
    if waiting is not None:
        return digest_of(waiting.asked)
    known = state.forwarded.get(workload_id)
    return None if known is None else known.digest


def _answer_repeat(state: State, event: WorkloadSubmitted, digest: str) -> Sequence[Answer]:
    """A site knows whether it runs, ended or was rejected, and judges a rejected one anew."""
    if digest != digest_of(event):
        told = f"Workload {event.workload_id} was submitted before with other content."
        return [answers.refused(state, event, Refusal("workload_id_taken", told))]
    known = state.forwarded.get(event.workload_id)
    if known is None or known.site_id is None:
        return []  # it waits, or was cancelled before a site had it
    return [answers.to_site(state, event, known.site_id)]
