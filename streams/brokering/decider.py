"""Answers each submission once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from schemas.events import intake, sites
from schemas.events.intake import IntakeEvent, SiteSummarized, WorkloadSubmitted
from streams.brokering.selection import Choice, choose
from streams.brokering.state import MAX_REMEMBERED, Site, State, Stock
from streams.site_inputs import MAX_GPU_COUNT, possible_time

Answer = sites.WorkloadSubmitted | intake.WorkloadRejected | intake.InputRejected


def decide(state: State, event: IntakeEvent) -> Sequence[Answer]:
    if not isinstance(event, WorkloadSubmitted):
        return []  # summaries change what is known; rejections are brokering's own
    known = state.answered.get(event.workload_id)
    if known is not None:
        return [] if known == _digest(event) else [_taken(event)]
    choice = choose(state, event)
    if isinstance(choice, Choice):
        return [_forwarded(event, choice.site_id)]
    return [
        intake.WorkloadRejected(
            pool=event.pool,
            at=possible_time(event.at),
            workload_id=event.workload_id,
            customer_id=event.customer_id,
            reason=choice.reason,
            detail=choice.detail,
        )
    ]


def evolve(state: State, event: IntakeEvent) -> State:
    match event:
        case SiteSummarized():
            gpus = {gpu.gpu_model: Stock(gpu.total, gpu.free) for gpu in event.gpus}
            state.sites[event.site_id] = Site(gpus, event.queued)
        case WorkloadSubmitted() if event.workload_id not in state.answered:
            _send(state, event)
        case _:  # a repeated submission; brokering's own answers
            pass
    return state


def retain(state: State) -> bool:
    """A pool without sites is worth nothing: a submission to it is rejected, however often."""
    return bool(state.sites)


def _send(state: State, event: WorkloadSubmitted) -> None:
    """What goes to a site is gone from its stock until the site itself says what it has left. One
    that was rejected is not remembered: sent again, it is judged again."""
    choice = choose(state, event)
    if not isinstance(choice, Choice):
        return
    site = state.sites[choice.site_id]
    site.gpus[choice.gpu_model].free -= min(max(0, event.gpu_count), MAX_GPU_COUNT)
    site.queued += 1
    state.answered[event.workload_id] = _digest(event)
    if len(state.answered) > MAX_REMEMBERED:
        del state.answered[next(iter(state.answered))]


def _forwarded(event: WorkloadSubmitted, site_id: str) -> sites.WorkloadSubmitted:
    record = event.to_record()
    del record["pool"]
    return sites.WorkloadSubmitted.from_record({**record, "site_id": site_id})


def _taken(event: WorkloadSubmitted) -> intake.InputRejected:
    return intake.InputRejected(
        pool=event.pool,
        at=possible_time(event.at),
        rejected_type=event.FULL_NAME,
        subject=event.workload_id,
        reason="workload_id_taken",
        detail=f"Workload {event.workload_id} was submitted before with other content.",
    )


def _digest(event: WorkloadSubmitted) -> str:
    """Of what was asked for, whenever it was asked."""
    asked = {name: value for name, value in event.to_record().items() if name != "at"}
    return hashlib.sha256(repr(sorted(asked.items())).encode()).hexdigest()[:16]
