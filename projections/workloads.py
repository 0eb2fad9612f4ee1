"""Workloads: what was asked, where it stands, and its history event by event.

A submission may come by a pool's intake and then by a site's log. Those are read in any order, so
what the intake says counts only while no site has spoken: the result is the same either way. The
first site that a workload_id appears on owns the row, until it rejects it and another one takes it.
"""

from __future__ import annotations

from projections.json_form import as_json
from projections.operations import Append, Insert, Operation, Put, Row, Table, Update
from projections.record import LogRecord, ReadModel, moment, moment_or_none
from schemas.events import intake, sites
from schemas.topics import INTAKE, SITES

WORKLOADS = Table(
    "workloads",
    key=("workload_id",),
    columns=(
        *("workload_id", "site_id", "pool", "customer_id", "name", "kind", "gpu_model"),
        *("gpu_count", "gpu_milli", "duration_s", "priority", "preemptible", "deadline"),
        *("max_price_usd_per_gpu_hour", "state", "reason", "detail", "units"),
        *("placed_gpu_model", "placement_id", "attempt", "submitted_at", "queued_at"),
        *(
            "queue_offset",
            "placed_at",
            "started_at",
            "ended_at",
            "price_usd_per_gpu_hour",
            "decision_id",
        ),
    ),
)
EVENTS = Table(
    "workload_events",
    key=("workload_id", "topic", "partition", "offset"),
    columns=("workload_id", "topic", "partition", "offset", "event_id", "type", "at", "data"),
    json=frozenset({"data"}),
)
_UNPLACED: Row = {
    "units": [],
    "placed_gpu_model": None,
    "placement_id": None,
    "placed_at": None,
    "started_at": None,
    "price_usd_per_gpu_hour": None,
}
_NEW: Row = {**_UNPLACED, "attempt": 0, "ended_at": None, "decision_id": None, "detail": ""}
_LIVE = ("queued", "switching", "running")
_PENDING = "pending"  # submitted, and no agent has answered yet


def operations(record: LogRecord) -> list[Operation]:
    """Every event that names a workload goes to its history; some change where it stands."""
    event = record.event
    if not hasattr(event, "workload_id") or event.workload_id is None:
        return []
    return [*_changes(record), Append(EVENTS, _history(record, event.workload_id))]


def _changes(record: LogRecord) -> list[Operation]:  # noqa: PLR0911 - one answer an event
    match record.event:
        case intake.WorkloadSubmitted() as event:
            row = _submitted(event, site_id=None, pool=event.pool)
            return [Insert(WORKLOADS, row), _anew(row)]
        case intake.WorkloadRejected() as event:
            return [_rejected_by_pool(event)]
        case intake.WorkloadQueued() as event:
            return [Put(WORKLOADS, _waiting(event), where={"site_id": (None,)})]
        case intake.WorkloadReleased() as event:
            return [_withdrawn(event)]
        case sites.WorkloadSubmitted() as event:
            row = _submitted(event, site_id=event.site_id, pool=None)
            return [Put(WORKLOADS, row, where={"site_id": (None,)}), _anew(row)]
        case sites.WorkloadRejected() as event:
            return [_rejected(event)]
        case sites.WorkloadQueued() as event:
            row = _queued(record, event)
            rejected_elsewhere = Put(WORKLOADS, row, where={"state": ("rejected",)})
            return [
                Put(WORKLOADS, row, where={"site_id": (None, event.site_id)}),
                rejected_elsewhere,
            ]
        case sites.WorkloadPlaced() as event:
            return [_placed(event)]
        case sites.WorkloadStarted() as event:
            return [_started(event)]
        case sites.WorkloadRequeued() as event:
            return [_requeued(event)]
        case sites.WorkloadReleased() as event:
            return [_released(event)]
        case _:
            return []


def _submitted(
    event: intake.WorkloadSubmitted | sites.WorkloadSubmitted,
    *,
    site_id: str | None,
    pool: str | None,
) -> Row:
    return {
        **_asked(event),
        **_NEW,
        "site_id": site_id,
        "pool": pool,
        "state": "queued",
        "reason": _PENDING,
        "submitted_at": moment(event.at),
        "queued_at": None,
        "queue_offset": None,
    }


def _anew(row: Row) -> Put:
    """A rejection is not remembered by who made it: sent again, the workload is judged again."""
    return Put(WORKLOADS, row, where={"site_id": (row["site_id"],), "state": ("rejected",)})


def _waiting(event: intake.WorkloadQueued) -> Row:
    """No site can take it yet. Brokering's order of arrival takes the place of an offset."""
    return {
        **_asked(event),
        **_NEW,
        "site_id": None,
        "pool": event.pool,
        "state": "queued",
        "reason": event.reason,
        "detail": event.detail,
        "submitted_at": moment(event.submitted_at),
        "queued_at": moment(event.submitted_at),
        "queue_offset": event.rank,
    }


def _queued(record: LogRecord, event: sites.WorkloadQueued) -> Row:
    """Routing queues in the order of its site's log, which the offset keeps through requeues."""
    return {
        **_asked(event),
        **_NEW,
        "site_id": event.site_id,
        "pool": None,
        "state": "queued",
        "reason": event.reason,
        "submitted_at": moment(event.submitted_at),
        "queued_at": moment(event.at),
        "queue_offset": record.offset,
    }


