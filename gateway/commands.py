"""Bodies of writes, and the producer events they become.

What can be seen to be wrong here is refused here, with every fault named; the agents decide again,
because between this look at the read models and their turn the world may have changed.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from gateway import kept_queries, queries
from gateway.context import Gateway
from gateway.database import Row
from gateway.errors import Conflict, Fault, Invalid, Unavailable
from gateway.kept_answers import Identity, claim, fresh_identity, once
from gateway.position import Position
from gateway.publisher import SOURCE
from gateway.values import DecimalNumber, Identifier, Moment, Text, to_ms
from schemas.envelope import MAX_TIME_MS, produced
from schemas.events import intake, sites
from schemas.topics import SITES, Event

MAX_GPUS = 100_000
MAX_DURATION_S = 366 * 86_400
MAX_POWER_W = 10**10
MAX_PRIORITY = 1_000_000
MAX_PRICE_USD = 100_000
LAST_MS = 4_102_444_800_000  # 2100: a site takes no later time


def _before_2100(moment: datetime) -> datetime:
    if to_ms(moment) > LAST_MS:
        raise ValueError("Must be before 2100")
    return moment


Plannable = Annotated[Moment, AfterValidator(_before_2100)]
Price = Annotated[
    DecimalNumber,
    Field(ge=0, le=MAX_PRICE_USD, max_digits=18, decimal_places=6),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": MAX_PRICE_USD},
                {"type": "string", "pattern": r"^0*(100000(\.0{1,6})?|[0-9]{1,5}(\.[0-9]{1,6})?)$"},
            ]
        }
    ),
]
TIME_LIMITS = "From 1970, before 2100"
PRICE_LIMITS = "At most 6 digits after the point"
# Words that stand where an id would, in the paths of workloads.
RESERVED = frozenset({"classify"})


class Body(BaseModel):
    """An unknown member is a fault: a misspelled limit must not be ignored."""

    model_config = ConfigDict(extra="forbid", strict=True)


class WorkloadSpec(Body):
    """What a workload needs."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"gpu_milli": {"maximum": 999}}, "required": ["gpu_milli"]},
            "then": {"properties": {"gpu_count": {"const": 1}}},
        }
    )

    kind: Literal["training", "inference", "batch", "interactive"]
    gpu_model: Text | None = Field(default=None, description="Null: any model", examples=["H100"])
    gpu_count: int = Field(ge=1, le=MAX_GPUS)
    gpu_milli: int = Field(
        default=1000, ge=1, le=1000, description="Thousandths of the GPU; under 1000 shares one"
    )
    duration_s: int = Field(ge=1, le=MAX_DURATION_S, description="Expected run time")
    site_id: Identifier | None = Field(default=None, description="Null: any site of the pool")
    deadline: Plannable | None = Field(
        default=None, description=f"Worth nothing if not done by then. {TIME_LIMITS}"
    )
    priority: int = Field(default=0, ge=-MAX_PRIORITY, le=MAX_PRIORITY, description="Higher first")
    preemptible: bool = False
    max_price_usd_per_gpu_hour: Price | None = Field(
        default=None, description=f"Null: any price. {PRICE_LIMITS}"
    )

    @field_validator("gpu_milli")
    @classmethod
    def _one_gpu_is_shared(cls, gpu_milli: int, info: ValidationInfo) -> int:
        if gpu_milli < 1000 and info.data.get("gpu_count", 1) != 1:
            raise ValueError("Only a workload with gpu_count 1 can take a part of a GPU")
        return gpu_milli


class WorkloadSubmission(WorkloadSpec):
    name: Text
    customer_id: Identifier = Field(
        default="demo", description="Who pays: until logins exist, whoever is named"
    )
    workload_id: Identifier | None = Field(
        default=None,
        description="Chosen by the client, so that a retry is the same workload",
        json_schema_extra={"not": {"enum": [*sorted(RESERVED)]}},
    )

    @field_validator("workload_id")
    @classmethod
    def _has_a_path(cls, workload_id: str | None) -> str | None:
        if workload_id in RESERVED:
            raise ValueError(f"{workload_id} is a word of the API's own paths; choose another id")
        return workload_id


