"""Power prices and hashprices, interval by interval.

Every publication is kept with its place in the log, and of those for one interval the newest that
routing did not refuse counts.
"""

from __future__ import annotations

from projections.operations import Operation, Put, Table, Update
from projections.record import LogRecord, ReadModel, moment
from schemas.envelope import Cause
from schemas.events import sites
from schemas.topics import SITES

POWER_PRICES = Table(
    "power_price_publications",
    key=("partition", "offset"),
    columns=(
        *("partition", "offset", "site_id", "settlement_point", "interval_start"),
        *("interval_end", "price_usd_per_mwh", "rejected"),
    ),
)
HASH_PRICES = Table(
    "hash_price_publications",
    key=("partition", "offset"),
    columns=(
        *("partition", "offset", "site_id", "interval_start", "hashprice_usd_per_ph_day"),
        *("difficulty", "fees_sats", "btc_price_usd", "rejected"),
    ),
)


def operations(record: LogRecord) -> list[Operation]:
    match record.event:
        case sites.PowerPricePublished() as event:
            return [Put(POWER_PRICES, _power_price(record, event))]
        case sites.HashpricePublished() as event:
            return [Put(HASH_PRICES, _hash_price(record, event))]
        case sites.InputRejected():
            cause = record.envelope.cause
            return _refused(cause) if cause else []
        case _:
            return []


def _refused(cause: Cause) -> list[Operation]:
    """Only one of them holds what that record published."""
    place = (cause.partition, cause.offset)
    return [Update(table, place, {"rejected": True}) for table in (POWER_PRICES, HASH_PRICES)]


def _power_price(record: LogRecord, event: sites.PowerPricePublished) -> dict[str, object]:
    return {
        "site_id": event.site_id,
        "settlement_point": event.settlement_point,
        "interval_start": moment(event.interval_start),
        "interval_end": moment(event.interval_end),
        "price_usd_per_mwh": event.price_usd_per_mwh,
        "partition": record.partition,
        "offset": record.offset,
        "rejected": False,
    }


def _hash_price(record: LogRecord, event: sites.HashpricePublished) -> dict[str, object]:
    return {
        "site_id": event.site_id,
        "interval_start": moment(event.interval_start),
        "hashprice_usd_per_ph_day": event.hashprice_usd_per_ph_day,
        "difficulty": event.difficulty,
        "fees_sats": event.fees_sats,
        "btc_price_usd": event.btc_price_usd,
        "partition": record.partition,
        "offset": record.offset,
        "rejected": False,
    }


READ_MODEL = ReadModel(
    name="prices",
    doc="The price of power and of hashrate, by site and interval.",
    tables=(POWER_PRICES, HASH_PRICES),
    topics=(SITES,),
    reads=frozenset({sites.PowerPricePublished, sites.HashpricePublished, sites.InputRejected}),
    operations=operations,
    owner=__name__,
)
