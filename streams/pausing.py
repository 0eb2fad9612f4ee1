"""One partition waits, the others go on.

Faust gives one stream with the records of every partition. What comes of a partition that rests is
kept here in order; the consumer is asked for no more of it meanwhile, so this is bounded by what
Faust had fetched already.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, NamedTuple, TypeVar

Record = TypeVar("Record")


class Rest(NamedTuple):
    """How long a partition must wait, and whether for the same record again."""

    seconds: float = 0.0
    again: bool = False


class Pausing(Generic[Record]):
    """apply: gives a record to its worker, and says how long its partition must rest then
    pause, resume: whether the consumer fetches a partition
    guard: runs what must not fail unseen
    """

    def __init__(
        self,
        apply: Callable[[Record], Awaitable[Rest]],
        pause: Callable[[int], None],
        resume: Callable[[int], None],
        guard: Callable[[Awaitable[None]], Awaitable[None]],
    ) -> None:
        self._apply = apply
        self._pause = pause
        self._resume = resume
        self._guard = guard
        self._waiting: dict[int, deque[Record]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def receive(self, partition: int, record: Record) -> None:
        """Applied on return, or put behind what waits of the same partition."""
        waiting = self._waiting.get(partition)
        if waiting is not None:
            waiting.append(record)
            return
        rest = await self._apply(record)
        if rest.seconds > 0:
            self._hold(partition, [record] if rest.again else [], rest)

    def let_go(self, partition: int) -> None:
        """What waits of it is somebody else's now."""
        if self._waiting.pop(partition, None) is not None:
            self._resume(partition)

    def is_resting(self, partition: int) -> bool:
        return partition in self._waiting

    def _hold(self, partition: int, first: list[Record], rest: Rest) -> None:
        waiting = self._waiting[partition] = deque(first)
        self._pause(partition)
        task = asyncio.create_task(self._run(partition, waiting, rest))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, partition: int, waiting: deque[Record], rest: Rest) -> None:
        await self._guard(self._go_on(partition, waiting, rest))

    async def _go_on(self, partition: int, waiting: deque[Record], rest: Rest) -> None:
        while True:
            await asyncio.sleep(rest.seconds)
            if self._waiting.get(partition) is not waiting:
                return
            if not waiting:
                break
            rest = await self._apply(waiting[0])
            if not rest.again:
                waiting.popleft()
        del self._waiting[partition]
        self._resume(partition)
