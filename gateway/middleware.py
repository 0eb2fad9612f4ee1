"""Around every request: one log line and the metrics, a bound on how many and how long, a bound on
the body. Plain ASGI, innermost last: AccessLog, Busy, Deadline, BodyLimit.
"""

from __future__ import annotations

import asyncio
import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway import metrics
from gateway.errors import BodyTooLarge, Late, Unavailable

access = logging.getLogger("gateway.access")

QUIET = frozenset({"/healthz", "/readyz", "/metrics"})


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


class Busy:
    """At most so many requests at once; one more is told to come back, at once."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in QUIET:
            await self._app(scope, receive, send)
            return
        if self._running >= self._limit:
            metrics.REFUSALS.labels("busy").inc()
            problem = Unavailable(f"{self._limit} requests are being answered already.")
            await problem.response()(scope, receive, send)
            return
        self._running += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._running -= 1


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


class BodyLimit:
    """413 as soon as a body is known to be too large: by its header, or by its bytes."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        problem = BodyTooLarge(f"A body may have at most {self._max_bytes} bytes.")
        if self._announced(scope) > self._max_bytes:
            await problem.response()(scope, receive, send)
            return
        received = 0

        async def counting() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise problem
            return message

        await self._app(scope, counting, send)

    @staticmethod
    def _announced(scope: Scope) -> int:
        length = dict(scope["headers"]).get(b"content-length", b"0")
        return int(length) if length.isdigit() else 0
