"""Around every request: one log line and the metrics, a bound on how many and how long; and whose
door it is knocked at. Plain ASGI, innermost last: AccessLog, Hosts, Bodies (`gateway.bodies`),
Busy, Deadline, Segments.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from urllib.parse import quote, unquote

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway import metrics
from gateway.errors import Late, Misdirected, Unavailable
from gateway.settings import is_loopback

access = logging.getLogger("gateway.access")

QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
UNCOUNTED = QUIET | {"/api/v1/health"}


class AccessLog:
    """`GET /api/v1/workloads 200 3.1ms 512B`; the probes are counted, not logged."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status, size = time.monotonic(), 500, 0

        async def noting(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body":
                size += len(message.get("body", b""))
            await send(message)

        metrics.REQUESTS_IN_FLIGHT.inc()
        try:
            await self._app(scope, receive, noting)
        finally:
            metrics.REQUESTS_IN_FLIGHT.dec()
            self._note(scope, status, size, time.monotonic() - started)

    @staticmethod
    def _note(scope: Scope, status: int, size: int, took_s: float) -> None:
        method = scope["method"] if scope["method"] in KNOWN_METHODS else "other"
        route = getattr(scope.get("route"), "path", "none")
        metrics.REQUESTS.labels(method, route, str(status)).inc()
        metrics.REQUEST_DURATION.labels(method, route).observe(took_s)
        if scope["path"] not in QUIET:
            path = ascii(scope["path"])[1:-1]
            access.info("%s %s %d %.1fms %dB", method, path, status, took_s * 1000, size)


KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Hosts:
    """Only requests that name this machine, or a name that was set, in their Host.

    A page of a stranger's site, whose name was made to resolve to 127.0.0.1, asks from the user's
    browser under that name; nothing else tells it from the user, as long as nobody logs in.
    """

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self._app = app
        self._names = frozenset(name.lower() for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = Headers(scope=scope).get("host") if scope["type"] == "http" else None
        # HTTP/1.0 may leave it out; a browser never does.
        if host is None or self._is_ours(host):
            await self._app(scope, receive, send)
        else:
            await Misdirected(NOT_HERE).response()(scope, receive, send)

    def _is_ours(self, host: str) -> bool:
        bracketed = re.fullmatch(r"\[(.*)\](:\d*)?", host)
        name = bracketed[1] if bracketed else re.sub(r":\d*$", "", host)
        return name.lower() in self._names or is_loopback(name)


NOT_HERE = "This gateway is not served under that Host. Others than loopback: HCP_GATEWAY_HOSTS."


class Slots:
    """The places of the requests that are being answered."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0

    @contextmanager
    def given_back(self) -> Iterator[None]:
        """While a request only waits. Taken back without asking: the wait has its own bound."""
        self.taken -= 1
        try:
            yield
        finally:
            self.taken += 1


class Busy:
    """At most so many requests at once; one more is told to come back, at once.

    Not counted, so that they answer when it matters: the probes, metrics and health.
    """

    def __init__(self, app: ASGIApp, slots: Slots) -> None:
        self._app = app
        self._slots = slots

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in UNCOUNTED:
            await self._app(scope, receive, send)
            return
        slots = self._slots
        if slots.taken >= slots.limit:
            metrics.REFUSALS.labels("busy").inc()
            problem = Unavailable(f"{slots.limit} requests are being answered already.")
            await problem.response()(scope, receive, send)
            return
        slots.taken += 1
        try:
            await self._app(scope, receive, send)
        finally:
            slots.taken -= 1


class Deadline:
    """A request that is not answered in time ends in 504, unless its answer has begun."""

    def __init__(self, app: ASGIApp, timeout_s: float) -> None:
        self._app = app
        self._timeout_s = timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # the application's lifespan has no deadline
            await self._app(scope, receive, send)
            return
        begun = False

        async def noting(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        deadline = asyncio.timeout(self._timeout_s)
        try:
            async with deadline:
                await self._app(scope, receive, noting)
        except TimeoutError:
            if begun or not deadline.expired():
                raise
            metrics.REFUSALS.labels("timeout").inc()
            await Late(self._timeout_s).response()(scope, receive, send)


class Segments:
    """The path as it was sent, segment by segment, so that an id's %2F does not end the segment.

    Each is encoded anew in one way: the routes' own words match however they were written, and
    endpoints decode the ids. Servers that do not tell how it was sent keep their own decoding.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            sent = scope.get("raw_path") or quote(scope["path"]).encode()
            segments = sent.partition(b"?")[0].decode("latin-1").split("/")
            scope["path"] = "/".join(quote(unquote(segment), safe="") for segment in segments)
        await self._app(scope, receive, send)
