"""Usage and invoices."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from gateway import money_queries as queries
from gateway.context import Gateway
from gateway.database import Row
from gateway.endpoints import Call, NoBody, Query, get
from gateway.errors import NotFound
from gateway.pages import Order, Page, PageQuery
from gateway.routes.prices import SeriesQuery
from gateway.values import Money, Number, Text, Time, money, optional_money

TAG = "billing"
NEWEST_USAGE = Order("usage", interval_start=datetime, usage_id=str)
NEWEST_INVOICE = Order("invoices", period_start=datetime, invoice_id=str)

InvoiceState = Literal["drafted", "finalized"]


class Usage(BaseModel):
    """What a workload used in one interval, by one meter."""

    usage_id: str
    customer_id: str
    site_id: str
    workload_id: str
    placement_id: str
    meter: str
    gpu_model: str
    interval_start: Time
    interval_end: Time
    quantity: int
    unit: str = Field(description="gpu_us: GPU-microseconds; wh: watt-hours")
    price_usd_per_mwh: Number | None
    amount: Money | None = Field(description="Null until it is rated")
    tariff_id: str | None
    contract_id: str | None
    state: Literal["recorded", "rated", "held", "refused"] = Field(
        description="held: nobody has said a price yet; refused: nobody pays it, for `reason`"
    )
    reason: str | None

    @classmethod
    def of(cls, row: Row) -> Usage:
        return cls.model_validate({**row, "amount": optional_money(row["amount_usd_micros"])})


class UsageQuery(SeriesQuery):
    order = NEWEST_USAGE

    customer_id: Text | None = None
    workload_id: Text | None = None


class Invoice(BaseModel):
    invoice_id: str
    number: str
    customer_id: str
    contract_id: str
    period_start: Time
    period_end: Time
    state: InvoiceState
    total: Money
    drafted_at: Time
    finalized_at: Time | None
    finalized_by: str | None

    @classmethod
    def of(cls, row: Row) -> Invoice:
        return cls.model_validate({**row, "total": money(row["total_usd_micros"])})


class InvoiceLine(BaseModel):
    line_id: str
    workload_id: str
    meter: str
    description: str
    quantity: int
    unit: str
    amount: Money
    usage_ids: list[str] = Field(description="The usage this line bills, in whole or in part")
    priced_by: Literal["tariff", "list_price"] | None = Field(
        description="list_price: as quoted when placed; null where the rating does not say"
    )


class InvoiceDetail(Invoice):
    lines: list[InvoiceLine] = Field(description="They add up to the total exactly")


class InvoicesQuery(PageQuery):
    order = NEWEST_INVOICE

    customer_id: Text | None = None
    state: InvoiceState | None = None


async def list_usage(gateway: Gateway, call: Call[UsageQuery, NoBody]) -> Page[Usage]:
    query = call.query
    rows = await queries.usage(
        gateway.database,
        query.limit,
        NEWEST_USAGE.after(query),
        customer_id=query.customer_id,
        workload_id=query.workload_id,
        site_id=query.site_id,
        since=query.since,
        until=query.until,
    )
    return NEWEST_USAGE.page(rows, query.limit, Usage.of)


async def list_invoices(gateway: Gateway, call: Call[InvoicesQuery, NoBody]) -> Page[Invoice]:
    query = call.query
    rows = await queries.invoices(
        gateway.database,
        query.limit,
        NEWEST_INVOICE.after(query),
        customer_id=query.customer_id,
        state=query.state,
    )
    return NEWEST_INVOICE.page(rows, query.limit, Invoice.of)


async def read_invoice(gateway: Gateway, call: Call[Query, NoBody]) -> InvoiceDetail:
    invoice_id = call.path["invoice_id"]
    row = await queries.invoice(gateway.database, invoice_id)
    if row is None:
        raise NotFound(f"There is no invoice {invoice_id}.")
    lines = [
        {**line, "amount": money(line["amount_usd_micros"])}
        for line in await queries.invoice_lines(gateway.database, invoice_id)
    ]
    return InvoiceDetail.model_validate(
        {**row, "total": money(row["total_usd_micros"]), "lines": lines}
    )


ENDPOINTS = (
    get(
        "/usage",
        list_usage,
        query=UsageQuery,
        answer=Page[Usage],
        summary="Usage, newest interval first",
        tag=TAG,
    ),
    get(
        "/invoices",
        list_invoices,
        query=InvoicesQuery,
        answer=Page[Invoice],
        summary="Invoices, newest period first",
        tag=TAG,
    ),
    get(
        "/invoices/{invoice_id}",
        read_invoice,
        query=Query,
        answer=InvoiceDetail,
        summary="One invoice with its lines",
        tag=TAG,
    ),
)
