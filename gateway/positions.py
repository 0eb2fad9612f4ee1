"""Read-your-writes: reads that wait until every read model has applied a position.

One watcher looks for all of them: when a read comes to wait, when projections says that it moved
(it notifies `hcp_positions` after each commit), and every LOOK_AGAIN_S, so that a lost notification
costs a moment, not the answer. However many wait, one query runs at a time, and a read that waits
takes no other request's place (middleware.Slots).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from gateway import metrics, queries
from gateway.database import Database
from gateway.errors import NotApplied, Unavailable
from gateway.middleware import Slots
from gateway.position import Position

log = logging.getLogger(__name__)

CHANNEL = "hcp_positions"
LOOK_AGAIN_S = 0.25
RECONNECT_S = 1.0
# More than projections could ever apply: a position further ahead is refused without a wait.
APPLIED_PER_S = 100_000


class Waiter:
    """A read that waits."""

    def __init__(self, positions: Sequence[Position], reach: int) -> None:
        self.missing = list(positions)
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reach = reach

    def see(self, applied: Mapping[tuple[str, int], int]) -> None:
        """applied: the next offset by log and partition, the lowest over the read models."""
        if self.done.done():
            return
        ahead = {
            position: position.offset - applied.get((position.log, position.partition), 0)
            for position in self.missing
        }
        self.missing = [position for position, events in ahead.items() if events >= 0]
        if not self.missing:
            self.done.set_result(None)
            return
        furthest = max(self.missing, key=lambda position: ahead[position])
        if ahead[furthest] > self._reach:
            self.fail(
                NotApplied(
                    f"The read models are {ahead[furthest]} events before {furthest}: it cannot be "
                    "applied in the time that a read waits."
                )
            )

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


class Positions:
    """most: how many reads may wait at once"""

    def __init__(self, database: Database, *, wait_s: float, most: int, slots: Slots) -> None:
        self._database = database
        self._wait_s = wait_s
        self._most = most
        self._slots = slots
        self._waiters: set[Waiter] = set()
        self._look_now = asyncio.Event()

    async def wait_for(self, positions: Sequence[Position]) -> None:
        """Return once all of them are applied.

        Raises NotApplied when they are not in time, or cannot be; Unavailable when too many wait;
        what database.Database raises when it does not answer.
        """
        if len(self._waiters) >= self._most:
            metrics.REFUSALS.labels("waiting").inc()
            raise Unavailable(f"{self._most} reads are waiting for a position already.")
        started = time.monotonic()
        waiter = Waiter(positions, int(self._wait_s * APPLIED_PER_S))
        self._waiters.add(waiter)
        self._look_now.set()
        outcome = "refused"
        try:
            with self._slots.given_back():
                async with asyncio.timeout(self._wait_s):
                    await waiter.done
            outcome = "applied"
        except TimeoutError:
            outcome = "timeout"
            raise NotApplied(
                f"The read models have not applied {waiter.missing[0]} within {self._wait_s:g} s."
            ) from None
        finally:
            self._waiters.discard(waiter)
            metrics.POSITION_WAIT.labels(outcome).observe(time.monotonic() - started)

    async def watch(self) -> None:
        """Look on behalf of the waiters, for as long as the gateway runs."""
        while True:
            await _wait(self._look_now, LOOK_AGAIN_S if self._waiters else None)
            self._look_now.clear()
            if self._waiters:
                await self._look()

    async def listen(self, dsn: str) -> None:
        """Look at every notification, for as long as the gateway runs."""
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(dsn, autocommit=True)
                async with connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    async for _ in connection.notifies():
                        self._look_now.set()
            except psycopg.Error as error:
                log.warning("listening for positions: %s", str(error).splitlines()[0])
            await asyncio.sleep(RECONNECT_S)

    async def _look(self) -> None:
        """Only for those that wait already: what is read answers who came before it was read."""
        waiters = list(self._waiters)
        try:
            rows = await queries.next_offsets(self._database)
        except (psycopg.Error, PoolTimeout, PoolClosed, TooManyRequests) as error:
            for waiter in waiters:
                waiter.fail(error)
            return
        applied = {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
        for waiter in waiters:
            waiter.see(applied)


async def _wait(event: asyncio.Event, timeout_s: float | None) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return
