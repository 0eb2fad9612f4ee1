"""Workloads: submit, look at, explain, cancel; the queue; the dry run."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Any, Literal

from pydantic import BaseModel, Field

from gateway import alert_queries, commands, queries
from gateway.classification import Classification, site_feasibility, workload_class
from gateway.commands import AcceptedWorkload, WorkloadSpec, WorkloadSubmission
from gateway.context import Gateway
from gateway.database import Row
from gateway.endpoints import Call, Endpoint, NoBody, Query, get
from gateway.errors import NotFound
from gateway.kept_answers import IDEMPOTENCY_KEY, key_faults
from gateway.pages import Int32, Order, Page, PageQuery
from gateway.routes.decisions import Alert, Decision
from gateway.values import Number, Text, Time

State = Literal["queued", "switching", "running", "completed", "cancelled", "failed", "rejected"]
TAG = "workloads"
EXPLAINED = 50

NEWEST = Order("workloads", submitted_at=datetime, workload_id=str)
LOG_ORDER = Order("workload events", topic=str, partition=Int32, offset=int)
QUEUE_ORDER = Order("queue", queue=str, urgency=int, queue_offset=int, workload_id=str)


class Workload(BaseModel):
    workload_id: str
    site_id: str | None
    customer_id: str
    name: str
    kind: str
    gpu_model: str | None = Field(description="As asked for; null: any")
    gpu_count: int
    gpu_milli: int
    duration_s: int
    priority: int
    preemptible: bool
    deadline: Time | None
    max_price_usd_per_gpu_hour: Number | None
    state: State
    reason: str
    detail: str
    units: list[str]
    placed_gpu_model: str | None
    placement_id: str | None
    attempt: int
    submitted_at: Time
    queued_at: Time | None
    placed_at: Time | None
    started_at: Time | None
    ended_at: Time | None
    price_usd_per_gpu_hour: Number | None
    decision_id: str | None


class WorkloadsQuery(PageQuery):
    order = NEWEST

    state: State | None = None
    customer_id: Text | None = None
    site_id: Text | None = None


class QueuedWorkload(Workload):
    queue_position: int = Field(
        description="From 1, by site; by pool while site_id is null, where no site can take it yet"
    )


class QueueQuery(PageQuery):
    order = QUEUE_ORDER

    site_id: Text | None = None


class EventsQuery(PageQuery):
    order = LOG_ORDER


class WorkloadEvent(BaseModel):
    """A record of a log, as it was written."""

    position: str
    event_id: str
    type: str
    at: Time
    data: dict[str, Any]


class Explanation(BaseModel):
    """Why a workload is where it is: every decision about it, with what was not chosen."""

    workload: Workload
    pending_because: str | None = Field(description="Null unless it waits")
    queue_position: int | None
    decisions: list[Decision] = Field(description=f"Newest first, at most {EXPLAINED}")
    alerts: list[Alert] = Field(description=f"About it, newest first, at most {EXPLAINED}")


async def list_workloads(gateway: Gateway, call: Call[WorkloadsQuery, NoBody]) -> Page[Workload]:
    query = call.query
    rows = await queries.workloads(
        gateway.database,
        query.limit,
        NEWEST.after(query),
        state=query.state,
        customer_id=query.customer_id,
        site_id=query.site_id,
    )
    return NEWEST.page(rows, query.limit, Workload.model_validate)


async def read_workload(gateway: Gateway, call: Call[Query, NoBody]) -> Workload:
    return Workload.model_validate(await _row(gateway, call.path["workload_id"]))


async def read_events(gateway: Gateway, call: Call[EventsQuery, NoBody]) -> Page[WorkloadEvent]:
    workload_id = call.path["workload_id"]
    after = LOG_ORDER.after(call.query)
    rows = await queries.workload_events(gateway.database, workload_id, call.query.limit, after)
    if not rows and after is None:
        await _row(gateway, workload_id)
    return LOG_ORDER.page(rows, call.query.limit, _event)


async def explain_workload(gateway: Gateway, call: Call[Query, NoBody]) -> Explanation:
    row = await _row(gateway, call.path["workload_id"])
    workload_id, waits = row["workload_id"], row["state"] == "queued"
    decisions = await queries.decisions_about(gateway.database, workload_id, EXPLAINED)
    alerts = await alert_queries.alerts_about(gateway.database, workload_id, EXPLAINED)
    return Explanation(
        workload=Workload.model_validate(row),
        pending_because=_pending(row, decisions) if waits else None,
        queue_position=await queries.queue_place(gateway.database, workload_id) if waits else None,
        decisions=[Decision.of(decision) for decision in decisions],
        alerts=[Alert.model_validate(alert) for alert in alerts],
    )


async def list_queue(gateway: Gateway, call: Call[QueueQuery, NoBody]) -> Page[QueuedWorkload]:
    query = call.query
    rows = await queries.queue(
        gateway.database, query.limit, QUEUE_ORDER.after(query), site_id=query.site_id
    )
    return QUEUE_ORDER.page(rows, query.limit, QueuedWorkload.model_validate)


async def submit(gateway: Gateway, call: Call[Query, WorkloadSubmission]) -> AcceptedWorkload:
    return await commands.submit_workload(gateway, call.body, call.raw_body, call.headers)


async def cancel(gateway: Gateway, call: Call[Query, NoBody]) -> AcceptedWorkload:
    row = await _row(gateway, call.path["workload_id"])
    return await commands.cancel_workload(gateway, row)


async def classify(gateway: Gateway, call: Call[Query, WorkloadSpec]) -> Classification:
    spec = call.body
    if spec.site_id is not None:
        await commands.require_site(gateway, spec.site_id)
        site = await queries.site(gateway.database, spec.site_id)
        sites = [site] if site else []
    else:
        sites = await queries.all_sites(gateway.database)
    capacity = await queries.capacity(gateway.database, spec.site_id)
    found = [
        site_feasibility(
            site,
            [row for row in capacity if row["site_id"] == site["site_id"]],
            gpu_model=spec.gpu_model,
            gpu_count=spec.gpu_count,
            gpu_milli=spec.gpu_milli,
            max_price=spec.max_price_usd_per_gpu_hour,
        )
        for site in sites
    ]
    possible = [site for site in found if site.feasible]
    now = any(site.fits_now for site in possible)
    return Classification(
        workload_class=workload_class(
            spec.kind, preemptible=spec.preemptible, deadline=spec.deadline
        ),
        feasible=bool(possible),
        reason="fits now" if now else "would wait" if possible else "no site could ever run it",
        sites=found,
    )


async def _row(gateway: Gateway, workload_id: str) -> Row:
    row = await queries.workload(gateway.database, workload_id)
    if row is None:
        raise NotFound(f"There is no workload {workload_id}.")
    return row


def _pending(row: Row, decisions: list[Row]) -> str:
    """The newest decision says it best; before routing has looked at it there is none."""
    if decisions:
        return str(decisions[0]["reason"])
    if row["queued_at"] is None:
        unseen = "No site has been chosen for it yet." if row["site_id"] is None else ""
        return unseen or "Routing has not looked at it yet."
    return str(row["detail"] or row["reason"])


def _event(row: Row) -> WorkloadEvent:
    return WorkloadEvent(
        position=f"{row['topic']}:{row['partition']}:{row['offset']}",
        event_id=row["event_id"],
        type=row["type"],
        at=row["at"],
        data=row["data"],
    )


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/workloads",
        summary="Submit a workload",
        tag=TAG,
        answer=AcceptedWorkload,
        handler=submit,
        query=Query,
        body=WorkloadSubmission,
        status=HTTPStatus.ACCEPTED,
        problems=(HTTPStatus.CONFLICT,),
        header_faults=key_faults,
        headers=(IDEMPOTENCY_KEY,),
    ),
    get(
        "/workloads",
        list_workloads,
        query=WorkloadsQuery,
        answer=Page[Workload],
        summary="List workloads, newest submission first",
        tag=TAG,
    ),
    Endpoint(
        method="POST",
        path="/workloads/classify",
        summary="Dry run: class of a submission, and where it could run",
        tag=TAG,
        answer=Classification,
        handler=classify,
        query=Query,
        body=WorkloadSpec,
    ),
    get(
        "/workloads/{workload_id}",
        read_workload,
        query=Query,
        answer=Workload,
        summary="One workload",
        tag=TAG,
    ),
    Endpoint(
        method="DELETE",
        path="/workloads/{workload_id}",
        summary="Cancel a workload",
        tag=TAG,
        answer=AcceptedWorkload,
        handler=cancel,
        query=Query,
        body=NoBody,
        status=HTTPStatus.ACCEPTED,
        problems=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    ),
    get(
        "/workloads/{workload_id}/events",
        read_events,
        query=EventsQuery,
        answer=Page[WorkloadEvent],
        summary="Everything that happened to a workload",
        tag=TAG,
    ),
    get(
        "/workloads/{workload_id}/explain",
        explain_workload,
        query=Query,
        answer=Explanation,
        summary="Why here, why pending, what else was possible",
        tag=TAG,
    ),
    get(
        "/queue",
        list_queue,
        query=QueueQuery,
        answer=Page[QueuedWorkload],
        summary="Waiting workloads in the order routing looks at them",
        tag=TAG,
    ),
)
