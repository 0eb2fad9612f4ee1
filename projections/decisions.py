"""Decisions as their agents explained them, the alternatives that lost included."""

from __future__ import annotations

from projections.operations import Operation, Put, Table
from projections.record import LogRecord, ReadModel, moment
from schemas.events import decisions
from schemas.topics import DECISIONS

TABLE = Table(
    "decisions",
    key=("decision_id",),
    columns=(
        *("decision_id", "site_id", "at", "agent", "policy_version", "kind", "subject"),
        *("chosen", "reason", "alternatives", "value_usd_micros_per_hour"),
        *("bound_usd_micros_per_hour", "power_price_usd_per_mwh", "hashprice_usd_per_ph_day"),
    ),
    json=frozenset({"alternatives"}),
)


def operations(record: LogRecord) -> list[Operation]:
    match record.event:
        case decisions.DecisionExplained() as event:
            row = {
                "decision_id": event.decision_id,
                "site_id": event.site_id,
                "at": moment(event.at),
                "agent": event.agent,
                "policy_version": event.policy_version,
                "kind": event.kind,
                "subject": event.subject,
                "chosen": event.chosen,
                "reason": event.reason,
                "alternatives": [choice.to_record() for choice in event.alternatives],
                "value_usd_micros_per_hour": event.value_usd_micros_per_hour,
                "bound_usd_micros_per_hour": event.bound_usd_micros_per_hour,
                "power_price_usd_per_mwh": event.power_price_usd_per_mwh,
                "hashprice_usd_per_ph_day": event.hashprice_usd_per_ph_day,
            }
            return [Put(TABLE, row)]
        case _:
            return []


READ_MODEL = ReadModel(
    name="decisions",
    doc="Every decision with its reason, its alternatives and their dollars an hour.",
    tables=(TABLE,),
    topics=(DECISIONS,),
    reads=frozenset({decisions.DecisionExplained}),
    operations=operations,
    owner=__name__,
)
