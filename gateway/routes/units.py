"""Units: every GPU and ASIC that can be switched."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from gateway import queries
from gateway.context import Gateway
from gateway.endpoints import Call, NoBody, Query, get
from gateway.errors import Fault, Invalid, NotFound
from gateway.pages import Order, Page, PageQuery
from gateway.values import Text, Time

TAG = "units"
BY_SITE = Order("units", site_id=str, unit_id=str)

Kind = Literal["gpu", "asic"]
State = Literal["ok", "failed", "drained", "degraded"]


class UnitMode(BaseModel):
    mode: str
    power_w: int
    hashrate_ths: int
    tflops: float


class Unit(BaseModel):
    unit_id: str
    site_id: str
    feeder_id: str
    kind: Kind
    model: str
    mode: str
    state: State
    power_w: int = Field(description="Planned now")
    hashrate_ths: int | None = Field(description="In its best mode")
    tflops: float | None = Field(description="Dense BF16, in its best mode")
    workload_ids: list[str]
    memory_gb: int
    modes: list[UnitMode]
    detail: str
    updated_at: Time


class UnitsQuery(PageQuery):
    order = BY_SITE

    site_id: Text | None = None
    feeder_id: Text | None = None
    kind: Kind | None = None
    state: State | None = None


class UnitQuery(Query):
    site_id: Text | None = Field(default=None, description="Needed where two sites share a name")


async def list_units(gateway: Gateway, call: Call[UnitsQuery, NoBody]) -> Page[Unit]:
    query = call.query
    rows = await queries.units(
        gateway.database,
        query.limit,
        BY_SITE.after(query),
        site_id=query.site_id,
        feeder_id=query.feeder_id,
        kind=query.kind,
        state=query.state,
    )
    return BY_SITE.page(rows, query.limit, Unit.model_validate)


async def read_unit(gateway: Gateway, call: Call[UnitQuery, NoBody]) -> Unit:
    unit_id = call.path["unit_id"]
    rows = await queries.units_named(gateway.database, unit_id, call.query.site_id)
    if not rows:
        raise NotFound(f"There is no unit {unit_id}.")
    if len(rows) > 1:
        detail = f"More than one site has a unit {unit_id}: say which with site_id."
        raise Invalid(detail, faults=[Fault(detail=detail, parameter="site_id")])
    return Unit.model_validate(rows[0])


ENDPOINTS = (
    get(
        "/units",
        list_units,
        query=UnitsQuery,
        answer=Page[Unit],
        summary="List units",
        tag=TAG,
    ),
    get(
        "/units/{unit_id}",
        read_unit,
        query=UnitQuery,
        answer=Unit,
        summary="One unit",
        tag=TAG,
    ),
)
