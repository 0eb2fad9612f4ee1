"""The hybrid simulator's HTTP face, on loopback: submit to the hardware's site, watch it switch.

`POST /submit`, `GET /switching`, `GET /status`, `GET /metrics`, `GET /healthz`. Errors are
`application/problem+json`, those of paths that are not there too. There is no identity here: it
binds to 127.0.0.1 only.
"""

from __future__ import annotations

import asyncio
import queue
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from schemas.envelope import RFC3339, moment_of, rfc3339
from schemas.events import intake, sites
from schemas.topics import Event
from simulators.simulation import Position, Request, Simulation

ANSWER_TIMEOUT_S = 10.0
MAX_BODY_BYTES = 64 * 1024
# The gateway's bounds, so that what is taken here is taken there; a test compares them.
MAX_GPUS = 100_000
MAX_DURATION_S = 366 * 86_400
MAX_PRIORITY = 1_000_000
MAX_PRICE_USD = 100_000
LAST_MS = 4_102_444_800_000  # 2100
ROUTES = ("POST /submit", "GET /switching", "GET /status", "GET /metrics", "GET /healthz")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _ms(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _on_the_logs_scale(moment: datetime) -> datetime:
    if not 0 <= _ms(moment) <= LAST_MS:
        raise ValueError("must be from 1970 to 2099, in UTC")
    return moment


_Moment = Annotated[
    AwareDatetime,
    AfterValidator(_on_the_logs_scale),
    BeforeValidator(moment_of),
    Field(json_schema_extra={"pattern": RFC3339}),
]
_Id = Annotated[str, StringConstraints(max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@-]*$")]
_Text = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")
]


class Submission(BaseModel):
    """A workload for the simulated hardware.

    site_id: straight to that site; without it, brokering chooses among the pool's sites
    customer_id: the scenario's first customer when left out
    """

    model_config = ConfigDict(extra="forbid")

    name: _Text
    kind: Literal["training", "inference", "batch", "interactive"]
    gpu_model: _Text | None = None
    gpu_count: int = Field(ge=1, le=MAX_GPUS)
    gpu_milli: int = Field(default=1000, ge=1, le=1000)
    duration_s: int = Field(ge=1, le=MAX_DURATION_S)
    priority: int = Field(default=0, ge=-MAX_PRIORITY, le=MAX_PRIORITY)
    preemptible: bool = False
    deadline: _Moment | None = None
    max_price_usd_per_gpu_hour: Decimal | None = Field(
        default=None, ge=0, le=MAX_PRICE_USD, decimal_places=6
    )
    site_id: _Id | None = None
    workload_id: _Id | None = None
    customer_id: _Id | None = None

    @model_validator(mode="after")
    def _shares_are_single(self) -> Self:
        if self.gpu_milli < 1000 and self.gpu_count != 1:
            raise ValueError("gpu_milli below 1000 is a share of one GPU: gpu_count must be 1")
        return self


OUR_HOSTS = ("127.0.0.1", "localhost", "::1")


class OurHosts:
    """A page whose name was made to resolve to 127.0.0.1 asks under that name: it gets nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = Headers(scope=scope).get("host") if scope["type"] == "http" else None
        if host is None or _is_ours(host):
            await self._app(scope, receive, send)
        else:
            refusal = problem(421, "Misdirected request", "only loopback's names are served")
            await refusal(scope, receive, send)


def _is_ours(host: str) -> bool:
    try:
        return urlsplit(f"//{host}").hostname in OUR_HOSTS
    except ValueError:
        return False


def application(simulation: Simulation) -> Starlette:
    async def submit(request: HttpRequest) -> Response:
        return await _submit(simulation, request)

    async def switching(_: HttpRequest) -> Response:
        return JSONResponse(simulation.switches.answer())

    async def status(_: HttpRequest) -> Response:
        return JSONResponse(status_of(simulation))

    async def metrics(_: HttpRequest) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    async def healthz(_: HttpRequest) -> Response:
        return JSONResponse({"status": "ok"})

    return Starlette(
        routes=[
            Route("/submit", submit, methods=["POST"]),
            Route("/switching", switching),
            Route("/status", status),
            Route("/metrics", metrics),
            Route("/healthz", healthz),
        ],
        middleware=[Middleware(OurHosts)],
        exception_handlers={HTTPException: _http_error, Exception: _unforeseen},
    )


def status_of(simulation: Simulation) -> dict[str, Any]:
    scenario, status = simulation.scenario, simulation.status
    return {
        "scenario": scenario.name,
        "starts_at": rfc3339(scenario.starts_ms),
        "event_time": None if status.event_ms is None else rfc3339(status.event_ms),
        "ends_at": rfc3339(scenario.closes_ms),
        "arrivals_end_at": rfc3339(scenario.ends_ms),
        "speed": simulation.speed,
        "state": status.state,
        "waits_for": status.waits_for,
        "finished": status.event_ms is not None and status.event_ms >= scenario.closes_ms,
    }


async def _submit(simulation: Simulation, http: HttpRequest) -> Response:
    body = await _body(http)
    if body is None:
        return problem(413, "Body too large", f"at most {MAX_BODY_BYTES} bytes")
    submission = _understood(simulation, body)
    if isinstance(submission, Response):
        return submission
    workload_id = submission.workload_id or str(uuid.uuid4())
    answer: Future[Position] = Future()
    request = Request(_builder(simulation, submission, workload_id), answer)
    try:
        simulation.inbox.put_nowait(request)
        position = await asyncio.wait_for(asyncio.wrap_future(answer), ANSWER_TIMEOUT_S)
    except queue.Full:
        return problem(503, "Too many submissions at once", "try again in a moment")
    except TimeoutError:
        detail = f"Kafka has not taken it within {ANSWER_TIMEOUT_S:g} s; repeat it with workload_id"
        return problem(503, "Not taken yet", detail, workload_id=workload_id)
    return JSONResponse({"workload_id": workload_id, "position": str(position)}, 202)


async def _body(http: HttpRequest) -> bytes | None:
    """None for one that is too large, of which no more is read than shows it."""
    announced = http.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced[:20]) > MAX_BODY_BYTES:
        return None
    body = bytearray()
    async for chunk in http.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            return None
    return bytes(body)


def _understood(simulation: Simulation, body: bytes) -> Submission | Response:
    """The submission, or the answer that says what is wrong with it."""
    try:
        submission = Submission.model_validate_json(body)
    except ValidationError as error:
        faults = [
            {"field": ".".join(map(str, fault["loc"])), "message": fault["msg"]}
            for fault in error.errors()
        ]
        status = 400 if error.errors()[0]["type"] == "json_invalid" else 422
        return problem(status, "Invalid submission", f"{len(faults)} fault(s)", errors=faults)
    known = [site.site_id for site in simulation.scenario.sites]
    if submission.site_id is not None and submission.site_id not in known:
        detail = f"no site {submission.site_id!r} in this scenario; there are: {', '.join(known)}"
        return problem(422, "Unknown site", detail)
    return submission


def _builder(
    simulation: Simulation, submission: Submission, workload_id: str
) -> Callable[[int], Event]:
    customer_id = submission.customer_id or simulation.scenario.customers[0].customer_id
    deadline = submission.deadline
    common: dict[str, Any] = {
        **submission.model_dump(exclude={"site_id", "workload_id", "customer_id", "deadline"}),
        "workload_id": workload_id,
        "customer_id": customer_id,
        "deadline": None if deadline is None else _ms(deadline),
    }

    def build(at: int) -> Event:
        if submission.site_id is not None:
            return sites.WorkloadSubmitted(site_id=submission.site_id, at=at, **common)
        pool = simulation.scenario.sites[0].pool
        return intake.WorkloadSubmitted(pool=pool, at=at, **common)

    return build


async def _http_error(http: HttpRequest, error: Exception) -> Response:
    """What no route of ours answers: 404, 405."""
    assert isinstance(error, HTTPException)
    title = HTTPStatus(error.status_code).phrase
    detail = f"{http.method} {http.url.path}: see {', '.join(ROUTES)}"
    answer = problem(error.status_code, title, detail)
    answer.headers.update(error.headers or {})
    return answer


async def _unforeseen(_: HttpRequest, _error: Exception) -> Response:
    """Starlette raises the error again after this answer, and uvicorn logs it."""
    return problem(500, "Internal Server Error", "the fault is logged")


def problem(status: int, title: str, detail: str, **more: Any) -> Response:  # noqa: ANN401
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return JSONResponse(body, status, media_type="application/problem+json")
