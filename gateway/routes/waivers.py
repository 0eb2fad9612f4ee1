"""Bill what is known although a site is silent: an operator ends the wait for it."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from gateway import money_queries as queries
from gateway.commands import Body, publish
from gateway.context import Gateway
from gateway.database import Row
from gateway.endpoints import Call, Endpoint, NoBody, Query, get
from gateway.errors import Fault, Invalid, NotFound
from gateway.kept_answers import IDEMPOTENCY_KEY, Identity, fresh_identity, key_faults, once
from gateway.pages import Int32, Order, Page, PageQuery
from gateway.position import Position
from gateway.routes.sites import site_row
from gateway.values import Identifier, Moment, Time, rfc3339, to_ms
from schemas.events.accounts import CollectionWaived
from schemas.topics import ACCOUNTS

TAG = "billing"
ACTOR = "gateway"  # until logins exist
NEWEST = Order("waivers", waived_at=datetime, partition=Int32, offset=int)


class WaiverRequest(Body):
    customer_id: Identifier
    until: Moment = Field(
        description="What ends by then waits for the site no longer; not ahead of the site's time"
    )
    reason: Annotated[str, Field(max_length=500, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")] = ""


class AcceptedWaiver(BaseModel):
    site_id: str
    customer_id: str
    until: Time
    position: str = Field(description="Send it back as HCP-Min-Position to read your own write")


class Waiver(BaseModel):
    """An operator's word that a site is not waited for, and what became of it."""

    site_id: str
    customer_id: str
    until: Time
    waived_by: str
    waived_at: Time = Field(description="By the site's time")
    reason: str = Field(description="The operator's")
    state: Literal["accepted", "refused"] = Field(
        description="accepted: unless and until invoicing refuses it"
    )
    refused_reason: str | None = Field(
        description="waived_already, waived_ahead or nothing_waits; null unless it was refused"
    )
    refused_detail: str | None = Field(description="Why it was refused, for people")
    position: str = Field(description="As the answer to the request named it")

    @classmethod
    def of(cls, row: Row) -> Waiver:
        where = Position(ACCOUNTS.name, row["partition"], row["offset"])
        state = "refused" if row["rejected"] else "accepted"
        named = {"until": row["waived_until"], "state": state, "position": str(where)}
        return cls.model_validate({**row, **named})


class WaiversQuery(PageQuery):
    order = NEWEST


async def list_waivers(gateway: Gateway, call: Call[WaiversQuery, NoBody]) -> Page[Waiver]:
    site, query = await site_row(gateway, call.path["site_id"]), call.query
    rows = await queries.waivers(
        gateway.database, query.limit, NEWEST.after(query), site_id=site["site_id"]
    )
    return NEWEST.page(rows, query.limit, Waiver.of)


async def waive(gateway: Gateway, call: Call[Query, WaiverRequest]) -> AcceptedWaiver:
    """Raises NotFound for an unknown site or customer, Invalid for a moment that is still to come,
    by the time of that site."""
    site_id, body = (await site_row(gateway, call.path["site_id"]))["site_id"], call.body
    if not await queries.customer_known(gateway.database, body.customer_id):
        raise NotFound(f"There is no customer {body.customer_id}.")
    now = await queries.waivable_until(gateway.database, site_id)
    if now is None:
        raise NotFound(f"There is no site {site_id}.")
    now_ms = to_ms(now)
    if to_ms(body.until) > now_ms:
        told = f"Only what is over can be waived: at {site_id} it is {rfc3339(now)} at most"
        raise Invalid(told + ".", faults=[Fault(detail=told, pointer="#/until")])

    async def act(identity: Identity) -> AcceptedWaiver:
        event = CollectionWaived(
            customer_id=body.customer_id,
            at=identity.at_ms,
            site_id=site_id,
            waived_until=to_ms(body.until),
            waived_by=ACTOR,
            reason=body.reason,
        )
        position = await publish(gateway, event, identity)
        return AcceptedWaiver(
            site_id=site_id, customer_id=body.customer_id, until=body.until, position=position
        )

    return await once(
        gateway.database,
        scope=f"POST /sites/{site_id}/waivers",
        headers=call.headers,
        raw_body=call.raw_body,
        fresh=fresh_identity(site_id, now_ms),
        act=act,
        answer=AcceptedWaiver,
    )


ENDPOINTS = (
    get(
        "/sites/{site_id}/waivers",
        list_waivers,
        query=WaiversQuery,
        answer=Page[Waiver],
        summary="Waits for a site that were waived, newest first, and what became of each",
        tag=TAG,
    ),
    Endpoint(
        method="POST",
        path="/sites/{site_id}/waivers",
        summary="Bill a customer what is known, without waiting for a silent site",
        tag=TAG,
        answer=AcceptedWaiver,
        handler=waive,
        query=Query,
        body=WaiverRequest,
        status=HTTPStatus.ACCEPTED,
        problems=(HTTPStatus.NOT_FOUND,),
        header_faults=key_faults,
        headers=(IDEMPOTENCY_KEY,),
    ),
)
