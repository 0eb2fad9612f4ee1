"""Inputs that an agent understood and refused, with the reason."""

from __future__ import annotations

from projections.operations import Append, Operation, Table
from projections.record import LogRecord, ReadModel, moment
from schemas.events import accounts, intake, sites
from schemas.topics import ACCOUNTS, INTAKE, SITES, Event

TABLE = Table(
    "rejected_inputs",
    key=("topic", "partition", "offset"),
    columns=(
        *("topic", "partition", "offset", "at", "key", "rejected_type", "subject"),
        *("reason", "detail", "input_event_id", "input_offset"),
    ),
)


_READS: tuple[type[Event], ...] = (
    sites.InputRejected,
    accounts.InputRejected,
    intake.InputRejected,
)


def operations(record: LogRecord) -> list[Operation]:
    match record.event:
        case sites.InputRejected(site_id=key) as event:
            return [_refused(record, event, key)]
        case accounts.InputRejected(customer_id=key) as event:
            return [_refused(record, event, key)]
        case intake.InputRejected(pool=key) as event:
            return [_refused(record, event, key)]
        case _:
            return []


def _refused(
    record: LogRecord,
    event: sites.InputRejected | accounts.InputRejected | intake.InputRejected,
    key: str,
) -> Append:
    cause = record.envelope.cause
    return Append(
        TABLE,
        {
            "topic": record.topic.name,
            "partition": record.partition,
            "offset": record.offset,
            "at": moment(event.at),
            "key": key,
            "rejected_type": event.rejected_type,
            "subject": event.subject,
            "reason": event.reason,
            "detail": event.detail,
            "input_event_id": record.envelope.causation_id,
            "input_offset": None if cause is None else cause.offset,
        },
    )


READ_MODEL = ReadModel(
    name="rejected_inputs",
    doc="Events that were understood and refused, with the reason.",
    tables=(TABLE,),
    topics=(SITES, ACCOUNTS, INTAKE),
    reads=frozenset(_READS),
    operations=operations,
    owner=__name__,
)
