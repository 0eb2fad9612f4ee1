"""Power plans as optimization proposed them, and what routing made of each."""

from __future__ import annotations

from projections.operations import Operation, Put, Table, Update
from projections.record import LogRecord, ReadModel, moment
from schemas.events import sites
from schemas.topics import SITES

TABLE = Table(
    "power_plans",
    key=("plan_id",),
    columns=(
        *("plan_id", "site_id", "at", "policy_version", "trigger", "assignments", "headroom"),
        *("site_shadow_price_usd_per_mwh", "value_usd_micros_per_hour"),
        *("bound_usd_micros_per_hour", "applied_at", "applied", "skipped", "skip_reason"),
        *("partition", "offset"),
    ),
    json=frozenset({"assignments", "headroom"}),
)


def operations(record: LogRecord) -> list[Operation]:
    match record.event:
        case sites.PowerPlanProposed() as event:
            return [Put(TABLE, _proposed(record, event))]
        case sites.PowerPlanApplied() as event:
            values = {
                "applied_at": moment(event.at),
                "applied": event.applied,
                "skipped": event.skipped,
                "skip_reason": event.reason,
            }
            return [Update(TABLE, (event.plan_id,), values, where={"site_id": (event.site_id,)})]
        case _:
            return []


def _proposed(record: LogRecord, event: sites.PowerPlanProposed) -> dict[str, object]:
    return {
        "plan_id": event.plan_id,
        "site_id": event.site_id,
        "at": moment(event.at),
        "policy_version": event.policy_version,
        "trigger": event.trigger,
        "assignments": [assignment.to_record() for assignment in event.assignments],
        "headroom": [headroom.to_record() for headroom in event.headroom],
        "site_shadow_price_usd_per_mwh": event.site_shadow_price_usd_per_mwh,
        "value_usd_micros_per_hour": event.value_usd_micros_per_hour,
        "bound_usd_micros_per_hour": event.bound_usd_micros_per_hour,
        "applied_at": None,
        "applied": None,
        "skipped": None,
        "skip_reason": None,
        "partition": record.partition,
        "offset": record.offset,
    }


READ_MODEL = ReadModel(
    name="power_plans",
    doc="Power plans with their shadow prices and bounds, and how much of each was applied.",
    tables=(TABLE,),
    topics=(SITES,),
    reads=frozenset({sites.PowerPlanProposed, sites.PowerPlanApplied}),
    operations=operations,
    owner=__name__,
)
