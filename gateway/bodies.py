"""Bodies are read before a request takes a place among those that are answered.

A body may be sent as slowly as a client likes; what it may take from others is bounded: its size,
its time, and how many are on their way at once. Where they are too many, the one that has been on
its way longest ends for the newest: a client that means it is done long before.
"""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway import metrics
from gateway.errors import BodyCut, BodyTooLarge, Problem, Slow


class Bodies:
    """413 as soon as a body is known to be too large, by its header or by its bytes; 408 for one
    that is not here in time, or that gave way.

    most: how many may be on their way at once
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int, timeout_s: float, most: int) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._most = most
        self._coming: dict[int, asyncio.Timeout] = {}  # the longest on its way first
        self._number = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _has_body(scope):
            await self._app(scope, receive, send)
            return
        try:
            body = await self._read(scope, receive)
        except Problem as problem:
            await problem.response()(scope, receive, send)
            return
        await self._app(scope, _replayed(body, receive), send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes:
        """Raises BodyTooLarge, Slow, BodyCut."""
        if _announced(scope) > self._max_bytes:
            raise self._too_large()
        if len(self._coming) >= self._most:
            first = next(iter(self._coming))
            self._coming.pop(first).reschedule(0)  # a moment that is over
        self._number += 1
        number, deadline = self._number, asyncio.timeout(self._timeout_s)
        try:
            async with deadline:
                self._coming[number] = deadline
                return await self._all(receive)
        except TimeoutError:
            metrics.REFUSALS.labels("slow_body").inc()
            told = (
                f"A body must be here within {self._timeout_s:g} s, sooner where many are coming."
            )
            raise Slow(told) from None
        finally:
            self._coming.pop(number, None)

    async def _all(self, receive: Receive) -> bytes:
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise BodyCut("The connection ended in the middle of the body.")
            body += message.get("body", b"")
            if len(body) > self._max_bytes:
                raise self._too_large()
            if not message.get("more_body", False):
                return bytes(body)

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"A body may have at most {self._max_bytes} bytes.")


def _has_body(scope: Scope) -> bool:
    names = {name for name, _ in scope["headers"]}
    return b"transfer-encoding" in names or _announced(scope) > 0


def _announced(scope: Scope) -> int:
    """By the header; the server has refused one that is no number."""
    return int(dict(scope["headers"]).get(b"content-length", b"0"))


def _replayed(body: bytes, receive: Receive) -> Receive:
    """What has been read, once; then what comes after it: that the client went away."""
    is_told = False

    async def replay() -> Message:
        nonlocal is_told
        if is_told:
            return await receive()
        is_told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
