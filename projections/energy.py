"""Metered energy and mining work, one row a feeder and interval.

Every reading is kept with its place in the log, and of those for one interval the first that
routing did not refuse counts, as it does for billing. What of it was mining is decided by the first
registration of each unit that lies before the reading in the log and was not refused before it: so
it does not depend on how records fall into batches.
"""

from __future__ import annotations

from projections.operations import Operation, Put, Table, Update
from projections.record import DAY_MS, LogRecord, ReadModel, moment
from schemas.envelope import Cause
from schemas.events import sites
from schemas.topics import SITES

UNITS = Table(
    "metered_units",
    key=("partition", "offset"),
    columns=("partition", "offset", "site_id", "unit_id", "kind", "rejected_offset"),
)
READINGS = Table(
    "feeder_energy_readings",
    key=("partition", "offset"),
    columns=(
        *("partition", "offset", "rejected"),
        *("site_id", "feeder_id", "interval_start", "interval_end", "unit_ids"),
        *("unit_energy_wh", "unit_work_th", "energy_wh", "work_th"),
    ),
    derived={
        "mining_energy_wh": """
            SELECT coalesce(sum(r.energy_wh), 0)
            FROM unnest(new.unit_ids, new.unit_energy_wh) AS r (unit_id, energy_wh)
            JOIN LATERAL (
                SELECT kind FROM metered_units u
                WHERE u.site_id = new.site_id AND u.unit_id = r.unit_id
                  AND u."offset" < new."offset"
                  AND (u.rejected_offset IS NULL OR u.rejected_offset > new."offset")
                ORDER BY u."offset" LIMIT 1
            ) u ON u.kind = 'asic'
        """
    },
)


def operations(record: LogRecord) -> list[Operation]:
    match record.event:
        case sites.UnitRegistered() as event:
            row = {
                "site_id": event.site_id,
                "unit_id": event.unit_id,
                "kind": event.kind,
                "partition": record.partition,
                "offset": record.offset,
                "rejected_offset": None,
            }
            return [Put(UNITS, row)]
        case sites.EnergyMetered() as event:
            return [Put(READINGS, _metered(record, event))] if _makes_sense(event) else []
        case sites.InputRejected():
            cause = record.envelope.cause
            return _refused(record, cause) if cause else []
        case _:
            return []


def _refused(record: LogRecord, cause: Cause) -> list[Operation]:
    """Only one of them holds what that record said."""
    place = (cause.partition, cause.offset)
    return [
        Update(UNITS, place, {"rejected_offset": record.offset}),
        Update(READINGS, place, {"rejected": True}),
    ]


# The longest interval that routing takes, and more than any unit uses in it: sums stay far from
# overflow, and a reading from few hours.
_LONGEST_MS = 366 * DAY_MS
_MOST_WH = 10**11
_MOST_TH = 10**14


def _makes_sense(event: sites.EnergyMetered) -> bool:
    """What routing will refuse without looking at the site must not be seen until it does."""
    return (
        0 < event.interval_end - event.interval_start <= _LONGEST_MS
        and len({reading.unit_id for reading in event.readings}) == len(event.readings)
        and all(
            0 <= reading.energy_wh <= _MOST_WH and 0 <= reading.work_th <= _MOST_TH
            for reading in event.readings
        )
    )


def _metered(record: LogRecord, event: sites.EnergyMetered) -> dict[str, object]:
    readings = event.readings
    return {
        "site_id": event.site_id,
        "feeder_id": event.feeder_id,
        "interval_start": moment(event.interval_start),
        "interval_end": moment(event.interval_end),
        "unit_ids": [reading.unit_id for reading in readings],
        "unit_energy_wh": [reading.energy_wh for reading in readings],
        "unit_work_th": [reading.work_th for reading in readings],
        "energy_wh": sum(reading.energy_wh for reading in readings),
        "work_th": sum(reading.work_th for reading in readings),
        "partition": record.partition,
        "offset": record.offset,
        "rejected": False,
    }


READ_MODEL = ReadModel(
    name="energy",
    doc="Energy and mining work by feeder and interval, unit by unit; by hour in a roll-up.",
    tables=(UNITS, READINGS),
    topics=(SITES,),
    reads=frozenset({sites.UnitRegistered, sites.EnergyMetered, sites.InputRejected}),
    operations=operations,
    owner=__name__,
)
