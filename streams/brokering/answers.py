"""What brokering says: each answer as a value, in the time of the pool's sites.

A submission is stamped by whoever sends it, and before any site has told its time nobody knows what
time it is there. So a stamp that cannot be of a site's time is replaced by that time; else a wall
clock would stand among the times of a scenario for ever.

at: when it is said, where the submission's own time is not that: it waited
"""

from __future__ import annotations

import hashlib

from schemas.events import intake, sites
from schemas.events.intake import WorkloadForwarded, WorkloadSubmitted
from streams.brokering.selection import Choice, Wait
from streams.brokering.state import State, Waiting
from streams.refusal import Refusal
from streams.site_names import shown
from streams.site_times import time_among

Answer = (
    sites.WorkloadSubmitted
    | sites.WorkloadCancelled
    | intake.WorkloadQueued
    | intake.WorkloadForwarded
    | intake.WorkloadReleased
    | intake.WorkloadRejected
    | intake.InputRejected
)


def to_site(state: State, event: WorkloadSubmitted, site_id: str) -> sites.WorkloadSubmitted:
    record = event.to_record()
    del record["pool"]
    at = time_among(_site_now(state, site_id), event.at)
    return sites.WorkloadSubmitted.from_record({**record, "site_id": site_id, "at": at})


def cancelled_at_site(
    state: State, event: intake.WorkloadCancelled, site_id: str
) -> sites.WorkloadCancelled:
    return sites.WorkloadCancelled(
        site_id=site_id,
        at=time_among(_site_now(state, site_id), event.at),
        workload_id=event.workload_id,
        cancelled_by=event.cancelled_by,
        reason=event.reason,
    )


def forwarded(
    state: State, event: WorkloadSubmitted, choice: Choice, at: int | None = None
) -> WorkloadForwarded:
    return WorkloadForwarded(
        pool=event.pool,
        at=time_among(state.now, event.at) if at is None else at,
        workload_id=event.workload_id,
        site_id=choice.site_id,
        gpu_model=choice.gpu_model,
        gpu_count=event.gpu_count,
        digest=digest_of(event),
    )


def queued(
    state: State, event: WorkloadSubmitted, rank: int, wait: Wait, at: int | None = None
) -> intake.WorkloadQueued:
    submitted_at = time_among(state.now, event.at)
    return intake.WorkloadQueued.from_record(
        {
            **event.to_record(),
            "at": submitted_at if at is None else at,
            "submitted_at": submitted_at,
            "rank": rank,
            "reason": wait.reason,
            "detail": wait.detail,
        }
    )


def released(
    state: State, waiting: Waiting, event: intake.WorkloadCancelled
) -> intake.WorkloadReleased:
    return intake.WorkloadReleased(
        pool=event.pool,
        at=time_among(state.now, event.at),
        workload_id=event.workload_id,
        customer_id=waiting.asked.customer_id,
        outcome="cancelled",
        reason="cancelled",
        detail=event.reason,
        digest=digest_of(waiting.asked),
    )


def rejected(
    state: State, event: WorkloadSubmitted, why: Refusal, at: int | None = None
) -> intake.WorkloadRejected:
    submitted_at = time_among(state.now, event.at)
    return intake.WorkloadRejected(
        pool=event.pool,
        at=submitted_at if at is None else at,
        workload_id=shown(event.workload_id),
        customer_id=shown(event.customer_id),
        reason=why.reason,
        detail=why.detail,
        submitted_at=submitted_at,
    )


def refused(
    state: State, event: WorkloadSubmitted | intake.WorkloadCancelled, why: Refusal
) -> intake.InputRejected:
    return intake.InputRejected(
        pool=event.pool,
        at=time_among(state.now, event.at),
        rejected_type=event.FULL_NAME,
        subject=shown(event.workload_id),
        reason=why.reason,
        detail=why.detail,
    )


def digest_of(event: WorkloadSubmitted) -> str:
    """Of what was asked for, whenever it was asked."""
    asked = {name: value for name, value in event.to_record().items() if name != "at"}
    return hashlib.sha256(repr(sorted(asked.items())).encode()).hexdigest()[:16]


def _site_now(state: State, site_id: str) -> int | None:
    site = state.sites.get(site_id)
    return state.now if site is None else site.at
