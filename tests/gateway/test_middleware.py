"""The bounds around every request, on a small application of their own."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from gateway.bodies import Bodies
from gateway.errors import handlers
from gateway.middleware import Busy, Deadline, Hosts, Slots
from schemas.errors import UnencodableEvent


class Door:
    """An endpoint that answers when it is opened."""

    def __init__(self) -> None:
        self.waiting = asyncio.Event()
        self.open = asyncio.Event()

    async def __call__(self, _: Request) -> Response:
        self.waiting.set()
        await self.open.wait()
        return PlainTextResponse("done")


def client_of(app: ASGIApp) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://gateway"
    )


def application(endpoint: object) -> Starlette:
    async def serve(request: Request) -> Response:
        return await endpoint(request)  # type: ignore[operator, no-any-return]

    return Starlette(
        routes=[Route("/", serve, methods=["GET", "POST"])], exception_handlers=handlers()
    )


def test_one_request_too_many_is_503_at_once() -> None:
    async def scene() -> None:
        door = Door()
        async with client_of(Busy(application(door), Slots(1))) as client:
            first = asyncio.create_task(client.get("/"))
            await door.waiting.wait()
            refused = await client.get("/")
            assert refused.status_code == 503
            assert refused.headers["retry-after"]
            door.open.set()
            assert (await first).text == "done"
            assert (await client.get("/")).text == "done"

    asyncio.run(scene())


def test_a_request_that_only_waits_gives_its_place_back() -> None:
    async def scene() -> None:
        slots, door = Slots(1), Door()

        async def wait(request: Request) -> Response:
            if request.method == "POST":
                return PlainTextResponse("at once")
            with slots.given_back():
                return await door(request)

        async with client_of(Busy(application(wait), slots)) as client:
            waiting = asyncio.create_task(client.get("/"))
            await door.waiting.wait()
            assert (await client.post("/")).text == "at once"
            door.open.set()
            assert (await waiting).text == "done"
        assert slots.taken == 0

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *((host, 200) for host in ("127.0.0.1", "127.0.0.1:8080", "localhost:31080", "LOCALHOST")),
        *(
            (host, 200)
            for host in ("[::1]", "[::1]:8080", "127.8.9.1", "hcp.example", "hcp.example:1")
        ),
        *((host, 421) for host in ("evil.example", "evil.example:8080", "10.0.0.1", "0.0.0.0", "")),
        *(
            (host, 421)
            for host in ("localhost.evil.example", "[::2]:80", "127.0.0.1.nip.io", ":80")
        ),
    ],
)
def test_only_names_of_this_machine_or_that_were_set_are_served(host: str, status: int) -> None:
    async def hello(_: Request) -> Response:
        return PlainTextResponse("hello")

    async def scene() -> None:
        async with client_of(Hosts(application(hello), ["HCP.example"])) as client:
            answer = await client.get("/", headers={"Host": host})
            assert answer.status_code == status, answer.text
            if status != 200:
                assert answer.headers["content-type"] == "application/problem+json"

    asyncio.run(scene())


def test_a_request_past_its_deadline_is_504() -> None:
    async def scene() -> None:
        async with client_of(Deadline(application(Door()), timeout_s=0.05)) as client:
            late = await client.get("/")
            assert late.status_code == 504
            assert late.headers["content-type"] == "application/problem+json"
            assert late.json()["type"] == "about:blank"

    asyncio.run(scene())


@pytest.mark.parametrize(("size", "status"), [(10, 200), (11, 413)])
def test_the_largest_body_is_taken_and_one_byte_more_is_not(size: int, status: int) -> None:
    async def echo(request: Request) -> Response:
        return PlainTextResponse(await request.body())

    async def scene() -> None:
        bodies = Bodies(application(echo), max_bytes=10, timeout_s=60, most=1)
        async with client_of(bodies) as client:
            answer = await client.post("/", content=b"x" * size)
            assert answer.status_code == status

    asyncio.run(scene())


def test_a_value_that_no_schema_carries_is_422() -> None:
    async def beyond(_: Request) -> Response:
        raise UnencodableEvent("hcp.sites.v1.WorkloadSubmitted: deadline")

    async def scene() -> None:
        async with client_of(application(beyond)) as client:
            answer = await client.get("/")
            assert answer.status_code == 422
            assert answer.headers["content-type"] == "application/problem+json"

    asyncio.run(scene())


def test_what_nobody_foresaw_is_a_500_without_a_stack() -> None:
    async def broken(_: Request) -> Response:
        raise ZeroDivisionError("secret")

    async def scene() -> None:
        async with client_of(application(broken)) as client:
            answer = await client.get("/")
            assert answer.status_code == 500
            assert answer.headers["content-type"] == "application/problem+json"
            assert "secret" not in answer.text

    asyncio.run(scene())
