"""Grid dispatch: ask a site to stay at or below a level, and lift it again."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Literal

from pydantic import BaseModel, Field

from gateway import commands, queries
from gateway.commands import AcceptedCurtailment, CurtailmentRequest
from gateway.context import Gateway
from gateway.endpoints import Call, Endpoint, NoBody, Query, get
from gateway.errors import Fault, Invalid, NotFound
from gateway.kept_answers import IDEMPOTENCY_KEY, key_faults
from gateway.pages import Order, Page, PageQuery
from gateway.routes.sites import site_row
from gateway.values import Number, Text, Time

TAG = "curtailments"
NEWEST = Order("curtailments", starts_at=datetime, curtailment_id=str)


class Curtailment(BaseModel):
    curtailment_id: str
    site_id: str
    max_power_w: int
    starts_at: Time
    ends_at: Time
    state: Literal["requested", "met", "lifted"]
    reason: str
    payment_usd_per_mwh: Number | None
    requested_at: Time
    met_at: Time | None
    lifted_at: Time | None


class CurtailmentsQuery(PageQuery):
    order = NEWEST


class LiftQuery(Query):
    site_id: Text | None = Field(default=None, description="Needed where two sites share an id")


async def list_curtailments(
    gateway: Gateway, call: Call[CurtailmentsQuery, NoBody]
) -> Page[Curtailment]:
    site = await site_row(gateway, call.path["site_id"])
    query = call.query
    rows = await queries.curtailments(
        gateway.database, query.limit, NEWEST.after(query), site_id=site["site_id"]
    )
    return NEWEST.page(rows, query.limit, Curtailment.model_validate)


async def request(gateway: Gateway, call: Call[Query, CurtailmentRequest]) -> AcceptedCurtailment:
    site = await site_row(gateway, call.path["site_id"])
    return await commands.request_curtailment(
        gateway, site["site_id"], call.body, call.raw_body, call.headers
    )


async def lift(gateway: Gateway, call: Call[LiftQuery, NoBody]) -> AcceptedCurtailment:
    curtailment_id = call.path["curtailment_id"]
    rows = await queries.curtailments_named(gateway.database, curtailment_id, call.query.site_id)
    if not rows:
        raise NotFound(f"There is no curtailment {curtailment_id}.")
    if len(rows) > 1:
        detail = f"More than one site has a curtailment {curtailment_id}: say which with site_id."
        raise Invalid(detail, faults=[Fault(detail=detail, parameter="site_id")])
    return await commands.lift_curtailment(gateway, rows[0])


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/sites/{site_id}/curtailments",
        summary="Ask a site to stay at or below a level for a time",
        tag=TAG,
        answer=AcceptedCurtailment,
        handler=request,
        query=Query,
        body=CurtailmentRequest,
        status=HTTPStatus.ACCEPTED,
        problems=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
        header_faults=key_faults,
        headers=(IDEMPOTENCY_KEY,),
    ),
    get(
        "/sites/{site_id}/curtailments",
        list_curtailments,
        query=CurtailmentsQuery,
        answer=Page[Curtailment],
        summary="A site's curtailments, newest first",
        tag=TAG,
    ),
    Endpoint(
        method="DELETE",
        path="/curtailments/{curtailment_id}",
        summary="Lift a curtailment",
        tag=TAG,
        answer=AcceptedCurtailment,
        handler=lift,
        query=LiftQuery,
        body=NoBody,
        status=HTTPStatus.ACCEPTED,
        problems=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    ),
)