class CurtailmentRequest(Body):
    max_power_w: int = Field(ge=0, le=MAX_POWER_W, description="Level to stay at or below")
    starts_at: Plannable | None = Field(
        default=None, description=f"Null: now, by the site's clock. {TIME_LIMITS}"
    )
    duration_s: int = Field(ge=1, le=MAX_DURATION_S)
    reason: Annotated[str, Field(max_length=500, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")] = ""
    payment_usd_per_mwh: Price | None = Field(
        default=None, description=f"Paid for energy not used. {PRICE_LIMITS}"
    )
    curtailment_id: Identifier | None = None


class ClockCorrection(Body):
    now: Plannable = Field(description="What the site's clock is set to, forwards or back")
    corrected_by: Text = Field(default="operator", description="Who sets it")
    reason: Annotated[str, Field(max_length=500, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")] = ""


class AcceptedWorkload(BaseModel):
    workload_id: str
    position: str = Field(description="Send it back as HCP-Min-Position to read your own write")


class AcceptedCurtailment(BaseModel):
    curtailment_id: str
    position: str = Field(description="Send it back as HCP-Min-Position to read your own write")


class AcceptedClockCorrection(BaseModel):
    site_id: str
    position: str = Field(description="Send it back as HCP-Min-Position to read your own write")


async def submit_workload(
    gateway: Gateway, body: WorkloadSubmission, raw_body: bytes, headers: Mapping[str, str]
) -> AcceptedWorkload:
    """Publish a submission to its site's log, or to the intake of the default pool.

    Raises Invalid for a site nobody configured, Conflict for a workload_id that means another
    workload, Unavailable when the log does not acknowledge.
    """
    if body.site_id is not None:
        await require_site(gateway, body.site_id)
    fresh = fresh_identity(body.workload_id or str(uuid.uuid4()), await _now_ms(gateway, body))

    async def write(identity: Identity) -> AcceptedWorkload:
        known = await _same_workload(gateway, body)
        if known is not None:
            return known
        event = _submission(body, identity, gateway.settings.gateway_default_pool)
        position = await publish(gateway, event, identity)
        return AcceptedWorkload(workload_id=identity.subject_id, position=position)

    async def act(identity: Identity) -> AcceptedWorkload:
        if body.workload_id is None:
            return await write(identity)
        await _same_workload(gateway, body)  # tells what differs, where a read model knows it
        scope = "workload_id"
        await kept_queries.forget_rejected_workload(gateway.database, scope, body.workload_id)
        return await claim(
            gateway.database,
            scope=scope,
            content=body,
            fresh=identity,
            act=write,
            answer=AcceptedWorkload,
            clash=_workload_id_taken(
                body.workload_id, "was submitted before, with other content or for another site"
            ),
        )

    return await once(
        gateway.database,
        scope="POST /workloads",
        headers=headers,
        raw_body=raw_body,
        fresh=fresh,
        act=act,
        answer=AcceptedWorkload,
    )


async def cancel_workload(gateway: Gateway, row: Row) -> AcceptedWorkload:
    """While no site has it, brokering is told: it waits there, or brokering knows who has it.

    Raises Conflict when it has ended.
    """
    workload_id, site_id = row["workload_id"], row["site_id"]
    if row["ended_at"] is not None or row["state"] in ENDED:
        raise Conflict(f"Workload {workload_id} has ended already: it is {row['state']}.")
    event: Event
    if site_id is None:
        at_ms = await _pool_now_ms(gateway, row["pool"])
        event = intake.WorkloadCancelled(
            pool=row["pool"], at=at_ms, workload_id=workload_id, cancelled_by="gateway", reason=""
        )
    else:
        at_ms = await site_now_ms(gateway, site_id)
        event = sites.WorkloadCancelled(
            site_id=site_id, at=at_ms, workload_id=workload_id, cancelled_by="gateway", reason=""
        )
    position = await publish(gateway, event, fresh_identity(workload_id, at_ms))
    return AcceptedWorkload(workload_id=workload_id, position=position)


async def request_curtailment(
    gateway: Gateway,
    site_id: str,
    body: CurtailmentRequest,
    raw_body: bytes,
    headers: Mapping[str, str],
) -> AcceptedCurtailment:
    """Raises Conflict for a curtailment_id that means another request on this site."""
    now_ms = await site_now_ms(gateway, site_id)
    fresh = fresh_identity(body.curtailment_id or str(uuid.uuid4()), now_ms)

    async def write(identity: Identity) -> AcceptedCurtailment:
        known = await _same_curtailment(gateway, site_id, body)
        if known is not None:
            return known
        event = sites.CurtailmentRequested(
            site_id=site_id,
            at=identity.at_ms,
            curtailment_id=identity.subject_id,
            max_power_w=body.max_power_w,
            starts_at=identity.at_ms if body.starts_at is None else to_ms(body.starts_at),
            duration_s=body.duration_s,
            reason=body.reason,
            payment_usd_per_mwh=body.payment_usd_per_mwh,
        )
        position = await publish(gateway, event, identity)
        return AcceptedCurtailment(curtailment_id=identity.subject_id, position=position)

    async def act(identity: Identity) -> AcceptedCurtailment:
        if body.curtailment_id is None:
            return await write(identity)
        await _same_curtailment(gateway, site_id, body)  # before an id is claimed in vain
        scope = f"curtailment_id on {site_id}"
        await kept_queries.forget_refused_curtailment(
            gateway.database, scope, body.curtailment_id, site_id
        )
        return await claim(
            gateway.database,
            scope=scope,
            content=body,
            fresh=identity,
            act=write,
            answer=AcceptedCurtailment,
            clash=_curtailment_id_taken(body.curtailment_id, site_id),
        )

    return await once(
        gateway.database,
        scope=f"POST /sites/{site_id}/curtailments",
        headers=headers,
        raw_body=raw_body,
        fresh=fresh,
        act=act,
        answer=AcceptedCurtailment,
    )


async def lift_curtailment(gateway: Gateway, row: Row) -> AcceptedCurtailment:
    """Raises Conflict when it is over."""
    curtailment_id, site_id = row["curtailment_id"], row["site_id"]
    at_ms = await site_now_ms(gateway, site_id)
    if row["state"] == "lifted" or to_ms(row["ends_at"]) <= at_ms:
        raise Conflict(f"Curtailment {curtailment_id} is over already.")
    event = sites.CurtailmentLifted(
        site_id=site_id, at=at_ms, curtailment_id=curtailment_id, reason=""
    )
    position = await publish(gateway, event, fresh_identity(curtailment_id, at_ms))
    return AcceptedCurtailment(curtailment_id=curtailment_id, position=position)


async def correct_clock(
    gateway: Gateway,
    site_id: str,
    body: ClockCorrection,
    raw_body: bytes,
    headers: Mapping[str, str],
) -> AcceptedClockCorrection:
    """Publish what the site's clock is to be."""
    fresh = fresh_identity(site_id, await site_now_ms(gateway, site_id))

    async def act(identity: Identity) -> AcceptedClockCorrection:
        event = sites.ClockCorrected(
            site_id=site_id,
            at=identity.at_ms,
            now=to_ms(body.now),
            corrected_by=body.corrected_by,
            reason=body.reason,
        )
        position = await publish(gateway, event, identity)
        return AcceptedClockCorrection(site_id=site_id, position=position)

    return await once(
        gateway.database,
        scope=f"POST /sites/{site_id}/clock",
        headers=headers,
        raw_body=raw_body,
        fresh=fresh,
        act=act,
        answer=AcceptedClockCorrection,
    )


async def require_site(gateway: Gateway, site_id: str) -> None:
    """Raises Invalid, pointing at site_id, when no site of this name is configured."""
    if not await queries.site_known(gateway.database, site_id):
        detail = f"There is no site {site_id}."
        raise Invalid(detail, faults=[Fault(detail=detail, pointer="#/site_id")])


async def publish(gateway: Gateway, event: Event, identity: Identity) -> str:
    if "registry" in gateway.missing:
        raise Unavailable("The schema registry has not answered yet, so nothing can be written.")
    envelope = produced(event, source=SOURCE, id=identity.event_id)
    return str(await gateway.publisher.publish(event, envelope))


async def site_now_ms(gateway: Gateway, site_id: str) -> int:
    """The site's time as the read model knows it; wall time while it knows no such site."""
    return to_ms(await queries.site_now(gateway.database, site_id) or datetime.now(UTC))


ENDED = frozenset({"completed", "cancelled", "failed", "rejected"})


async def _now_ms(gateway: Gateway, body: WorkloadSpec) -> int:
    if body.site_id is not None:
        return await site_now_ms(gateway, body.site_id)
    return await _pool_now_ms(gateway, gateway.settings.gateway_default_pool)


async def _pool_now_ms(gateway: Gateway, pool: str) -> int:
    """Wall time while no site of the pool is known; brokering sets that right when one is."""
    return to_ms(await queries.pool_now(gateway.database, pool) or datetime.now(UTC))


def _submission(body: WorkloadSubmission, identity: Identity, pool: str) -> Event:
    spec: dict[str, Any] = {
        "at": identity.at_ms,
        "workload_id": identity.subject_id,
        "customer_id": body.customer_id,
        "name": body.name,
        "kind": body.kind,
        "gpu_model": body.gpu_model,
        "gpu_count": body.gpu_count,
        "gpu_milli": body.gpu_milli,
        "duration_s": body.duration_s,
        "priority": body.priority,
        "preemptible": body.preemptible,
        "deadline": None if body.deadline is None else to_ms(body.deadline),
        "max_price_usd_per_gpu_hour": body.max_price_usd_per_gpu_hour,
    }
    if body.site_id is None:
        return intake.WorkloadSubmitted(pool=pool, **spec)
    return sites.WorkloadSubmitted(site_id=body.site_id, **spec)


SAME = (
    *("customer_id", "name", "kind", "gpu_model", "gpu_count", "gpu_milli", "duration_s"),
    *("priority", "preemptible", "deadline", "max_price_usd_per_gpu_hour"),
)


async def _same_workload(gateway: Gateway, body: WorkloadSubmission) -> AcceptedWorkload | None:
    """The answer for a workload that is on a log already, whoever wrote it; None: there is none, or
    it was rejected, which the agents do not remember either.

    Raises Conflict when its workload_id means another workload.
    """
    if body.workload_id is None:
        return None
    row = await queries.workload(gateway.database, body.workload_id)
    if row is None or row["state"] == "rejected":
        return None
    differing = [name for name in SAME if _in_ms(getattr(body, name)) != _in_ms(row[name])]
    if body.site_id is not None and row["site_id"] != body.site_id:
        differing.append("site_id")
    if differing:
        raise _workload_id_taken(body.workload_id, f"exists and differs in {', '.join(differing)}")
    first = await queries.workload_events(gateway.database, body.workload_id, 1, None)
    if not first:
        return None
    return AcceptedWorkload(workload_id=body.workload_id, position=_position(first[0]))


async def _same_curtailment(
    gateway: Gateway, site_id: str, body: CurtailmentRequest
) -> AcceptedCurtailment | None:
    """As _same_workload."""
    if body.curtailment_id is None:
        return None
    rows = await queries.curtailments_named(gateway.database, body.curtailment_id, site_id)
    if not rows:
        return None
    row = rows[0]
    starts_ms = to_ms(row["starts_at"])
    same = (
        body.max_power_w == row["max_power_w"]
        and (body.starts_at is None or to_ms(body.starts_at) == starts_ms)
        and min(starts_ms + body.duration_s * 1000, MAX_TIME_MS) == to_ms(row["ends_at"])
        and body.reason == row["reason"]
        and body.payment_usd_per_mwh == row["payment_usd_per_mwh"]
    )
    if not same:
        raise _curtailment_id_taken(body.curtailment_id, site_id)
    position = _position({**row, "topic": SITES.name})
    return AcceptedCurtailment(curtailment_id=body.curtailment_id, position=position)


def _workload_id_taken(workload_id: str, how: str) -> Conflict:
    kind = "urn:hcp:problem:workload-id-taken"
    return Conflict(f"Workload {workload_id} {how}.", kind=kind)


def _curtailment_id_taken(curtailment_id: str, site_id: str) -> Conflict:
    detail = f"Curtailment {curtailment_id} was requested on {site_id} before and differs."
    return Conflict(detail, kind="urn:hcp:problem:curtailment-id-taken")


def _in_ms(value: object) -> object:
    """The read models keep what the logs do: milliseconds."""
    return to_ms(value) if isinstance(value, datetime) else value


def _position(row: Row) -> str:
    return str(Position(row["topic"], row["partition"], row["offset"]))
