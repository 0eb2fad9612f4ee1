"""One typed table of routes: what serves a path is also what documents it.

An Endpoint names its handler, the models of its query, body and answer, and the problems it can
answer with. `routes()` turns a table into Starlette routes; openapi.py turns it into OpenAPI 3.1.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar
from urllib.parse import unquote

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from gateway.errors import Fault, Invalid, MethodNotAllowed, NotFound, WrongMediaType, faults_of
from gateway.json_text import faults_of_json
from gateway.position import POSITIONS_PATTERN, Position, parse_all
from gateway.values import is_storable

if TYPE_CHECKING:
    from gateway.context import Gateway

PREFIX = "/api/v1"
MAX_PATH_ID = 512
MAX_PARAMETER = 512
MIN_POSITION = "HCP-Min-Position"

Method = Literal["GET", "POST", "DELETE"]


class Query(BaseModel):
    """Query parameters. An unknown one is a fault: a misspelled filter must not list everything."""

    model_config = ConfigDict(extra="forbid", str_max_length=MAX_PARAMETER)

    min_position: str | None = Field(
        default=None,
        json_schema_extra={"pattern": POSITIONS_PATTERN, "maxLength": MAX_PARAMETER},
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
    positions: Sequence[Position]  # to wait for


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler gives back when the model alone does not say it all."""

    body: BaseModel
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Header:
    """A request header and the JSON schema of what it may say."""

    name: str
    meaning: str
    schema: Mapping[str, Any]


MIN_POSITION_HEADER = Header(
    name=MIN_POSITION,
    meaning="Wait until the read models have applied this position, or several with commas between",
    schema={"type": "string", "pattern": POSITIONS_PATTERN},
)


@dataclass(frozen=True, kw_only=True)
class Endpoint(Generic[Q, B]):
    method: Method
    path: str  # below /api/v1; {name} is one segment as it was sent, {name:path} the rest
    summary: str
    tag: str
    answer: type[BaseModel]
    handler: Callable[[Gateway, Call[Q, B]], Awaitable[BaseModel | Answer]]
    query: type[Q]
    body: type[B]
    status: HTTPStatus = HTTPStatus.OK
    problems: tuple[HTTPStatus, ...] = ()  # beyond those that every endpoint can answer
    headers: Sequence[Header] = ()  # of the request, beside those of every endpoint
    reads: bool = True  # waits for min_position
    # What is wrong with the request's headers, to be named beside the other faults.
    header_faults: Callable[[Mapping[str, str]], list[Fault]] = lambda _: []

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
    return Route(PREFIX + path, Resource(methods, gateway))


class Resource:
    """Every method of one path. An ASGI application, because Starlette asks it for any method,
    those too that nobody has heard of.
    """

    def __init__(self, methods: Mapping[str, AnyEndpoint], gateway: Gateway) -> None:
        self._methods = methods
        self._gateway = gateway
        self._allowed = sorted({*methods, "HEAD"} if "GET" in methods else methods)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._serve(Request(scope, receive, send))
        await response(scope, receive, send)

    async def _serve(self, request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        endpoint = self._methods.get(method)
        if endpoint is None:
            raise MethodNotAllowed(
                f"{request.method} is not possible here; {' and '.join(self._allowed)} "
                f"{'is' if len(self._allowed) == 1 else 'are'}.",
                headers={"Allow": ", ".join(self._allowed)},
            )
        return await _answer(endpoint, self._gateway, request)


async def _answer(endpoint: AnyEndpoint, gateway: Gateway, request: Request) -> Response:
    call = await _call(endpoint, gateway, request)
    if call.positions:
        await gateway.positions.wait_for(call.positions)
    result = await endpoint.handler(gateway, call)
    answer = result if isinstance(result, Answer) else Answer(result)
    return Response(
        answer.body.model_dump_json(by_alias=True),
        status_code=endpoint.status.value,
        media_type="application/json",
        headers={"Cache-Control": "no-store", **answer.headers},
    )


async def _call(endpoint: AnyEndpoint, gateway: Gateway, request: Request) -> Call[Any, Any]:
    path = {name: unquote(value) for name, value in request.path_params.items()}
    if any(len(value) > MAX_PATH_ID or not is_storable(value) for value in path.values()):
        raise NotFound(f"There is nothing at {request.url.path}.")
    raw = await _raw_body(request) if endpoint.has_body else b""
    faults: list[Fault] = []
    query = body = None
    faults += _given_twice(request)
    try:
        query = _query(endpoint, request)
    except ValidationError as error:
        faults += faults_of(error, "query")
    try:
        ambiguous = faults_of_json(raw) if endpoint.has_body else []
        body = endpoint.body.model_validate_json(raw) if endpoint.has_body else NoBody()
        faults += ambiguous
    except ValidationError as error:
        faults += ambiguous or faults_of(error, "body")
    positions = await _positions(gateway, request, faults) if endpoint.reads else []
    faults += endpoint.header_faults(request.headers)
    if faults:
        count = "One thing is" if len(faults) == 1 else f"{len(faults)} things are"
        raise Invalid(f"{count} wrong with this request; see errors.", faults=faults)
    return Call(path, query, body, raw, request.headers, positions)


def _query(endpoint: AnyEndpoint, request: Request) -> Query:
    given: dict[str, str] = dict(request.query_params)
    query: Query = endpoint.query.model_validate_strings(given)
    return query


def _given_twice(request: Request) -> list[Fault]:
    """Which of the two is meant, nobody can tell."""
    names = [name for name, _ in request.query_params.multi_items()]
    twice = sorted({name for name in names if names.count(name) > 1})
    return [Fault(detail="Given more than once", parameter=name) for name in twice]


async def _positions(gateway: Gateway, request: Request, faults: list[Fault]) -> list[Position]:
    """What to wait for; a text that is no position, or one on a partition that is not there, is a
    fault beside the others. While the broker is away nobody knows, and the wait has its bound."""
    given = {
        "min_position": request.query_params.get("min_position"),
        MIN_POSITION: request.headers.get(MIN_POSITION),
    }
    positions: list[Position] = []
    for name, text in given.items():
        try:
            found = [] if text is None else parse_all(text)
        except ValueError as error:
            faults.append(Fault(detail=str(error), parameter=name))
            continue
        for position in found:
            count = await gateway.publisher.partitions(position.log)
            if count is not None and position.partition >= count:
                told = f"{position} lies nowhere: {position.log} has {count} partitions, from 0."
                faults.append(Fault(detail=told, parameter=name))
        positions += found
    return positions


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
