"""What usage costs, piece by piece: invoicing cuts it where its price or its period changes."""

from __future__ import annotations

from projections.operations import Insert, Operation, Table
from projections.record import LogRecord, ReadModel, moment, moment_or_none
from schemas.events import accounts
from schemas.topics import ACCOUNTS

TABLE = Table(
    "usage_ratings",
    key=("usage_id", "interval_start"),
    columns=(
        *("usage_id", "interval_start", "interval_end", "customer_id", "contract_id"),
        *("tariff_id", "period_start", "priced_by", "quantity", "unit", "amount_usd_micros"),
    ),
)


def operations(record: LogRecord) -> list[Operation]:
    match record.event:
        case accounts.UsageRated() as event:
            row = {
                "usage_id": event.usage_id,
                "interval_start": moment(event.interval_start),
                "interval_end": moment_or_none(event.interval_end),
                "customer_id": event.customer_id,
                "contract_id": event.contract_id,
                "tariff_id": event.tariff_id,
                "period_start": moment_or_none(event.period_start),
                "priced_by": event.priced_by,
                "quantity": event.quantity,
                "unit": event.unit,
                "amount_usd_micros": event.amount_usd_micros,
            }
            return [Insert(TABLE, row)]
        case _:
            return []


READ_MODEL = ReadModel(
    name="usage_ratings",
    doc="What usage costs, piece by piece, and which billing period bills it.",
    tables=(TABLE,),
    topics=(ACCOUNTS,),
    reads=frozenset({accounts.UsageRated}),
    operations=operations,
    owner=__name__,
)
