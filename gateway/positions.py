"""Position tokens and read-your-writes.

A write answers with `<log>:<partition>:<offset>`: where its event lies on the log. A read that
sends it back waits until every read model of that log has applied it. Projections notifies
`hcp_positions` after each commit, so a waiter wakes at once; it also looks again on its own, so a
lost notification costs a moment, not the answer.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from gateway import metrics, queries
from gateway.database import Database
from gateway.errors import Fault, Invalid, NotApplied
from schemas import topics

log = logging.getLogger(__name__)

CHANNEL = "hcp_positions"
LOOK_AGAIN_S = 0.25
MAX_POSITIONS = 16
RECONNECT_S = 1.0


@dataclass(frozen=True, slots=True)
class Position:
    log: str  # topic name without the environment's prefix
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.log}:{self.partition}:{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Position:
        """Raises ValueError with a sentence for the caller."""
        name, _, rest = text.strip().partition(":")
        partition, _, offset = rest.partition(":")
        if name not in LOGS:
            raise ValueError(f"{text!r} is not a position: it names none of our logs.")
        if not (_natural(partition) and _natural(offset)):
            raise ValueError(f"{text!r} is not a position like {name}:0:1234.")
        return cls(name, int(partition), int(offset))


LOGS = frozenset(topic.name for topic in topics.LOGS)


class Positions:
    """Waits for positions on behalf of reads; one listening connection serves all of them."""

    def __init__(self, database: Database, wait_s: float) -> None:
        self._database = database
        self._wait_s = wait_s
        self._woken = asyncio.Event()

    async def wait_for(self, text: str) -> None:
        """Return once all positions in the text (separated by commas) are applied.

        Raises Invalid for a text that is no position, NotApplied when the wait is over.
        """
        missing = parse_all(text)
        started = time.monotonic()
        while True:
            woken = self._woken
            missing = [position for position in missing if not await self._applied(position)]
            waited = time.monotonic() - started
            if not missing:
                metrics.POSITION_WAIT.labels("applied").observe(waited)
                return
            if waited >= self._wait_s:
                metrics.POSITION_WAIT.labels("timeout").observe(waited)
                raise NotApplied(
                    f"The read models have not applied {missing[0]} within {self._wait_s:g} s."
                )
            await _wait(woken, min(LOOK_AGAIN_S, self._wait_s - waited))

    async def listen(self, dsn: str) -> None:
        """Wake the waiters at every notification, for as long as the gateway runs."""
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(dsn, autocommit=True)
                async with connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    async for _ in connection.notifies():
                        self._wake()
            except psycopg.OperationalError as error:
                log.warning("listening for positions: %s", str(error).splitlines()[0])
            await asyncio.sleep(RECONNECT_S)

    def _wake(self) -> None:
        woken, self._woken = self._woken, asyncio.Event()
        woken.set()

    async def _applied(self, position: Position) -> bool:
        applied = await queries.next_offset(self._database, position.log, position.partition)
        return applied is not None and applied > position.offset


def parse_all(text: str) -> Sequence[Position]:
    """Raises Invalid, naming the first text that is no position."""
    parts = text.split(",")
    try:
        if len(parts) > MAX_POSITIONS:
            raise ValueError(f"At most {MAX_POSITIONS} positions can be waited for at once.")
        return [Position.parse(part) for part in parts]
    except ValueError as error:
        fault = Fault(detail=str(error), parameter="min_position")
        raise Invalid("The position to wait for is not one.", faults=[fault]) from error


async def _wait(event: asyncio.Event, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return


def _natural(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18
