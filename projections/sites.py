"""Sites and their clocks. Their planned power is summed from the units by the views.

Every configuration is kept with its place in the log, and the newest that routing did not refuse
counts: refusing one brings back the one before. So do the newest ticks of a site's clock: one that
routing refuses, from a far future say, does not stay. An operator's correction of the clock is kept
for ever; ticks before it count no more.

Where the log stood when routing closed an hour is kept too: it tells when something on the log was
said, whatever time it gives itself (SQL: `site_time`).
"""

from __future__ import annotations

from projections.operations import Insert, Operation, Put, Table, Update
from projections.record import LogRecord, ReadModel, moment
from schemas.envelope import Cause
from schemas.events import sites
from schemas.topics import SITES

CONFIGURATIONS = Table(
    "site_configurations",
    key=("partition", "offset"),
    columns=(
        *("partition", "offset", "site_id", "configured_at", "name", "pool"),
        *("power_cap_w", "feeders", "gpu_prices", "rejected"),
    ),
    json=frozenset({"feeders", "gpu_prices"}),
)
TICKS = Table(
    "site_ticks",
    key=("site_id", "slot"),
    columns=("site_id", "slot", "partition", "offset", "at", "heard_at", "rejected"),
)
CORRECTIONS = Table(
    "site_clock_corrections",
    key=("partition", "offset"),
    columns=(
        *("partition", "offset", "site_id", "corrected_at", "now"),
        *("corrected_by", "reason", "rejected"),
    ),
)
HOURS = Table(
    "site_hours",
    key=("site_id", "closed_until"),
    columns=("site_id", "closed_until", "partition", "offset"),
)
# Older ones give way, so that a clock costs a bounded number of rows; each slot's newest stays.
SLOTS = 64


def operations(record: LogRecord) -> list[Operation]:
    match record.event:
        case sites.SiteConfigured() as event:
            return [Put(CONFIGURATIONS, _configuration(record, event))]
        case sites.TimePassed() as event:
            return [Put(TICKS, _tick(record, event))]
        case sites.ClockCorrected() as event:
            return [Put(CORRECTIONS, _correction(record, event))]
        case sites.HourClosed() as event:
            return [Insert(HOURS, _hour(record, event))]
        case sites.InputRejected() as event:
            cause = record.envelope.cause
            return _refused(event.site_id, cause) if cause else []
        case _:
            return []


def _configuration(record: LogRecord, event: sites.SiteConfigured) -> dict[str, object]:
    return {
        "partition": record.partition,
        "offset": record.offset,
        "site_id": event.site_id,
        "configured_at": moment(event.at),
        "name": event.name,
        "pool": event.pool,
        "power_cap_w": event.power_cap_w,
        "feeders": [feeder.to_record() for feeder in event.feeders],
        "gpu_prices": [price.to_record() for price in event.gpu_prices],
        "rejected": False,
    }


def _tick(record: LogRecord, event: sites.TimePassed) -> dict[str, object]:
    return {
        "site_id": event.site_id,
        "slot": record.offset % SLOTS,
        "partition": record.partition,
        "offset": record.offset,
        "at": moment(event.at),
        "heard_at": moment(record.timestamp_ms),
        "rejected": False,
    }


def _correction(record: LogRecord, event: sites.ClockCorrected) -> dict[str, object]:
    return {
        "partition": record.partition,
        "offset": record.offset,
        "site_id": event.site_id,
        "corrected_at": moment(event.at),
        "now": moment(event.now),
        "corrected_by": event.corrected_by,
        "reason": event.reason,
        "rejected": False,
    }


def _hour(record: LogRecord, event: sites.HourClosed) -> dict[str, object]:
    return {
        "site_id": event.site_id,
        "closed_until": moment(event.closed_until),
        "partition": record.partition,
        "offset": record.offset,
    }


def _refused(site_id: str, cause: Cause) -> list[Operation]:
    """Only one of them holds what that record said."""
    place = {"partition": (cause.partition,), "offset": (cause.offset,)}
    return [
        Update(CONFIGURATIONS, (cause.partition, cause.offset), {"rejected": True}),
        Update(CORRECTIONS, (cause.partition, cause.offset), {"rejected": True}),
        Update(TICKS, (site_id, cause.offset % SLOTS), {"rejected": True}, where=place),
    ]


READ_MODEL = ReadModel(
    name="sites",
    doc="Sites as configured, their clocks, and through views their planned power.",
    tables=(CONFIGURATIONS, TICKS, CORRECTIONS, HOURS),
    topics=(SITES,),
    reads=frozenset(
        {
            sites.SiteConfigured,
            sites.TimePassed,
            sites.ClockCorrected,
            sites.HourClosed,
            sites.InputRejected,
        }
    ),
    operations=operations,
    owner=__name__,
)
