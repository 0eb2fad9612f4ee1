"""Sends each submission to one site, and to the same one when it is sent again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from schemas.events import intake, sites
from schemas.events.intake import (
    IntakeEvent,
    SiteSummarized,
    WorkloadForwarded,
    WorkloadSubmitted,
)
from streams.brokering.selection import Choice, choose
from streams.brokering.state import MAX_REMEMBERED, Forwarded, Site, State, Stock
from streams.refusal import Refusal
from streams.site_inputs import MAX_GPU_COUNT, possible_time
from streams.site_names import id_refusal, shown

Answer = (
    sites.WorkloadSubmitted
    | intake.WorkloadForwarded
    | intake.WorkloadRejected
    | intake.InputRejected
)


def decide(state: State, event: IntakeEvent) -> Sequence[Answer]:
    if not isinstance(event, WorkloadSubmitted):
        return []  # summaries change what is known; the rest is brokering's own
    bad = _bad_name(event)
    if bad is not None:
        return [_rejected(event, bad)]
    known = state.forwarded.get(event.workload_id)
    if known is not None:
        return [_again(event, known)]
    choice = choose(state, event)
    if isinstance(choice, Choice):
        return [_to_site(event, choice.site_id), _forwarded(event, choice)]
    return [_rejected(event, choice)]


def evolve(state: State, event: IntakeEvent) -> State:
    """Where a submission went is taken from what was recorded, never chosen again: another version
    might choose another site, and a workload that is sent again would run on two."""
    match event:
        case SiteSummarized():
            _summarize(state, event)
        case WorkloadForwarded():
            _remember(state, event)
        case _:  # a submission, which its answer tells of; what was rejected
            pass
    return state


def retain(state: State) -> bool:
    """A pool without sites is worth nothing, a submission to it is rejected however often; but
    where submissions went must be known even when their site has left the pool."""
    return bool(state.sites or state.forwarded)


def _bad_name(event: WorkloadSubmitted) -> Refusal | None:
    """What is remembered is bounded, in number and in size."""
    return id_refusal("bad_workload_id", "workload_id", event.workload_id) or id_refusal(
        "bad_customer_id", "customer_id", event.customer_id
    )


def _rejected(event: WorkloadSubmitted, why: Refusal) -> intake.WorkloadRejected:
    return intake.WorkloadRejected(
        pool=event.pool,
        at=possible_time(event.at),
        workload_id=shown(event.workload_id),
        customer_id=shown(event.customer_id),
        reason=why.reason,
        detail=why.detail,
    )


def _summarize(state: State, event: SiteSummarized) -> None:
    """A site that has no GPUs, or that says so because it left the pool, is none of the pool's."""
    if not event.gpus:
        state.sites.pop(event.site_id, None)
        return
    gpus = {gpu.gpu_model: Stock(gpu.total, gpu.free) for gpu in event.gpus}
    state.sites[event.site_id] = Site(gpus, event.queued, event.power_headroom_w)


def _remember(state: State, event: WorkloadForwarded) -> None:
    """What goes to a site is gone from its stock until the site itself says what it has left."""
    site = state.sites.get(event.site_id)
    if site is not None:
        site.queued += 1
        if event.gpu_model in site.gpus:
            site.gpus[event.gpu_model].free -= event.gpu_count
    state.forwarded[event.workload_id] = Forwarded(event.site_id, event.digest)
    if len(state.forwarded) > MAX_REMEMBERED:
        del state.forwarded[next(iter(state.forwarded))]


def _again(event: WorkloadSubmitted, known: Forwarded) -> Answer:
    """Its site knows whether it runs, ended or was rejected, and judges a rejected one anew."""
    if known.digest == _digest(event):
        return _to_site(event, known.site_id)
    return intake.InputRejected(
        pool=event.pool,
        at=possible_time(event.at),
        rejected_type=event.FULL_NAME,
        subject=event.workload_id,
        reason="workload_id_taken",
        detail=f"Workload {event.workload_id} was submitted before with other content.",
    )


def _to_site(event: WorkloadSubmitted, site_id: str) -> sites.WorkloadSubmitted:
    record = event.to_record()
    del record["pool"]
    return sites.WorkloadSubmitted.from_record({**record, "site_id": site_id})


def _forwarded(event: WorkloadSubmitted, choice: Choice) -> WorkloadForwarded:
    return WorkloadForwarded(
        pool=event.pool,
        at=possible_time(event.at),
        workload_id=event.workload_id,
        site_id=choice.site_id,
        gpu_model=choice.gpu_model,
        gpu_count=min(max(0, event.gpu_count), MAX_GPU_COUNT),
        digest=_digest(event),
    )


def _digest(event: WorkloadSubmitted) -> str:
    """Of what was asked for, whenever it was asked."""
    asked = {name: value for name, value in event.to_record().items() if name != "at"}
    return hashlib.sha256(repr(sorted(asked.items())).encode()).hexdigest()[:16]
