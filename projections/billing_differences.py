"""Where bills differ from what was metered, or from what power is known to have cost by now."""

from __future__ import annotations

from projections.operations import Append, Operation, Table
from projections.record import LogRecord, ReadModel, moment
from schemas.events import sites
from schemas.topics import SITES

TABLE = Table(
    "billing_differences",
    key=("partition", "offset"),
    columns=(
        *("partition", "offset", "at", "site_id", "reason", "feeder_id", "interval_start"),
        *("interval_end", "energy_wh", "price_usd_per_mwh", "billed_price_usd_per_mwh"),
        "difference_usd_micros",
    ),
)


def operations(record: LogRecord) -> list[Operation]:
    match record.event:
        case sites.BillingDifferenceFound() as event:
            row = {
                "partition": record.partition,
                "offset": record.offset,
                "at": moment(event.at),
                "site_id": event.site_id,
                "reason": event.reason,
                "feeder_id": event.feeder_id,
                "interval_start": moment(event.interval_start),
                "interval_end": moment(event.interval_end),
                "energy_wh": event.energy_wh,
                "price_usd_per_mwh": event.price_usd_per_mwh,
                "billed_price_usd_per_mwh": event.billed_price_usd_per_mwh,
                "difference_usd_micros": event.difference_usd_micros,
            }
            return [Append(TABLE, row)]
        case _:
            return []


READ_MODEL = ReadModel(
    name="billing_differences",
    doc="Prices and meters that came too late for the bill, and by how much it differs.",
    tables=(TABLE,),
    topics=(SITES,),
    reads=frozenset({sites.BillingDifferenceFound}),
    operations=operations,
    owner=__name__,
)
