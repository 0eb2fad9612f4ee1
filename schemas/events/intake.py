"""Events of hcp.intake.v1. Generated from `schemas/avro/intake`: do not edit."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

Record = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuAvailability:
    """How many GPUs of a model a site has.

    gpu_model: The model
    total: Healthy GPUs
    free: GPUs without any workload
    registered: GPUs registered, healthy or not; 0 in older records, which do not tell
    """

    gpu_model: str
    total: int
    free: int
    registered: int = 0

    def to_record(self) -> Record:
        return {
            "gpu_model": self.gpu_model,
            "total": self.total,
            "free": self.free,
            "registered": self.registered,
        }

    @classmethod
    def from_record(cls, record: Record) -> GpuAvailability:
        return cls(
            gpu_model=record["gpu_model"],
            total=record["total"],
            free=record["free"],
            registered=record["registered"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class InputRejected:
    """An event was understood and refused; nothing else changed.

    pool: The pool
    at: When it happened
    rejected_type: Its type
    subject: What it was about
    reason: A code
    detail: A sentence for people
    """

    FULL_NAME: ClassVar[str] = "hcp.intake.v1.InputRejected"

    pool: str
    at: int
    rejected_type: str
    subject: str
    reason: str
    detail: str

    def to_record(self) -> Record:
        return {
            "pool": self.pool,
            "at": self.at,
            "rejected_type": self.rejected_type,
            "subject": self.subject,
            "reason": self.reason,
            "detail": self.detail,
        }

    @classmethod
    def from_record(cls, record: Record) -> InputRejected:
        return cls(
            pool=record["pool"],
            at=record["at"],
            rejected_type=record["rejected_type"],
            subject=record["subject"],
            reason=record["reason"],
            detail=record["detail"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSummarized:
    """Routing told what a site has to offer.

    pool: The pool
    at: When it happened
    site_id: The site
    gpus: By model
    queued: Workloads waiting
    power_headroom_w: Power under the site's cap that is not planned for AI
    phase: preparing: its clock has not ticked, so not all it has may be registered yet; open;
        left: it serves the pool no more. Empty in older records, which do not tell
    """

    FULL_NAME: ClassVar[str] = "hcp.intake.v1.SiteSummarized"

    pool: str
    at: int
    site_id: str
    gpus: tuple[GpuAvailability, ...]
    queued: int
    power_headroom_w: int
    phase: str = ''

    def to_record(self) -> Record:
        return {
            "pool": self.pool,
            "at": self.at,
            "site_id": self.site_id,
            "gpus": [item.to_record() for item in self.gpus],
            "queued": self.queued,
            "power_headroom_w": self.power_headroom_w,
            "phase": self.phase,
        }

    @classmethod
    def from_record(cls, record: Record) -> SiteSummarized:
        return cls(
            pool=record["pool"],
            at=record["at"],
            site_id=record["site_id"],
            gpus=tuple(GpuAvailability.from_record(item) for item in record["gpus"]),
            queued=record["queued"],
            power_headroom_w=record["power_headroom_w"],
            phase=record["phase"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadCancelled:
    """Somebody no longer wants a workload that names no site. It counts when brokering, or its
    site's routing, has released it.

    pool: The pool
    at: When it happened
    workload_id: The workload
    cancelled_by: Who asked
    reason: Why
    """

    FULL_NAME: ClassVar[str] = "hcp.intake.v1.WorkloadCancelled"

    pool: str
    at: int
    workload_id: str
    cancelled_by: str
    reason: str = ''

    def to_record(self) -> Record:
        return {
            "pool": self.pool,
            "at": self.at,
            "workload_id": self.workload_id,
            "cancelled_by": self.cancelled_by,
            "reason": self.reason,
        }

    @classmethod
    def from_record(cls, record: Record) -> WorkloadCancelled:
        return cls(
            pool=record["pool"],
            at=record["at"],
            workload_id=record["workload_id"],
            cancelled_by=record["cancelled_by"],
            reason=record["reason"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadForwarded:
    """Brokering sent a submission to a site. Sent again, it goes to the same site.

    pool: The pool
    at: When it happened
    workload_id: The workload
    site_id: The site that it was sent to
    gpu_model: The model whose stock on the site it was counted against
    gpu_count: How many GPUs it was counted for
    digest: Names what was asked for, so that other content under the same id is told apart
    """

    FULL_NAME: ClassVar[str] = "hcp.intake.v1.WorkloadForwarded"

    pool: str
    at: int
    workload_id: str
    site_id: str
    gpu_model: str
    gpu_count: int
    digest: str

    def to_record(self) -> Record:
        return {
            "pool": self.pool,
            "at": self.at,
            "workload_id": self.workload_id,
            "site_id": self.site_id,
            "gpu_model": self.gpu_model,
            "gpu_count": self.gpu_count,
            "digest": self.digest,
        }

    @classmethod
    def from_record(cls, record: Record) -> WorkloadForwarded:
        return cls(
            pool=record["pool"],
            at=record["at"],
            workload_id=record["workload_id"],
            site_id=record["site_id"],
            gpu_model=record["gpu_model"],
            gpu_count=record["gpu_count"],
            digest=record["digest"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadQueued:
    """No site of the pool can take the submission yet; it waits here until one can. Said again
    when it waits for something else.

    pool: The pool
    at: When it happened
    workload_id: The workload
    customer_id: Who pays
    name: Shown to people
    kind: training, inference, batch or interactive
    gpu_model: Required GPU model; null for any
    gpu_count: Number of GPUs
    gpu_milli: Thousandths of each GPU: less than 1000 shares one
    duration_s: Expected run time
    priority: Higher is more urgent
    preemptible: May be stopped for something dearer
    deadline: Worth nothing when not complete by then
    max_price_usd_per_gpu_hour: The most the customer pays
    submitted_at: Event time of the submission
    rank: Its place in the order of arrival, which it keeps
    reason: A code: what it waits for
    detail: A sentence for people
    """

    FULL_NAME: ClassVar[str] = "hcp.intake.v1.WorkloadQueued"

    pool: str
    at: int
    workload_id: str
    customer_id: str
    name: str
    kind: str
    gpu_model: str | None = None
    gpu_count: int
    gpu_milli: int = 1000
    duration_s: int
    priority: int = 0
    preemptible: bool = False
    deadline: int | None = None
    max_price_usd_per_gpu_hour: Decimal | None = None
    submitted_at: int
    rank: int
    reason: str
    detail: str

    def to_record(self) -> Record:
        return {
            "pool": self.pool,
            "at": self.at,
            "workload_id": self.workload_id,
            "customer_id": self.customer_id,
            "name": self.name,
            "kind": self.kind,
            "gpu_model": self.gpu_model,
            "gpu_count": self.gpu_count,
            "gpu_milli": self.gpu_milli,
            "duration_s": self.duration_s,
            "priority": self.priority,
            "preemptible": self.preemptible,
            "deadline": self.deadline,
            "max_price_usd_per_gpu_hour": self.max_price_usd_per_gpu_hour,
            "submitted_at": self.submitted_at,
            "rank": self.rank,
            "reason": self.reason,
            "detail": self.detail,
        }

    @classmethod
    def from_record(cls, record: Record) -> WorkloadQueued:
        return cls(
            pool=record["pool"],
            at=record["at"],
            workload_id=record["workload_id"],
            customer_id=record["customer_id"],
            name=record["name"],
            kind=record["kind"],
            gpu_model=record["gpu_model"],
            gpu_count=record["gpu_count"],
            gpu_milli=record["gpu_milli"],
            duration_s=record["duration_s"],
            priority=record["priority"],
            preemptible=record["preemptible"],
            deadline=record["deadline"],
            max_price_usd_per_gpu_hour=record["max_price_usd_per_gpu_hour"],
            submitted_at=record["submitted_at"],
            rank=record["rank"],
            reason=record["reason"],
            detail=record["detail"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadRejected:
    """Brokering found no site that could ever run the submission.

    pool: The pool
    at: When it happened
    workload_id: The workload
    customer_id: Who asked
    reason: A code
    detail: A sentence for people
    submitted_at: Event time of the submission, as the pool's sites count it; null in older
        records
    """

    FULL_NAME: ClassVar[str] = "hcp.intake.v1.WorkloadRejected"

    pool: str
    at: int
    workload_id: str
    customer_id: str
    reason: str
    detail: str
    submitted_at: int | None = None

    def to_record(self) -> Record:
        return {
            "pool": self.pool,
            "at": self.at,
            "workload_id": self.workload_id,
            "customer_id": self.customer_id,
            "reason": self.reason,
            "detail": self.detail,
            "submitted_at": self.submitted_at,
        }

    @classmethod
    def from_record(cls, record: Record) -> WorkloadRejected:
        return cls(
            pool=record["pool"],
            at=record["at"],
            workload_id=record["workload_id"],
            customer_id=record["customer_id"],
            reason=record["reason"],
            detail=record["detail"],
            submitted_at=record["submitted_at"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadReleased:
    """A workload that waited for a site ended without one.

    pool: The pool
    at: When it happened
    workload_id: The workload
    customer_id: Who asked
    outcome: cancelled
    reason: Brokering's own code
    detail: Who cancelled it says why, in their own words
    digest: Names what was asked for, so that other content under the same id is told apart
    """

    FULL_NAME: ClassVar[str] = "hcp.intake.v1.WorkloadReleased"

    pool: str
    at: int
    workload_id: str
    customer_id: str
    outcome: str
    reason: str
    detail: str = ''
    digest: str

    def to_record(self) -> Record:
        return {
            "pool": self.pool,
            "at": self.at,
            "workload_id": self.workload_id,
            "customer_id": self.customer_id,
            "outcome": self.outcome,
            "reason": self.reason,
            "detail": self.detail,
            "digest": self.digest,
        }

    @classmethod
    def from_record(cls, record: Record) -> WorkloadReleased:
        return cls(
            pool=record["pool"],
            at=record["at"],
            workload_id=record["workload_id"],
            customer_id=record["customer_id"],
            outcome=record["outcome"],
            reason=record["reason"],
            detail=record["detail"],
            digest=record["digest"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadSubmitted:
    """A customer asks for GPUs on any site of the pool.

    pool: The pool
    at: When it happened
    workload_id: Chosen by the client, or by the gateway; stable on retry
    customer_id: Who pays
    name: Shown to people
    kind: training, inference, batch or interactive
    gpu_model: Required GPU model; null for any
    gpu_count: Number of GPUs
    gpu_milli: Thousandths of each GPU: less than 1000 shares one
    duration_s: Expected run time
    priority: Higher is more urgent
    preemptible: May be stopped for something dearer
    deadline: Worth nothing when not complete by then
    max_price_usd_per_gpu_hour: The most the customer pays
    """

    FULL_NAME: ClassVar[str] = "hcp.intake.v1.WorkloadSubmitted"

    pool: str
    at: int
    workload_id: str
    customer_id: str
    name: str
    kind: str
    gpu_model: str | None = None
    gpu_count: int
    gpu_milli: int = 1000
    duration_s: int
    priority: int = 0
    preemptible: bool = False
    deadline: int | None = None
    max_price_usd_per_gpu_hour: Decimal | None = None

    def to_record(self) -> Record:
        return {
            "pool": self.pool,
            "at": self.at,
            "workload_id": self.workload_id,
            "customer_id": self.customer_id,
            "name": self.name,
            "kind": self.kind,
            "gpu_model": self.gpu_model,
            "gpu_count": self.gpu_count,
            "gpu_milli": self.gpu_milli,
            "duration_s": self.duration_s,
            "priority": self.priority,
            "preemptible": self.preemptible,
            "deadline": self.deadline,
            "max_price_usd_per_gpu_hour": self.max_price_usd_per_gpu_hour,
        }

    @classmethod
    def from_record(cls, record: Record) -> WorkloadSubmitted:
        return cls(
            pool=record["pool"],
            at=record["at"],
            workload_id=record["workload_id"],
            customer_id=record["customer_id"],
            name=record["name"],
            kind=record["kind"],
            gpu_model=record["gpu_model"],
            gpu_count=record["gpu_count"],
            gpu_milli=record["gpu_milli"],
            duration_s=record["duration_s"],
            priority=record["priority"],
            preemptible=record["preemptible"],
            deadline=record["deadline"],
            max_price_usd_per_gpu_hour=record["max_price_usd_per_gpu_hour"],
        )


IntakeEvent = (
    InputRejected
    | SiteSummarized
    | WorkloadCancelled
    | WorkloadForwarded
    | WorkloadQueued
    | WorkloadRejected
    | WorkloadReleased
    | WorkloadSubmitted
)

EVENTS: tuple[type[IntakeEvent], ...] = (
    InputRejected,
    SiteSummarized,
    WorkloadCancelled,
    WorkloadForwarded,
    WorkloadQueued,
    WorkloadRejected,
    WorkloadReleased,
    WorkloadSubmitted,
)
