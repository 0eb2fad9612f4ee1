"""Bill what is known although a site is silent: an operator ends the wait for it."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from pydantic import BaseModel, Field

from gateway import queries
from gateway.commands import Body, publish
from gateway.context import Gateway
from gateway.endpoints import Call, Endpoint, Query
from gateway.errors import Fault, Invalid
from gateway.kept_answers import IDEMPOTENCY_KEY, Identity, fresh_identity, key_faults, once
from gateway.routes.sites import site_row
from gateway.values import Identifier, Moment, Time, to_ms
from schemas.events.accounts import CollectionWaived

TAG = "billing"
ACTOR = "gateway"  # until logins exist


class WaiverRequest(Body):
    customer_id: Identifier
    until: Moment = Field(
        description="What ends by then waits for the site no longer; not ahead of now"
    )
    reason: Annotated[str, Field(max_length=500, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")] = ""


class AcceptedWaiver(BaseModel):
    site_id: str
    customer_id: str
    until: Time
    position: str = Field(description="Send it back as HCP-Min-Position to read your own write")


async def waive(gateway: Gateway, call: Call[Query, WaiverRequest]) -> AcceptedWaiver:
    """Raises NotFound for an unknown site, Invalid for a moment that is still to come."""
    site_id, body = (await site_row(gateway, call.path["site_id"]))["site_id"], call.body
    # A silent site has no clock that goes on: the newest one counts, whoever's it is.
    newest = await queries.newest_clock(gateway.database)
    now_ms = max(to_ms(datetime.now(UTC)), 0 if newest is None else to_ms(newest))
    if to_ms(body.until) > now_ms:
        detail = "Only what is over can be waived"
        raise Invalid(detail + ".", faults=[Fault(detail=detail, pointer="#/until")])

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
