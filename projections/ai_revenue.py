"""AI revenue by site and hour, and the energy that customers account for: sums of rated usage, by
the hour its interval starts in.

Adding is safe because the position and the marks are in the same transaction: a rating counts once.
"""

from __future__ import annotations

from projections.operations import Add, Operation, Table
from projections.record import LogRecord, ReadModel, moment
from schemas.events import accounts
from schemas.topics import ACCOUNTS

TABLE = Table(
    "ai_revenue_hourly",
    key=("site_id", "hour"),
    columns=("site_id", "hour", "amount_usd_micros", "energy_wh"),
)
_HOUR_MS = 3_600_000


def operations(record: LogRecord) -> list[Operation]:
    match record.event:
        case accounts.UsageRated() as event:
            hour_ms = event.interval_start - event.interval_start % _HOUR_MS
            row = {
                "site_id": event.site_id,
                "hour": moment(hour_ms),
                "amount_usd_micros": event.amount_usd_micros,
                "energy_wh": event.quantity if event.meter == "energy" else 0,
            }
            return [Add(TABLE, row)]
        case _:
            return []


READ_MODEL = ReadModel(
    name="ai_revenue",
    doc="Revenue from AI by site and hour: one side of the hourly profit.",
    tables=(TABLE,),
    topics=(ACCOUNTS,),
    reads=frozenset({accounts.UsageRated}),
    operations=operations,
    owner=__name__,
)
