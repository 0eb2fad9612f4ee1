"""The deadline is for requests: the application itself lives longer than one of them."""

from __future__ import annotations

import asyncio

from starlette.types import Message, Receive, Scope, Send

from gateway.middleware import Deadline

REQUEST_TIMEOUT_S = 0.01


def test_the_lifespan_is_not_ended_when_a_request_would_be() -> None:
    ended: list[str] = []

    async def application(_scope: Scope, _receive: Receive, _send: Send) -> None:
        await asyncio.sleep(5 * REQUEST_TIMEOUT_S)
        ended.append("by itself")

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    async def send(_: Message) -> None:
        return

    asyncio.run(Deadline(application, REQUEST_TIMEOUT_S)({"type": "lifespan"}, receive, send))
    assert ended == ["by itself"]
