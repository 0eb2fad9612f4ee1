"""Units: what they are, what mode they are in, how they are, and which placements they carry.

Modes and placements are routing's word only; hardware reports health and measured power. A GPU's
planned power comes from its open placements, an ASIC's from its mode (see the view `units`).

A registration may be refused after others of the same unit were read, so each is kept, and the
newest that was not refused counts. What was said of a unit's health carries the offset at which it
was said: before the unit's first accepted registration routing refused it, and it does not count.
"""

from __future__ import annotations

from projections.operations import Insert, Operation, Put, Table, Update
from projections.record import LogRecord, ReadModel, moment
from schemas.envelope import Cause
from schemas.events import sites
from schemas.topics import SITES

OfUnit = (
    sites.UnitModeAssigned
    | sites.UnitFailed
    | sites.UnitDrained
    | sites.UnitRecovered
    | sites.UnitReported
    | sites.AlertRaised
)

REGISTRATIONS = Table(
    "unit_registrations",
    key=("partition", "offset"),
    columns=(
        *("partition", "offset", "site_id", "unit_id", "registered_at", "feeder_id"),
        *("kind", "model", "memory_gb", "modes", "hashrate_ths", "tflops", "rejected"),
    ),
    json=frozenset({"modes"}),
)
STATES = Table(
    "unit_states",
    key=("site_id", "unit_id"),
    columns=(
        *("site_id", "unit_id", "mode", "power_w", "failed_offset", "drained_offset"),
        *("degraded_offset", "detail", "detail_offset", "reported_power_w", "temperature_c"),
        "updated_at",
    ),
)
PLACEMENTS = Table(
    "placements",
    key=("site_id", "placement_id"),
    columns=(
        *("site_id", "placement_id", "workload_id", "customer_id", "gpu_model", "attempt"),
        *("unit_ids", "unit_gpu_milli", "unit_power_w", "price_usd_per_gpu_hour"),
        *("decision_id", "placed_at", "ended_at", "end_reason"),
    ),
)


def operations(record: LogRecord) -> list[Operation]:  # noqa: PLR0911 - one answer an event
    match record.event:
        case sites.UnitRegistered() as event:
            return _registered(record, event)
        case sites.UnitModeAssigned() as event:
            return [_changed(event, mode=event.mode, power_w=event.power_w)]
        case sites.UnitFailed() as event:
            return [_health(record, event, event.reason, failed_offset=record.offset)]
        case sites.UnitDrained() as event:
            return [_health(record, event, event.reason, drained_offset=record.offset)]
        case sites.UnitRecovered() as event:
            return _recovered(record, event)
        case sites.UnitReported() as event:
            return _reported(record, event)
        case sites.AlertRaised(kind="switch_failing", unit_id=str()) as event:
            return [_health(record, event, event.detail, failed_offset=record.offset)]
        case sites.WorkloadPlaced() as event:
            return [_placed(event)]
        case sites.WorkloadReleased(placement_id=str()) as event:
            return [_ended(event, event.placement_id, event.outcome)]
        case sites.WorkloadRequeued() as event:
            return [_ended(event, event.placement_id, event.reason)]
        case sites.InputRejected():
            cause = record.envelope.cause
            return _refused(cause) if cause else []
        case _:
            return []


def _registered(record: LogRecord, event: sites.UnitRegistered) -> list[Operation]:
    """A kind that nobody knows is refused by routing, and no reader could show it until then."""
    if event.kind not in ("gpu", "asic"):
        return []
    registration = {
        "partition": record.partition,
        "offset": record.offset,
        "site_id": event.site_id,
        "unit_id": event.unit_id,
        "registered_at": moment(event.at),
        "feeder_id": event.feeder_id,
        "kind": event.kind,
        "model": event.model,
        "memory_gb": event.memory_gb,
        "modes": [mode.to_record() for mode in event.modes],
        "hashrate_ths": max((mode.hashrate_ths for mode in event.modes), default=0),
        "tflops": max((mode.tflops for mode in event.modes), default=0.0),
        "rejected": False,
    }
    state = {
        "site_id": event.site_id,
        "unit_id": event.unit_id,
        "mode": "off",
        "power_w": 0,
        "failed_offset": None,
        "drained_offset": None,
        "degraded_offset": None,
        "detail": "",
        "detail_offset": record.offset,
        "reported_power_w": None,
        "temperature_c": None,
        "updated_at": moment(event.at),
    }
    return [Put(REGISTRATIONS, registration), Insert(STATES, state)]


def _refused(cause: Cause) -> list[Operation]:
    """The state stays: another registration may be using it, and without one nobody sees it."""
    return [Update(REGISTRATIONS, (cause.partition, cause.offset), {"rejected": True})]


def _recovered(record: LogRecord, event: sites.UnitRecovered) -> list[Operation]:
    """Ends a failure; the drain of a unit that has not failed it ends, any other outlasts it."""
    key = (event.site_id, event.unit_id)
    back = Update(STATES, key, {"drained_offset": None}, where={"failed_offset": (None,)})
    return [back, _health(record, event, "", failed_offset=None)]


def _health(record: LogRecord, event: OfUnit, detail: str, **values: object) -> Update:
    return _changed(event, detail=detail, detail_offset=record.offset, **values)


def _changed(event: OfUnit, **values: object) -> Update:
    key = (event.site_id, event.unit_id)
    return Update(STATES, key, {**values, "updated_at": moment(event.at)})


def _reported(record: LogRecord, event: sites.UnitReported) -> list[Operation]:
    """A report without sense is refused by routing; there would be no state to go back to."""
    if event.power_w < 0 or event.health not in ("ok", "degraded"):
        return []
    return [
        _health(
            record,
            event,
            event.detail,
            degraded_offset=record.offset if event.health == "degraded" else None,
            reported_power_w=event.power_w,
            temperature_c=event.temperature_c,
        )
    ]


def _placed(event: sites.WorkloadPlaced) -> Put:
    return Put(
        PLACEMENTS,
        {
            "site_id": event.site_id,
            "placement_id": event.placement_id,
            "workload_id": event.workload_id,
            "customer_id": event.customer_id,
            "gpu_model": event.gpu_model,
            "attempt": event.attempt,
            "unit_ids": [share.unit_id for share in event.units],
            "unit_gpu_milli": [share.gpu_milli for share in event.units],
            "unit_power_w": [share.power_w for share in event.units],
            "price_usd_per_gpu_hour": event.price_usd_per_gpu_hour,
            "decision_id": event.decision_id,
            "placed_at": moment(event.at),
            "ended_at": None,
            "end_reason": None,
        },
    )


def _ended(
    event: sites.WorkloadReleased | sites.WorkloadRequeued, placement_id: str | None, reason: str
) -> Update:
    return Update(
        PLACEMENTS,
        (event.site_id, placement_id),
        {"ended_at": moment(event.at), "end_reason": reason},
    )


READ_MODEL = ReadModel(
    name="units",
    doc="Units with their mode, health and planned power, and every placement on them.",
    tables=(REGISTRATIONS, STATES, PLACEMENTS),
    topics=(SITES,),
    reads=frozenset(
        {
            sites.UnitRegistered,
            sites.UnitModeAssigned,
            sites.UnitFailed,
            sites.UnitDrained,
            sites.UnitRecovered,
            sites.UnitReported,
            sites.AlertRaised,  # a unit that does not switch counts as failed
            sites.WorkloadPlaced,
            sites.WorkloadReleased,
            sites.WorkloadRequeued,
            sites.InputRejected,
        }
    ),
    operations=operations,
    owner=__name__,
)
