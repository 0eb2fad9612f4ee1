"""Curtailments: asked for, met, lifted.

A request or a lift may be refused, and a request repeated, also after the lift: so each is kept
with its place in the log. The view `curtailments` shows the first of the requests of a site that
say the same under one id and were not refused, with what came of it: an id is free again once its
curtailment has ended, and what comes under it then ends later.
"""

from __future__ import annotations

from projections.operations import Operation, Put, Table, Update
from projections.record import LogRecord, ReadModel, moment
from schemas.envelope import Cause
from schemas.events import sites
from schemas.topics import SITES

REQUESTS = Table(
    "curtailment_requests",
    key=("partition", "offset"),
    columns=(
        *("partition", "offset", "site_id", "curtailment_id", "max_power_w", "starts_at"),
        *("ends_at", "reason", "payment_usd_per_mwh", "requested_at", "rejected"),
    ),
)
MET = Table(
    "curtailments_met",
    key=("partition", "offset"),
    columns=(
        *("partition", "offset", "site_id", "curtailment_id", "met_at", "met_power_w"),
        "cause_offset",  # routing may answer an old request after a newer one was written
    ),
)
LIFTS = Table(
    "curtailment_lifts",
    key=("partition", "offset"),
    columns=("partition", "offset", "site_id", "curtailment_id", "lifted_at", "rejected"),
)

Event = sites.CurtailmentRequested | sites.CurtailmentMet | sites.CurtailmentLifted


def operations(record: LogRecord) -> list[Operation]:
    match record.event:
        case sites.CurtailmentRequested() as event:
            return [Put(REQUESTS, {**_of(record, event), **_requested(event)})]
        case sites.CurtailmentMet() as event:
            return [Put(MET, {**_of(record, event), **_met(record, event)})]
        case sites.CurtailmentLifted() as event:
            lifted = {"lifted_at": moment(event.at), "rejected": False}
            return [Put(LIFTS, {**_of(record, event), **lifted})]
        case sites.InputRejected():
            cause = record.envelope.cause
            return _refused(cause) if cause else []
        case _:
            return []


def _refused(cause: Cause) -> list[Operation]:
    """Only one of them holds what that record said."""
    place = (cause.partition, cause.offset)
    return [Update(table, place, {"rejected": True}) for table in (REQUESTS, LIFTS)]


def _of(record: LogRecord, event: Event) -> dict[str, object]:
    return {
        "partition": record.partition,
        "offset": record.offset,
        "site_id": event.site_id,
        "curtailment_id": event.curtailment_id,
    }


def _met(record: LogRecord, event: sites.CurtailmentMet) -> dict[str, object]:
    cause = record.envelope.cause
    return {
        "met_at": moment(event.at),
        "met_power_w": event.power_w,
        "cause_offset": record.offset if cause is None else cause.offset,
    }


def _requested(event: sites.CurtailmentRequested) -> dict[str, object]:
    return {
        "max_power_w": event.max_power_w,
        "starts_at": moment(event.starts_at),
        "ends_at": moment(event.starts_at + 1000 * event.duration_s),
        "reason": event.reason,
        "payment_usd_per_mwh": event.payment_usd_per_mwh,
        "requested_at": moment(event.at),
        "rejected": False,
    }


READ_MODEL = ReadModel(
    name="curtailments",
    doc="Requests to stay at or below a power level, and whether they are met.",
    tables=(REQUESTS, MET, LIFTS),
    topics=(SITES,),
    reads=frozenset(
        {
            sites.CurtailmentRequested,
            sites.CurtailmentMet,
            sites.CurtailmentLifted,
            sites.InputRejected,
        }
    ),
    operations=operations,
    owner=__name__,
)
