"""Connections that want nothing yet, or take nothing: for how long, and how many.

uvicorn waits for a request's headers without end, and a server has as many connections as it may
open files: whoever opens them all and says nothing, or nothing more, would shut everybody else out.
So a connection has a while for the headers of each request, and where too many are without one,
the one that has been so longest is closed for the newest. A client that means it is never the
oldest of so many.

uvicorn also keeps an answer for a client that does not take it for as long as the client likes. So
each connection on which an answer waits must take some of it now and then.
"""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from gateway import metrics
from gateway.errors import Slow


class Lobby:
    """Connections without a request, the longest so first.

    most: how many there may be; one more closes the first
    patience_s: how long the headers of a request may take to arrive
    """

    def __init__(self, *, most: int, patience_s: float) -> None:
        self._most = most
        self._patience_s = patience_s
        self._waiting: dict[LobbyProtocol, asyncio.TimerHandle | None] = {}

    def enter(self, connection: LobbyProtocol) -> None:
        """A request begins. Again changes nothing: a header a minute is no progress."""
        if self._waiting.get(connection) is not None:
            return
        self._make_room_for(connection)
        loop = asyncio.get_running_loop()
        self._waiting[connection] = loop.call_later(self._patience_s, self._send_away, connection)

    def rest(self, connection: LobbyProtocol) -> None:
        """It was answered and may ask again. uvicorn's keep-alive says for how long."""
        self._make_room_for(connection)
        self._waiting[connection] = None

    def leave(self, connection: LobbyProtocol) -> None:
        timer = self._waiting.pop(connection, None)
        if timer is not None:
            timer.cancel()

    def _make_room_for(self, connection: LobbyProtocol) -> None:
        self.leave(connection)
        if len(self._waiting) >= self._most:
            self._send_away(next(iter(self._waiting)))

    def _send_away(self, connection: LobbyProtocol) -> None:
        rests = self._waiting[connection] is None
        self.leave(connection)
        if rests:
            connection.transport.close()
            return
        metrics.REFUSALS.labels("slow_headers").inc()
        connection.give_up()


class LobbyProtocol(H11Protocol):
    """uvicorn's protocol, with the wait for headers bounded by the lobby.

    unread_s: how long an answer may wait without a byte of it being taken
    """

    lobby: Lobby
    unread_s: float
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.lobby.enter(self)

    def data_received(self, data: bytes) -> None:
        if self._is_between_requests():
            self.lobby.enter(self)
        super().data_received(data)
        if not self._is_between_requests():
            self.lobby.leave(self)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._is_between_requests() and not self.transport.is_closing():
            self.lobby.rest(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lobby.leave(self)
        self._was_read()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._expect_reader()

    def resume_writing(self) -> None:
        self._was_read()
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        """What the client has not taken by now holds the connection open after it is closed."""
        super().timeout_keep_alive_handler()
        if self._unread is None:
            self._expect_reader()

    def give_up(self) -> None:
        """Says why where the client could take it for an answer, and closes."""
        if self.conn.our_state is h11.IDLE and not self.transport.is_closing():
            self.transport.write(_too_slow())
        self.transport.close()

    def _is_between_requests(self) -> bool:
        return self.conn.their_state is h11.IDLE

    def _expect_reader(self) -> None:
        waiting = self.transport.get_write_buffer_size()
        if waiting:
            self._unread = self.loop.call_later(self.unread_s, self._look_again, waiting)

    def _look_again(self, before: int) -> None:
        """Nothing is added meanwhile, so what is not less was not touched."""
        self._unread = None
        if self.transport.get_write_buffer_size() < before:
            self._expect_reader()
            return
        metrics.REFUSALS.labels("unread_answer").inc()
        self.transport.abort()

    def _was_read(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None


def _too_slow() -> bytes:
    """As every other error: a problem document."""
    answer = Slow("The headers of a request did not come in time.").response()
    head = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
    return f"HTTP/1.1 408 Request Timeout\r\n{head}\r\n".encode() + bytes(answer.body)


def protocol(lobby: Lobby, unread_s: float) -> type[LobbyProtocol]:
    """The class that uvicorn makes one of for each connection."""
    return type("LobbyProtocol", (LobbyProtocol,), {"lobby": lobby, "unread_s": unread_s})
