"""Alerts: raised, cleared."""

from __future__ import annotations

from projections.operations import Operation, Put, Table, Update
from projections.record import LogRecord, ReadModel, moment
from schemas.events import sites
from schemas.topics import SITES

TABLE = Table(
    "alerts",
    key=("alert_id",),
    columns=(
        *("alert_id", "site_id", "kind", "severity", "unit_id", "detail"),
        *("raised_at", "cleared_at", "clear_reason", "workload_id"),
    ),
)


def operations(record: LogRecord) -> list[Operation]:
    match record.event:
        case sites.AlertRaised() as event:
            row = {
                "alert_id": event.alert_id,
                "site_id": event.site_id,
                "kind": event.kind,
                "severity": event.severity,
                "unit_id": event.unit_id,
                "detail": event.detail,
                "raised_at": moment(event.at),
                "cleared_at": None,
                "clear_reason": None,
                "workload_id": event.workload_id,
            }
            return [Put(TABLE, row)]
        case sites.AlertCleared() as event:
            cleared = {"cleared_at": moment(event.at), "clear_reason": event.reason}
            return [Update(TABLE, (event.alert_id,), cleared)]
        case _:
            return []


READ_MODEL = ReadModel(
    name="alerts",
    doc="What needs a person, and since when.",
    tables=(TABLE,),
    topics=(SITES,),
    reads=frozenset({sites.AlertRaised, sites.AlertCleared}),
    operations=operations,
    owner=__name__,
)
