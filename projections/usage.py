"""Usage as recorded, and what it costs once invoicing has rated it."""

from __future__ import annotations

from projections.operations import Insert, Operation, Table, Update
from projections.record import LogRecord, ReadModel, moment
from schemas.events import accounts
from schemas.topics import ACCOUNTS

TABLE = Table(
    "usage",
    key=("usage_id",),
    columns=(
        *("usage_id", "customer_id", "site_id", "workload_id", "placement_id", "meter"),
        *("gpu_model", "interval_start", "interval_end", "quantity", "unit"),
        *("price_usd_per_mwh", "amount_usd_micros", "tariff_id", "contract_id"),
    ),
)


def operations(record: LogRecord) -> list[Operation]:
    match record.event:
        case accounts.UsageRecorded() as event:
            return [Insert(TABLE, _recorded(event))]
        case accounts.UsageRated() as event:
            rating = {
                "amount_usd_micros": event.amount_usd_micros,
                "tariff_id": event.tariff_id,
                "contract_id": event.contract_id,
            }
            where = {"customer_id": (event.customer_id,)}
            return [Update(TABLE, (event.usage_id,), rating, where)]
        case _:
            return []


def _recorded(event: accounts.UsageRecorded) -> dict[str, object]:
    return {
        "usage_id": event.usage_id,
        "customer_id": event.customer_id,
        "site_id": event.site_id,
        "workload_id": event.workload_id,
        "placement_id": event.placement_id,
        "meter": event.meter,
        "gpu_model": event.gpu_model,
        "interval_start": moment(event.interval_start),
        "interval_end": moment(event.interval_end),
        "quantity": event.quantity,
        "unit": event.unit,
        "price_usd_per_mwh": event.price_usd_per_mwh,
        "amount_usd_micros": None,
        "tariff_id": None,
        "contract_id": None,
    }


READ_MODEL = ReadModel(
    name="usage",
    doc="What each workload used, interval by interval, and what it costs.",
    tables=(TABLE,),
    topics=(ACCOUNTS,),
    reads=frozenset({accounts.UsageRecorded, accounts.UsageRated}),
    operations=operations,
    owner=__name__,
)
