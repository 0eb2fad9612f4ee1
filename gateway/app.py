"""The composition root of the gateway: settings in, an ASGI application out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from gateway import queries
from gateway.bodies import Bodies
from gateway.context import Gateway, build
from gateway.docs import docs_page, index_page
from gateway.endpoints import routes
from gateway.errors import Unavailable, handlers
from gateway.middleware import AccessLog, Busy, Deadline, Hosts, Segments
from gateway.openapi import document
from gateway.routes.table import TABLE
from gateway.settings import Settings


def create_app(settings: Settings, stop: Callable[[], None] = lambda: None) -> Starlette:
    """stop: ends the process, for the supervisor to start it again, when a part of it has failed"""
    gateway = build(settings, stop)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await gateway.open()
        try:
            yield
        finally:
            await gateway.close()

    app = Starlette(
        routes=[*routes(TABLE, gateway), *_own_routes(gateway)],
        middleware=[
            Middleware(AccessLog),
            Middleware(Hosts, names=settings.hosts),
            Middleware(
                Bodies,
                max_bytes=settings.gateway_max_body_bytes,
                timeout_s=settings.gateway_body_timeout_s,
                most=settings.gateway_max_coming_bodies,
            ),
            Middleware(Busy, slots=gateway.slots),
            Middleware(Deadline, timeout_s=settings.gateway_request_timeout_s),
            Middleware(Segments),
        ],
        exception_handlers=handlers(),
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.state.gateway = gateway
    return app


def _own_routes(gateway: Gateway) -> list[Route]:
    """What is not part of the API: probes, metrics, documentation."""
    openapi = document(TABLE, _version())
    docs, index = docs_page(openapi), index_page()

    async def healthz(_: Request) -> Response:
        """The process lives."""
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        """What a request needs answers: the database and the broker, each time.

        Of the registry only the start needs anything: what it said is kept.
        """
        if not gateway.ready:
            waits = (f"the {part} ({why})" for part, why in gateway.missing.items())
            raise Unavailable(f"Not ready yet: waiting for {' and '.join(waits)}.")
        await queries.next_offsets(gateway.database)
        if not await gateway.health.broker_answers():
            raise Unavailable("Not ready: the broker does not answer.")
        return PlainTextResponse("ready\n")

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    async def openapi_json(_: Request) -> Response:
        return JSONResponse(openapi)

    async def docs_html(_: Request) -> Response:
        return HTMLResponse(docs)

    async def index_html(_: Request) -> Response:
        return HTMLResponse(index)

    return [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
        Route("/openapi.json", openapi_json),
        Route("/docs", docs_html),
        Route("/", index_html),
    ]


def _version() -> str:
    try:
        return version("hcp")
    except PackageNotFoundError:
        return "0"
