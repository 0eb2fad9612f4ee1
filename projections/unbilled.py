"""What is rated and not billed yet, by customer, contract, period and site; and who waived a wait.

Periods of a contract close in order, so what starts at or after its `closed_until` is unbilled
(view `unbilled_usage`). A site that has collected nothing for `silence_patience()`, by event time
or by the wall clock, and holds unbilled usage is silent (view `silent_sites`, and an alert in
`all_alerts`).
"""

from __future__ import annotations

from projections.operations import Add, Insert, Operation, Put, Table, Update
from projections.record import HOUR_MS, LogRecord, ReadModel, moment
from schemas.events import accounts
from schemas.topics import ACCOUNTS

USAGE = Table(
    "rated_usage",
    key=("customer_id", "contract_id", "period_start", "site_id"),
    columns=(
        *("customer_id", "contract_id", "period_start", "site_id"),
        *("ratings", "amount_usd_micros"),
    ),
)
CLOSINGS = Table(
    "period_closings",
    key=("customer_id", "contract_id"),
    columns=("customer_id", "contract_id", "closed_until"),
)
WAIVERS = Table(
    "collection_waivers",
    key=("partition", "offset"),
    columns=(
        *("partition", "offset", "customer_id", "site_id", "waived_until", "waived_by", "reason"),
        *("waived_at", "rejected", "refused_reason", "refused_detail"),
    ),
)


def operations(record: LogRecord) -> list[Operation]:
    match record.event:
        case accounts.UsageRated() as event:
            return _rated(event)
        case accounts.BillingPeriodClosed() as event:
            row = {
                "customer_id": event.customer_id,
                "contract_id": event.contract_id,
                "closed_until": moment(event.period_end),
            }
            return [Put(CLOSINGS, row)]
        case accounts.CollectionWaived() as event:
            return [Put(WAIVERS, _waiver(record, event))]
        case accounts.InputRejected(rejected_type=accounts.CollectionWaived.FULL_NAME) as event:
            return _refused(record, event)
        case _:
            return []


def _rated(event: accounts.UsageRated) -> list[Operation]:
    """A rating of before they named their period counts by its hour."""
    of_contract = {"customer_id": event.customer_id, "contract_id": event.contract_id}
    hour_ms = event.interval_start - event.interval_start % HOUR_MS
    row = {
        **of_contract,
        "period_start": moment(hour_ms if event.period_start is None else event.period_start),
        "site_id": event.site_id,
        "ratings": 1,
        "amount_usd_micros": event.amount_usd_micros,
    }
    return [Add(USAGE, row), Insert(CLOSINGS, {**of_contract, "closed_until": moment(0)})]


def _refused(record: LogRecord, event: accounts.InputRejected) -> list[Operation]:
    cause = record.envelope.cause
    if cause is None:
        return []
    why = {"refused_reason": event.reason, "refused_detail": event.detail}
    return [Update(WAIVERS, (cause.partition, cause.offset), {"rejected": True, **why})]


def _waiver(record: LogRecord, event: accounts.CollectionWaived) -> dict[str, object]:
    return {
        "partition": record.partition,
        "offset": record.offset,
        "customer_id": event.customer_id,
        "site_id": event.site_id,
        "waived_until": moment(event.waived_until),
        "waived_by": event.waived_by,
        "reason": event.reason,
        "waived_at": moment(event.at),
        "rejected": False,
        "refused_reason": None,
        "refused_detail": None,
    }


READ_MODEL = ReadModel(
    name="unbilled",
    doc="What is rated and not billed yet, and which waits for a site were waived.",
    tables=(USAGE, CLOSINGS, WAIVERS),
    topics=(ACCOUNTS,),
    reads=frozenset(
        {
            accounts.UsageRated,
            accounts.BillingPeriodClosed,
            accounts.CollectionWaived,
            accounts.InputRejected,
        }
    ),
    operations=operations,
    owner=__name__,
)
