"""Invoices and their lines, each line with the usage it bills."""

from __future__ import annotations

from projections.operations import Insert, Operation, Table, Update
from projections.record import LogRecord, ReadModel, moment
from schemas.events import accounts
from schemas.topics import ACCOUNTS

INVOICES = Table(
    "invoices",
    key=("invoice_id",),
    columns=(
        *("invoice_id", "number", "customer_id", "contract_id", "period_start", "period_end"),
        *("currency", "state", "total_usd_micros", "drafted_at", "finalized_at", "finalized_by"),
    ),
)
LINES = Table(
    "invoice_lines",
    key=("invoice_id", "line_id"),
    columns=(
        *("invoice_id", "line_id", "workload_id", "meter", "description"),
        *("quantity", "unit", "amount_usd_micros", "usage_ids", "priced_by"),
    ),
)


def operations(record: LogRecord) -> list[Operation]:
    match record.event:
        case accounts.InvoiceDrafted() as event:
            lines = [Insert(LINES, _line(event.invoice_id, line)) for line in event.lines]
            return [Insert(INVOICES, _invoice(event)), *lines]
        case accounts.InvoiceFinalized() as event:
            owed = {
                "state": "finalized",
                "total_usd_micros": event.total_usd_micros,
                "finalized_at": moment(event.at),
                "finalized_by": event.finalized_by,
            }
            where = {"customer_id": (event.customer_id,)}
            return [Update(INVOICES, (event.invoice_id,), owed, where)]
        case _:
            return []


def _invoice(event: accounts.InvoiceDrafted) -> dict[str, object]:
    return {
        "invoice_id": event.invoice_id,
        "number": event.number,
        "customer_id": event.customer_id,
        "contract_id": event.contract_id,
        "period_start": moment(event.period_start),
        "period_end": moment(event.period_end),
        "currency": event.currency,
        "state": "drafted",
        "total_usd_micros": event.total_usd_micros,
        "drafted_at": moment(event.at),
        "finalized_at": None,
        "finalized_by": None,
    }


def _line(invoice_id: str, line: accounts.InvoiceLine) -> dict[str, object]:
    return {
        "invoice_id": invoice_id,
        "line_id": line.line_id,
        "workload_id": line.workload_id,
        "meter": line.meter,
        "description": line.description,
        "quantity": line.quantity,
        "unit": line.unit,
        "amount_usd_micros": line.amount_usd_micros,
        "usage_ids": list(line.usage_ids),
        "priced_by": line.priced_by,
    }


READ_MODEL = ReadModel(
    name="invoices",
    doc="Invoices, drafted and finalized, and their lines down to the usage they bill.",
    tables=(INVOICES, LINES),
    topics=(ACCOUNTS,),
    reads=frozenset({accounts.InvoiceDrafted, accounts.InvoiceFinalized}),
    operations=operations,
    owner=__name__,
)
