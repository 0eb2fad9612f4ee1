"""Sites with their feeders, the newest power plan, and capacity."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, Field

from gateway import commands, queries
from gateway.commands import AcceptedClockCorrection, ClockCorrection
from gateway.context import Gateway
from gateway.database import Row
from gateway.endpoints import Call, Endpoint, NoBody, Query, get
from gateway.errors import NotFound
from gateway.kept_answers import IDEMPOTENCY_KEY, key_faults
from gateway.pages import Order, Page, PageQuery
from gateway.values import Money, Number, Text, Time, money

TAG = "sites"
BY_ID = Order("sites", site_id=str)
CAPACITY_BY_ID = Order("capacity", site_id=str)


class Feeder(BaseModel):
    feeder_id: str
    power_cap_w: int
    planned_power_w: int
    ai_power_w: int
    mining_power_w: int
    shadow_price_usd_per_mwh: Number | None = Field(
        description="What one more megawatt-hour through it would earn"
    )


class GpuPrice(BaseModel):
    gpu_model: str
    price_usd_per_gpu_hour: Number


class Site(BaseModel):
    site_id: str
    name: str
    pool: str
    power_cap_w: int
    planned_power_w: int
    ai_power_w: int
    mining_power_w: int
    now: Time | None = Field(description="The site's clock, the only now that agents know")
    gpu_prices: list[GpuPrice]
    updated_at: Time


class SiteDetail(Site):
    feeders: list[Feeder]


class PlanAssignment(BaseModel):
    mode: str
    unit_ids: list[str]


class FeederHeadroom(BaseModel):
    feeder_id: str
    ai_headroom_w: int
    shadow_price_usd_per_mwh: Number


class PowerPlan(BaseModel):
    plan_id: str
    site_id: str
    at: Time
    policy_version: str
    trigger: str
    assignments: list[PlanAssignment]
    headroom: list[FeederHeadroom]
    site_shadow_price_usd_per_mwh: Number
    value_per_hour: Money
    bound_per_hour: Money
    applied_at: Time | None = Field(description="Null while routing has not answered")
    applied: int | None = Field(description="Units that changed mode")
    skipped: int | None = Field(description="Units for which it no longer fitted")
    skip_reason: str | None


class GpuCapacity(BaseModel):
    model: str
    total: int
    free: int = Field(description="Working, without any workload")
    in_use: int
    out_of_service: int
    free_gpu_milli: int = Field(description="Thousandths, with the rests of shared GPUs")
    price_usd_per_gpu_hour: Number | None


class FeederCapacity(BaseModel):
    feeder_id: str
    power_cap_w: int
    headroom_w: int = Field(description="Under the cap, with mining as it is")
    ai_headroom_w: int = Field(description="Under the cap, if all mining gave way")


class SiteCapacity(BaseModel):
    site_id: str
    power_cap_w: int
    headroom_w: int
    ai_headroom_w: int
    gpus: list[GpuCapacity]
    feeders: list[FeederCapacity]


class SitesQuery(PageQuery):
    order = BY_ID


class CapacityQuery(PageQuery):
    order = CAPACITY_BY_ID

    site_id: Text | None = None


async def list_sites(gateway: Gateway, call: Call[SitesQuery, NoBody]) -> Page[Site]:
    query = call.query
    rows = await queries.sites(gateway.database, query.limit, BY_ID.after(query))
    return BY_ID.page(rows, query.limit, Site.model_validate)


async def read_site(gateway: Gateway, call: Call[Query, NoBody]) -> SiteDetail:
    row = await site_row(gateway, call.path["site_id"])
    feeders = await queries.feeders(gateway.database, row["site_id"])
    return SiteDetail.model_validate({**row, "feeders": feeders})


async def read_plan(gateway: Gateway, call: Call[Query, NoBody]) -> PowerPlan:
    site = await site_row(gateway, call.path["site_id"])
    row = await queries.newest_plan(gateway.database, site["site_id"])
    if row is None:
        raise NotFound(f"Site {site['site_id']} has no power plan yet.")
    return PowerPlan.model_validate(
        {
            **row,
            "value_per_hour": money(row["value_usd_micros_per_hour"]),
            "bound_per_hour": money(row["bound_usd_micros_per_hour"]),
        }
    )


async def correct_clock(
    gateway: Gateway, call: Call[Query, ClockCorrection]
) -> AcceptedClockCorrection:
    site = await site_row(gateway, call.path["site_id"])
    return await commands.correct_clock(
        gateway, site["site_id"], call.body, call.raw_body, call.headers
    )


async def list_capacity(gateway: Gateway, call: Call[CapacityQuery, NoBody]) -> Page[SiteCapacity]:
    query = call.query
    wanted, after = query.site_id, CAPACITY_BY_ID.after(query)
    if wanted is None:
        sites = await queries.sites(gateway.database, query.limit, after)
    else:
        found = await site_row(gateway, wanted)
        sites = [found] if after is None else []
    gpus = await queries.capacity(gateway.database, wanted)
    feeders = await queries.feeders(gateway.database, wanted)
    return CAPACITY_BY_ID.page(sites, query.limit, lambda site: _capacity(site, gpus, feeders))


async def site_row(gateway: Gateway, site_id: str) -> Row:
    row = await queries.site(gateway.database, site_id)
    if row is None:
        raise NotFound(f"There is no site {site_id}.")
    return row


def _capacity(site: Row, gpus: list[Row], feeders: list[Row]) -> SiteCapacity:
    site_id = site["site_id"]
    prices: dict[str, Any] = {
        row["gpu_model"]: row["price_usd_per_gpu_hour"] for row in site["gpu_prices"]
    }
    return SiteCapacity(
        site_id=site_id,
        power_cap_w=site["power_cap_w"],
        headroom_w=site["power_cap_w"] - site["planned_power_w"],
        ai_headroom_w=site["power_cap_w"] - site["ai_power_w"],
        gpus=[
            GpuCapacity.model_validate({**row, "price_usd_per_gpu_hour": prices.get(row["model"])})
            for row in gpus
            if row["site_id"] == site_id
        ],
        feeders=[
            FeederCapacity(
                feeder_id=row["feeder_id"],
                power_cap_w=row["power_cap_w"],
                headroom_w=row["power_cap_w"] - row["planned_power_w"],
                ai_headroom_w=row["power_cap_w"] - row["ai_power_w"],
            )
            for row in feeders
            if row["site_id"] == site_id
        ],
    )


ENDPOINTS = (
    get(
        "/sites",
        list_sites,
        query=SitesQuery,
        answer=Page[Site],
        summary="List sites",
        tag=TAG,
    ),
    get(
        "/sites/{site_id}",
        read_site,
        query=Query,
        answer=SiteDetail,
        summary="One site with its feeders",
        tag=TAG,
    ),
    get(
        "/sites/{site_id}/plan",
        read_plan,
        query=Query,
        answer=PowerPlan,
        summary="The newest power plan: modes, headroom, shadow prices, bound",
        tag=TAG,
    ),
    Endpoint(
        method="POST",
        path="/sites/{site_id}/clock",
        summary="Set a site's clock that wrong ticks have moved",
        tag=TAG,
        answer=AcceptedClockCorrection,
        handler=correct_clock,
        query=Query,
        body=ClockCorrection,
        status=HTTPStatus.ACCEPTED,
        problems=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
        header_faults=key_faults,
        headers=(IDEMPOTENCY_KEY,),
    ),
    get(
        "/capacity",
        list_capacity,
        query=CapacityQuery,
        answer=Page[SiteCapacity],
        summary="GPUs by site and model, and power headroom",
        tag=TAG,
        problems=(HTTPStatus.NOT_FOUND,),
    ),
)
