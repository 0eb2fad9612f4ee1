"""Power prices, hashprices, and what they make of each kind of unit."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from gateway import money_queries as queries
from gateway.context import Gateway
from gateway.endpoints import Call, NoBody, Query, get
from gateway.pages import Order, Page, PageQuery
from gateway.profitability import BY_MODE, Profitability, profitability
from gateway.values import Moment, Number, Text, Time

TAG = "prices"
NEWEST_POWER = Order(
    "power prices",
    interval_start=datetime,
    site_id=str,
    settlement_point=str,
    interval_end=datetime,
)
NEWEST_HASH = Order("hash prices", interval_start=datetime, site_id=str)


class PowerPrice(BaseModel):
    site_id: str
    settlement_point: str
    interval_start: Time
    interval_end: Time
    price_usd_per_mwh: Number


class HashPrice(BaseModel):
    site_id: str
    interval_start: Time
    hashprice_usd_per_ph_day: Number
    difficulty: int
    fees_sats: int
    btc_price_usd: Number


class SeriesQuery(PageQuery):
    site_id: Text | None = None
    since: Moment | None = Field(default=None, alias="from", description="Not before")
    until: Moment | None = Field(default=None, alias="to", description="Before")


class PowerPricesQuery(SeriesQuery):
    order = NEWEST_POWER


class HashPricesQuery(SeriesQuery):
    order = NEWEST_HASH


class SiteQuery(Query):
    site_id: Text | None = None


class ProfitabilityQuery(PageQuery):
    order = BY_MODE

    site_id: Text | None = None


async def list_power_prices(
    gateway: Gateway, call: Call[PowerPricesQuery, NoBody]
) -> Page[PowerPrice]:
    query = call.query
    rows = await queries.power_prices(
        gateway.database,
        query.limit,
        NEWEST_POWER.after(query),
        site_id=query.site_id,
        since=query.since,
        until=query.until,
    )
    return NEWEST_POWER.page(rows, query.limit, PowerPrice.model_validate)


async def list_hash_prices(
    gateway: Gateway, call: Call[HashPricesQuery, NoBody]
) -> Page[HashPrice]:
    query = call.query
    rows = await queries.hash_prices(
        gateway.database,
        query.limit,
        NEWEST_HASH.after(query),
        site_id=query.site_id,
        since=query.since,
        until=query.until,
    )
    return NEWEST_HASH.page(rows, query.limit, HashPrice.model_validate)


async def read_profitability(
    gateway: Gateway, call: Call[ProfitabilityQuery, NoBody]
) -> Profitability:
    query = call.query
    return profitability(
        await queries.unit_models(gateway.database, query.site_id),
        await queries.prices_in_force(gateway.database, query.site_id),
        limit=query.limit,
        after=BY_MODE.after(query),
    )


ENDPOINTS = (
    get(
        "/prices/power",
        list_power_prices,
        query=PowerPricesQuery,
        answer=Page[PowerPrice],
        summary="Power prices, newest interval first",
        tag=TAG,
    ),
    get(
        "/prices/hash",
        list_hash_prices,
        query=HashPricesQuery,
        answer=Page[HashPrice],
        summary="Hashprices, newest first",
        tag=TAG,
    ),
    get(
        "/profitability",
        read_profitability,
        query=ProfitabilityQuery,
        answer=Profitability,
        summary="Dollars an hour and a megawatt-hour by kind of unit, and break-even",
        tag=TAG,
    ),
)
