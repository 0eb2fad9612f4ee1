"""Every error the gateway answers, as an RFC 9457 problem.

    Problem
      BodyCut 400 · NotFound 404 · MethodNotAllowed 405 · Slow 408 · Conflict 409
      BodyTooLarge 413 · WrongMediaType 415
      Misdirected 421 · Invalid 422 (names every fault) · Unavailable 503 (says when to retry)
      NotApplied, Late 504

What is raised elsewhere becomes one of these here: Starlette's HTTPException, a database or broker
that does not answer (503), and anything unforeseen (500, logged with its stack, never shown).
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Literal

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from schemas.errors import RegistryUnavailable, SchemaNotRegistered, UnencodableEvent

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 2


class Fault(BaseModel):
    """One thing wrong with a request: where it is, and what to do about it."""

    detail: str
    pointer: str | None = Field(
        default=None, description="JSON pointer into the body, as a URI fragment: #/gpu_count"
    )
    parameter: str | None = Field(default=None, description="Query parameter or header")


class ProblemDocument(BaseModel):
    """RFC 9457. `type` is about:blank unless a caller can act on the finer kind."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[Fault] | None = None


class Problem(Exception):
    """An answer other than the one asked for. Raise it anywhere below a route."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR

    def __init__(
        self,
        detail: str,
        *,
        kind: str = "about:blank",
        faults: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.kind = kind
        self.faults = list(faults)
        self.headers = dict(headers or {})

    def response(self) -> Response:
        document = ProblemDocument(
            type=self.kind,
            title=self.status.phrase,
            status=self.status.value,
            detail=self.detail,
            errors=self.faults or None,
        )
        return ProblemResponse(
            document.model_dump(exclude_none=True), self.status.value, self.headers
        )


class ProblemResponse(JSONResponse):
    media_type = MEDIA_TYPE


class BodyCut(Problem):
    """The client went away before its body was whole; nobody reads the answer."""

    status = HTTPStatus.BAD_REQUEST


class Slow(Problem):
    """The headers or the body did not come in time, or gave way to others. The caller may send them
    again."""

    status = HTTPStatus.REQUEST_TIMEOUT

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"Connection": "close"})


class NotFound(Problem):
    status = HTTPStatus.NOT_FOUND


class MethodNotAllowed(Problem):
    status = HTTPStatus.METHOD_NOT_ALLOWED


class Conflict(Problem):
    status = HTTPStatus.CONFLICT


class BodyTooLarge(Problem):
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class WrongMediaType(Problem):
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class Misdirected(Problem):
    """The request is for another host."""

    status = HTTPStatus.MISDIRECTED_REQUEST


class Invalid(Problem):
    """The request is understood and wrong. Every fault is named, not only the first."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY


class Unavailable(Problem):
    """Something the gateway needs does not answer. The caller may retry the same request."""

    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, detail: str, *, kind: str = "about:blank") -> None:
        super().__init__(detail, kind=kind, headers={"Retry-After": str(RETRY_AFTER_S)})


class NotApplied(Problem):
    """The read model did not reach the position in time. The caller may retry the read."""

    status = HTTPStatus.GATEWAY_TIMEOUT

    def __init__(self, detail: str) -> None:
        super().__init__(
            detail,
            kind="urn:hcp:problem:position-not-applied",
            headers={"Retry-After": str(RETRY_AFTER_S)},
        )


class Late(Problem):
    """The gateway itself took too long. What was asked for may have happened."""

    status = HTTPStatus.GATEWAY_TIMEOUT

    def __init__(self, timeout_s: float) -> None:
        super().__init__(
            f"The request was not answered within {timeout_s:g} s.",
            headers={"Retry-After": str(RETRY_AFTER_S)},
        )


def faults_of(error: ValidationError, where: Literal["body", "query"]) -> list[Fault]:
    """Each of pydantic's faults, with a pointer into the body or the name of the parameter."""
    faults = []
    for item in error.errors(include_url=False, include_input=False, include_context=False):
        path, detail = item["loc"], sentence(item["msg"])
        if where == "body":
            faults.append(Fault(detail=detail, pointer=pointer(path)))
        else:
            faults.append(Fault(detail=detail, parameter=".".join(map(str, path))))
    return faults


def pointer(path: Sequence[str | int]) -> str:
    """RFC 6901 as a URI fragment; the whole document is `#`."""
    escaped = (str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return "#" + "".join(f"/{part}" for part in escaped)


def sentence(message: str) -> str:
    return message.removeprefix("Value error, ")


Handler = Callable[[Request, Exception], Awaitable[Response]]


def handlers() -> dict[Any, Handler]:
    """What Starlette calls for each exception that leaves a route."""
    return {
        Problem: _problem,
        HTTPException: _http_exception,
        psycopg.errors.UndefinedTable: _missing_table,
        psycopg.OperationalError: _database_away,
        PoolTimeout: _database_away,
        PoolClosed: _database_away,
        TooManyRequests: _database_away,
        RegistryUnavailable: _registry_away,
        SchemaNotRegistered: _not_registered,
        UnencodableEvent: _unencodable,
        psycopg.DataError: _unencodable,
        Exception: _unforeseen,
    }


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.NOT_FOUND:
        return NotFound(f"There is nothing at {request.url.path}.").response()
    problem = Problem(f"{error.detail.rstrip('.')}.", headers=error.headers)
    problem.status = HTTPStatus(error.status_code)
    return problem.response()


async def _missing_table(_: Request, error: Exception) -> Response:
    log.warning("a read model is missing: %s", str(error).splitlines()[0])
    return Unavailable("The read models are not there yet: projections has not started.").response()


async def _database_away(_: Request, error: Exception) -> Response:
    log.warning("the database did not answer: %s", str(error).splitlines()[0])
    return Unavailable("The database does not answer in time.").response()


async def _registry_away(_: Request, error: Exception) -> Response:
    log.warning("the schema registry did not answer: %s", str(error).splitlines()[0])
    return Unavailable("The schema registry does not answer.").response()


async def _not_registered(_: Request, error: Exception) -> Response:
    log.warning("a schema is missing: %s", error)
    return Unavailable("The events' schemas are not registered yet.").response()


async def _unencodable(_: Request, error: Exception) -> Response:
    """The last resort: what a field's own check should have refused with a pointer."""
    log.warning("a request passed its checks and cannot be carried: %s", error)
    return Invalid("A value of this request is beyond what the platform can record.").response()


async def _unforeseen(request: Request, _: Exception) -> Response:
    log.error("unforeseen error on %s %s", request.method, request.url.path)
    return Problem("The gateway failed on this request. The fault is logged.").response()
