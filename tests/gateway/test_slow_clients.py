"""Clients that send slowly, or nothing, or half: on real sockets, against uvicorn as we run it."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx2 as httpx
import pytest
import uvicorn
from prometheus_client import REGISTRY
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from gateway.bodies import Bodies
from gateway.connections import Lobby, protocol
from gateway.errors import handlers
from gateway.middleware import AccessLog, Busy, Slots

PATIENT_S = 300.0
HALF_HEADERS = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-More"
HALF_BODY = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n" + b"x" * 50
WHOLE = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
LARGE = b"x" * 20_000_000
MANY = 200
REFUSED = "hcp_gateway_refusals_total"


@contextmanager
def served(
    *,
    header_s: float = PATIENT_S,
    body_s: float = PATIENT_S,
    most: int = 20,
    max_bytes: int = 1000,
    unread_s: float = PATIENT_S,
) -> Iterator[int]:
    """The port of a gateway's outer layers around an application that answers with the body."""

    async def echo(request: Request) -> Response:
        return PlainTextResponse(await request.body())

    async def large(_: Request) -> Response:
        return PlainTextResponse(LARGE)

    app = Starlette(
        routes=[Route("/", echo, methods=["GET", "POST"]), Route("/large", large)],
        middleware=[
            Middleware(AccessLog),
            Middleware(Bodies, max_bytes=max_bytes, timeout_s=body_s, most=most),
            Middleware(Busy, slots=Slots(1)),
        ],
        exception_handlers=handlers(),
    )
    lobby = Lobby(most=most, patience_s=header_s)
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, http=protocol(lobby, unread_s), log_config=None, lifespan="off")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = server.force_exit = True
        thread.join(30)


def until(condition: Callable[[], bool]) -> None:
    waits = Retrying(
        retry=retry_if_result(lambda holds: not holds),
        stop=stop_after_delay(60),
        wait=wait_fixed(0.01),
    )
    waits(condition)


@contextmanager
def connected(port: int, count: int, said: bytes) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        sockets = []
        for _ in range(count):
            sockets.append(stack.enter_context(socket.create_connection(("127.0.0.1", port), 60)))
            sockets[-1].sendall(said)
        yield sockets


def echoed(port: int) -> str:
    return httpx.post(f"http://127.0.0.1:{port}/", content=b"here", timeout=60).text


def heard(connection: socket.socket) -> bytes:
    """Everything until the server closes, which it must."""
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        while found := connection.recv(65536):
            answer += found
    return answer


def unread_answers() -> float:
    return REGISTRY.get_sample_value(REFUSED, {"reason": "unread_answer"}) or 0


@pytest.mark.parametrize("said", [b"", HALF_HEADERS, HALF_BODY], ids=["none", "headers", "body"])
def test_a_good_client_is_served_beside_many_that_never_finish(said: bytes) -> None:
    with served() as port, connected(port, MANY, said):
        for _ in range(20):
            assert (
                httpx.post(f"http://127.0.0.1:{port}/", content=b"here", timeout=60).text == "here"
            )


@pytest.mark.parametrize("said", [b"", HALF_HEADERS], ids=["none", "half"])
def test_headers_that_do_not_come_end_the_connection(said: bytes) -> None:
    with served(header_s=0.2) as port, connected(port, 1, said) as (connection,):
        head, _, body = heard(connection).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 408 ")
        assert b"application/problem+json" in head
        assert json.loads(body)["status"] == 408


def test_a_second_request_has_its_own_patience() -> None:
    with served(header_s=0.2) as port, connected(port, 1, WHOLE) as (connection,):
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        connection.sendall(HALF_HEADERS)
        assert heard(connection).startswith(b"HTTP/1.1 408 ")


def test_of_too_many_that_were_answered_and_stay_the_oldest_gives_way() -> None:
    with served(most=2) as port, contextlib.ExitStack() as stack:
        resting = []
        for _ in range(3):
            (connection,) = stack.enter_context(connected(port, 1, WHOLE))
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
            resting.append(connection)
        assert heard(resting[0]) == b"", "closed without a word: nothing was asked"
        resting[2].sendall(WHOLE)
        assert resting[2].recv(65536).startswith(b"HTTP/1.1 200 ")


def test_an_answer_that_nobody_takes_ends_the_connection() -> None:
    asked = b"GET /large HTTP/1.1\r\nHost: h\r\n\r\n"
    before = unread_answers()
    with served(unread_s=0.2) as port, connected(port, 1, asked) as (connection,):
        until(lambda: unread_answers() > before)
        with contextlib.suppress(ConnectionResetError):
            assert len(heard(connection)) < len(LARGE)


def test_a_client_that_takes_a_large_answer_in_small_bites_gets_it_all() -> None:
    asked = b"GET /large HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    with served(unread_s=5) as port, connected(port, 1, asked) as (connection,):
        assert len(heard(connection)) > len(LARGE)


def test_a_body_that_does_not_come_is_408() -> None:
    with served(body_s=0.2) as port, connected(port, 1, HALF_BODY) as (connection,):
        assert heard(connection).startswith(b"HTTP/1.1 408 ")


def test_of_too_many_bodies_the_oldest_gives_way() -> None:
    with served(most=1) as port, connected(port, 1, HALF_BODY) as (oldest,):
        until(lambda: _gives_way(port, oldest))


def _gives_way(port: int, oldest: socket.socket) -> bool:
    """The newest is served; the oldest is told once it was really on its way."""
    assert echoed(port) == "here"
    oldest.settimeout(0.05)
    try:
        return oldest.recv(65536).startswith(b"HTTP/1.1 408 ")
    except TimeoutError:
        return False


@pytest.mark.parametrize(
    "said",
    [
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + b"x" * 1001,
    ],
    ids=["announced", "chunked"],
)
def test_a_body_that_is_too_large_is_413_before_it_is_read(said: bytes) -> None:
    with served() as port, connected(port, 1, said) as (connection,):
        connection.settimeout(60)
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_a_client_that_hangs_up_in_its_body_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with served() as port:
        with connected(port, 1, HALF_BODY):
            pass
        until(lambda: "POST / 400" in caplog.text)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
