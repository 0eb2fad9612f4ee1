"""Connections that have not yet said what they want: for how long, and how many.

uvicorn waits for a request's headers without end, and a server has as many connections as it may
open files: whoever opens them all and says nothing would shut everybody else out. So a connection
has a while for the headers of each request, and where too many wait, the one that has waited
longest is closed for the newest. A client that means it is never the oldest of so many.
"""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from gateway import metrics
from gateway.errors import Slow


class Lobby:
    """Connections whose next request has begun and not yet arrived, the longest waiting first.

    most: how many may wait; one more closes the first
    patience_s: how long one may wait
    """

    def __init__(self, *, most: int, patience_s: float) -> None:
        self._most = most
        self._patience_s = patience_s
        self._waiting: dict[LobbyProtocol, asyncio.TimerHandle] = {}

    def enter(self, connection: LobbyProtocol) -> None:
        """Again changes nothing: a header a minute is no progress."""
        if connection in self._waiting:
            return
        if len(self._waiting) >= self._most:
            self._send_away(next(iter(self._waiting)))
        loop = asyncio.get_running_loop()
        self._waiting[connection] = loop.call_later(self._patience_s, self._send_away, connection)

    def leave(self, connection: LobbyProtocol) -> None:
        timer = self._waiting.pop(connection, None)
        if timer is not None:
            timer.cancel()

    def _send_away(self, connection: LobbyProtocol) -> None:
        self.leave(connection)
        metrics.REFUSALS.labels("slow_headers").inc()
        connection.give_up()


class LobbyProtocol(H11Protocol):
    """uvicorn's protocol, with the wait for headers bounded by the lobby."""

    lobby: Lobby

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.lobby.enter(self)

    def data_received(self, data: bytes) -> None:
        if self._is_between_requests():
            self.lobby.enter(self)
        super().data_received(data)
        if not self._is_between_requests():
            self.lobby.leave(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lobby.leave(self)
        super().connection_lost(exc)

    def give_up(self) -> None:
        """Says why where the client could take it for an answer, and closes."""
        if self.conn.our_state is h11.IDLE and not self.transport.is_closing():
            self.transport.write(_too_slow())
        self.transport.close()

    def _is_between_requests(self) -> bool:
        return self.conn.their_state is h11.IDLE


def _too_slow() -> bytes:
    """As every other error: a problem document."""
    answer = Slow("The headers of a request did not come in time.").response()
    head = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
    return f"HTTP/1.1 408 Request Timeout\r\n{head}\r\n".encode() + bytes(answer.body)


def protocol(lobby: Lobby) -> type[LobbyProtocol]:
    """The class that uvicorn makes one of for each connection."""
    return type("LobbyProtocol", (LobbyProtocol,), {"lobby": lobby})
