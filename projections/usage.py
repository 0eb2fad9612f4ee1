"""Usage as recorded, what invoicing said of it (its amount, or why nobody pays it), and up to when
each site has told each customer everything, and when (by the wall clock) it last said so.

A usage may be rated in pieces (`usage_ratings`): its amount is their sum, its tariff and contract
those of the last. One that has a piece without a price is held until a tariff has one.

A refusal is of one record: where the same usage_id was recorded twice, it is of the one that it
answers, and a record that follows a refused one takes its place.
"""

from __future__ import annotations

from projections.operations import Operation, Put, Table, Update
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
        *("state", "reason", "partition", "offset"),
    ),
)
COLLECTIONS = Table(
    "usage_collections",
    key=("site_id", "customer_id"),
    columns=("site_id", "customer_id", "collected_until", "heard_at"),
)


def operations(record: LogRecord) -> list[Operation]:
    match record.event:
        case accounts.UsageRecorded() as event:
            return [Put(TABLE, _recorded(record, event), where={"state": ("refused",)})]
        case accounts.UsageRated() as event:
            rating = {
                "state": "rated",
                "reason": None,
                "tariff_id": event.tariff_id,
                "contract_id": event.contract_id,
            }
            where = {"customer_id": (event.customer_id,)}
            added = {"amount_usd_micros": event.amount_usd_micros}
            return [Update(TABLE, (event.usage_id,), rating, where, added)]
        case accounts.UsageHeld() as event:
            waiting = {"state": "held", "reason": event.reason}
            where = {"customer_id": (event.customer_id,)}
            return [Update(TABLE, (event.usage_id,), waiting, where)]
        case accounts.InputRejected(rejected_type=accounts.UsageRecorded.FULL_NAME) as event:
            return _refused(record, event)
        case accounts.UsageCollected() as event:
            row = {
                "site_id": event.site_id,
                "customer_id": event.customer_id,
                "collected_until": moment(event.collected_until),
                "heard_at": moment(record.timestamp_ms),
            }
            return [Put(COLLECTIONS, row)]
        case _:
            return []


def _refused(record: LogRecord, event: accounts.InputRejected) -> list[Operation]:
    cause = record.envelope.cause
    if cause is None:
        return []
    where = {"partition": (cause.partition,), "offset": (cause.offset,)}
    refusal = {"state": "refused", "reason": event.reason}
    return [Update(TABLE, (event.subject,), refusal, where)]


def _recorded(record: LogRecord, event: accounts.UsageRecorded) -> dict[str, object]:
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
        "state": "recorded",
        "reason": None,
        "partition": record.partition,
        "offset": record.offset,
    }


READ_MODEL = ReadModel(
    name="usage",
    doc="What each workload used, interval by interval, and what it costs.",
    tables=(TABLE, COLLECTIONS),
    topics=(ACCOUNTS,),
    reads=frozenset(
        {
            accounts.UsageRecorded,
            accounts.UsageRated,
            accounts.UsageHeld,
            accounts.UsageCollected,
            accounts.InputRejected,
        }
    ),
    operations=operations,
    owner=__name__,
)
