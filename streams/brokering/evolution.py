"""What brokering remembers of each event of a pool. Nothing is judged here."""

from __future__ import annotations

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
from streams.brokering.selection import Choice, take
from streams.brokering.state import (
    LEFT,
    MAX_REMEMBERED,
    OPEN,
    PREPARING,
    Forwarded,
    Site,
    State,
    Stock,
    Waiting,
)
from streams.refusal import RefusedInput


def evolve(state: State, event: IntakeEvent | RefusedInput[IntakeEvent]) -> State:
    """Where a submission went, and that it waits, is taken from what was recorded, never chosen
    again: another version might choose another site, and a workload that is sent again would run on
    two."""
    match event:
        case SiteSummarized():
            summarize(state, event)
        case WorkloadQueued():
            waiting = Waiting(asked_of(event), event.rank, event.reason)
            state.waiting[event.workload_id] = waiting
            state.arrivals = max(state.arrivals, event.rank + 1)
        case WorkloadForwarded():
            take(state.sites, Choice(event.site_id, event.gpu_model), event.gpu_count)
            _remember(state, event.workload_id, Forwarded(event.site_id, event.digest))
        case WorkloadReleased():
            _remember(state, event.workload_id, Forwarded(None, event.digest))
        case WorkloadRejected():
            state.waiting.pop(event.workload_id, None)
        case RefusedInput() | WorkloadSubmitted() | WorkloadCancelled() | InputRejected():
            pass  # their answers tell what became of them
        case _:
            assert_never(event)
    return state


def summarize(state: State, event: SiteSummarized) -> None:
    """A site that has no GPUs is none of the pool's, unless it may still register some."""
    state.now = event.at
    if (not event.gpus and event.phase != PREPARING) or event.phase == LEFT:
        state.sites.pop(event.site_id, None)
        return
    gpus = {
        gpu.gpu_model: Stock(gpu.total, gpu.free, gpu.registered or gpu.total) for gpu in event.gpus
    }
    phase = event.phase or OPEN  # older records do not tell; their sites were believed
    state.sites[event.site_id] = Site(gpus, event.queued, event.power_headroom_w, phase, event.at)


def asked_of(event: WorkloadQueued) -> WorkloadSubmitted:
    record = {**event.to_record(), "at": event.submitted_at}
    for name in ("submitted_at", "rank", "reason", "detail"):
        del record[name]
    return WorkloadSubmitted.from_record(record)


def _remember(state: State, workload_id: str, what: Forwarded) -> None:
    state.waiting.pop(workload_id, None)
    state.forwarded[workload_id] = what
    if len(state.forwarded) > MAX_REMEMBERED:
        del state.forwarded[next(iter(state.forwarded))]
