"""One typed table of routes: what serves a path is also what documents it.

An Endpoint names its handler, the models of its query, body and answer, and the problems it can
answer with. `routes()` turns a table into Starlette routes; openapi.py turns it into OpenAPI 3.1.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.errors import Fault, Invalid, MethodNotAllowed, NotFound, WrongMediaType, faults_of

if TYPE_CHECKING:
    from gateway.context import Gateway

PREFIX = "/api/v1"
MAX_PATH_ID = 512

Method = Literal["GET", "POST", "DELETE"]


class Query(BaseModel):
    """Query parameters. An unknown one is a fault: a misspelled filter must not list everything."""

    model_config = ConfigDict(extra="forbid", str_max_length=512)

    min_position: str | None = Field(
        default=None,
        description=(
            "Wait until the read models have applied this position, or several separated by "
            "commas. The header HCP-Min-Position does the same."
        ),
        examples=["hcp.sites.v1:0:1234"],
    )


class NoBody(BaseModel):
    """The body of a request that has none."""


Q = TypeVar("Q", bound=Query)
B = TypeVar("B", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Call(Generic[Q, B]):
    """A request after validation."""

    path: Mapping[str, str]
    query: Q
    body: B
    raw_body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler gives back when the model alone does not say it all."""

    body: BaseModel
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Endpoint(Generic[Q, B]):
    method: Method
    path: str  # below /api/v1; {name} is one segment, {name:path} the rest
    summary: str
    tag: str
    answer: type[BaseModel]
    handler: Callable[[Gateway, Call[Q, B]], Awaitable[BaseModel | Answer]]
    query: type[Q]
    body: type[B]
    status: HTTPStatus = HTTPStatus.OK
    problems: tuple[HTTPStatus, ...] = ()  # beyond those that every endpoint can answer
    headers: Mapping[str, str] = field(default_factory=dict)  # request headers: name -> meaning
    reads: bool = True  # waits for min_position

    @property
    def has_body(self) -> bool:
        return self.body is not NoBody


AnyEndpoint = Endpoint[Any, Any]


def get(
    path: str,
    handler: Callable[[Gateway, Call[Q, NoBody]], Awaitable[BaseModel | Answer]],
    *,
    query: type[Q],
    answer: type[BaseModel],
    summary: str,
    tag: str,
    problems: tuple[HTTPStatus, ...] = (),
    reads: bool = True,
) -> Endpoint[Q, NoBody]:
    """A read. One with an id in its path can answer 404 also."""
    return Endpoint(
        method="GET",
        path=path,
        summary=summary,
        tag=tag,
        answer=answer,
        handler=handler,
        query=query,
        body=NoBody,
        problems=(*problems, *((HTTPStatus.NOT_FOUND,) if "{" in path else ())),
        reads=reads,
    )


def routes(table: Iterable[AnyEndpoint], gateway: Gateway) -> list[Route]:
    """One route for each path, so that a wrong method is answered with every right one."""
    by_path: dict[str, dict[str, AnyEndpoint]] = {}
    for endpoint in table:
        by_path.setdefault(endpoint.path, {})[endpoint.method] = endpoint
    return [_route(path, methods, gateway) for path, methods in by_path.items()]


def _route(path: str, methods: Mapping[str, AnyEndpoint], gateway: Gateway) -> Route:
    allowed = sorted({*methods, "HEAD"} if "GET" in methods else methods)

    async def serve(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        endpoint = methods.get(method)
        if endpoint is None:
            raise MethodNotAllowed(
                f"{request.method} is not possible here; {' and '.join(allowed)} "
                f"{'is' if len(allowed) == 1 else 'are'}.",
                headers={"Allow": ", ".join(allowed)},
            )
        return await _answer(endpoint, gateway, request)

    return Route(PREFIX + path, serve, methods=[*METHODS])


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


async def _answer(endpoint: AnyEndpoint, gateway: Gateway, request: Request) -> Response:
    call = await _call(endpoint, request)
    if endpoint.reads:
        wanted = call.query.min_position or request.headers.get("HCP-Min-Position")
        if wanted:
            await gateway.positions.wait_for(wanted)
    result = await endpoint.handler(gateway, call)
    answer = result if isinstance(result, Answer) else Answer(result)
    return Response(
        answer.body.model_dump_json(by_alias=True),
        status_code=endpoint.status.value,
        media_type="application/json",
        headers={"Cache-Control": "no-store", **answer.headers},
    )


async def _call(endpoint: AnyEndpoint, request: Request) -> Call[Any, Any]:
    for value in request.path_params.values():
        if len(value) > MAX_PATH_ID or not value.isprintable():
            raise NotFound(f"There is nothing at {request.url.path}.")
    raw = await _raw_body(request) if endpoint.has_body else b""
    faults: list[Fault] = []
    query = body = None
    try:
        query = _query(endpoint, request)
    except ValidationError as error:
        faults += faults_of(error, "query")
    try:
        body = endpoint.body.model_validate_json(raw) if endpoint.has_body else NoBody()
    except ValidationError as error:
        faults += faults_of(error, "body")
    if faults:
        count = "One thing is" if len(faults) == 1 else f"{len(faults)} things are"
        raise Invalid(f"{count} wrong with this request; see errors.", faults=faults)
    return Call(request.path_params, query, body, raw, request.headers)


def _query(endpoint: AnyEndpoint, request: Request) -> Query:
    """Last one wins where a parameter is given twice."""
    given: dict[str, str] = dict(request.query_params)
    query: Query = endpoint.query.model_validate_strings(given)
    return query


async def _raw_body(request: Request) -> bytes:
    """The bytes of a JSON body. 415 for another media type; 413 comes from the body limit."""
    given = request.headers.get("Content-Type", "")
    if given.partition(";")[0].strip().lower() != "application/json":
        raise WrongMediaType(
            f"The body must be application/json, not {given or 'without a Content-Type'}."
        )
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        raise WrongMediaType(f"A body in Content-Encoding {encoding} is not accepted.")
    return await request.body()