def _asked(
    event: (
        intake.WorkloadSubmitted
        | intake.WorkloadQueued
        | sites.WorkloadSubmitted
        | sites.WorkloadQueued
    ),
) -> Row:
    return {
        "workload_id": event.workload_id,
        "customer_id": event.customer_id,
        "name": event.name,
        "kind": event.kind,
        "gpu_model": event.gpu_model,
        "gpu_count": event.gpu_count,
        "gpu_milli": event.gpu_milli,
        "duration_s": event.duration_s,
        "priority": event.priority,
        "preemptible": event.preemptible,
        "deadline": moment_or_none(event.deadline),
        "max_price_usd_per_gpu_hour": event.max_price_usd_per_gpu_hour,
    }


def _rejected(event: sites.WorkloadRejected) -> Update:
    where = {"site_id": (event.site_id,), "state": ("queued",), "reason": (_PENDING,)}
    return Update(WORKLOADS, (event.workload_id,), _rejection(event), where=where)


def _rejected_by_pool(event: intake.WorkloadRejected) -> Update:
    """Brokering rejects nothing that a site has."""
    where = {"site_id": (None,), "state": ("queued",)}
    return Update(WORKLOADS, (event.workload_id,), _rejection(event), where=where)


def _rejection(event: sites.WorkloadRejected | intake.WorkloadRejected) -> Row:
    """With the submission's time, which whoever sent it may not have known."""
    values: Row = {
        "state": "rejected",
        "reason": event.reason,
        "detail": event.detail,
        "ended_at": moment(event.at),
    }
    if event.submitted_at is not None:
        values["submitted_at"] = moment(event.submitted_at)
    return values


def _withdrawn(event: intake.WorkloadReleased) -> Update:
    return Update(
        WORKLOADS,
        (event.workload_id,),
        {
            "state": event.outcome,
            "reason": event.reason,
            "detail": event.detail,
            "ended_at": moment(event.at),
        },
        where={"site_id": (None,), "state": ("queued",)},
    )


def _placed(event: sites.WorkloadPlaced) -> Update:
    return Update(
        WORKLOADS,
        (event.workload_id,),
        {
            "state": "switching",
            "reason": "",
            "units": [share.unit_id for share in event.units],
            "placed_gpu_model": event.gpu_model,
            "placement_id": event.placement_id,
            "attempt": event.attempt,
            "placed_at": moment(event.at),
            "started_at": None,
            "price_usd_per_gpu_hour": event.price_usd_per_gpu_hour,
            "decision_id": event.decision_id,
        },
        where={"site_id": (event.site_id,), "state": _LIVE},
    )


def _started(event: sites.WorkloadStarted) -> Update:
    return Update(
        WORKLOADS,
        (event.workload_id,),
        {"state": "running", "started_at": moment(event.at)},
        where={
            "site_id": (event.site_id,),
            "state": ("switching",),
            "placement_id": (event.placement_id,),
        },
    )


def _requeued(event: sites.WorkloadRequeued) -> Update:
    return Update(
        WORKLOADS,
        (event.workload_id,),
        {**_UNPLACED, "state": "queued", "reason": event.reason},
        where={"site_id": (event.site_id,), "placement_id": (event.placement_id,)},
    )


def _released(event: sites.WorkloadReleased) -> Update:
    """It keeps its units: where it ran is worth knowing."""
    return Update(
        WORKLOADS,
        (event.workload_id,),
        {
            "state": event.outcome,
            "reason": event.reason,
            "detail": event.detail,
            "ended_at": moment(event.at),
        },
        where={"site_id": (event.site_id,), "state": _LIVE},
    )


def _history(record: LogRecord, workload_id: str) -> Row:
    return {
        "workload_id": workload_id,
        "topic": record.topic.name,
        "partition": record.partition,
        "offset": record.offset,
        "event_id": record.envelope.id,
        "type": record.event.FULL_NAME,
        "at": moment(record.event.at),
        "data": as_json(record.event),
    }


READ_MODEL = ReadModel(
    name="workloads",
    doc="Workloads, the queue of each site, and the history of each workload.",
    tables=(WORKLOADS, EVENTS),
    topics=(SITES, INTAKE),
    reads=frozenset(
        {
            intake.WorkloadSubmitted,
            intake.WorkloadQueued,
            intake.WorkloadForwarded,
            intake.WorkloadCancelled,
            intake.WorkloadReleased,
            intake.WorkloadRejected,
            sites.WorkloadSubmitted,
            sites.WorkloadRejected,
            sites.WorkloadQueued,
            sites.WorkloadPlaced,
            sites.WorkloadStarted,
            sites.WorkloadProgressed,
            sites.WorkloadRequeued,
            sites.WorkloadReleased,
            sites.WorkloadCancelled,
            sites.WorkloadCompleted,
            sites.WorkloadFailed,
            sites.UnitSwitched,
        }
    ),
    operations=operations,
    owner=__name__,
)
