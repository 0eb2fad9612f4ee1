"""A partition that this process runs now: how its state is saved beside its decisions, and how long
it must rest after what it was given."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from schemas.errors import RegistryUnavailable
from schemas.pace import Pace
from schemas.topics import dlq
from streams.metrics import PartitionMetrics
from streams.pausing import Rest
from streams.snapshots import Capture
from streams.worker import Worker

log = logging.getLogger("streams")

SNAPSHOT_SHARE = 10  # checkpoints may take at most one tenth of a processor
_MOST_SLICES = 256
_FIRST_WAIT_S = 0.2
_MOST_WAIT_S = 10.0
_SAY_EVERY_S = 5.0  # that a partition is flooded


class Held:
    """One worker and what came of its records.

    deciding: the lock under which the worker decides
    has_failed: whether anything in this process did; nothing is saved any more then
    unacked: Faust's events that are applied, and not known to be saved
    next_checkpoint: monotonic
    stood_at: the position at the last checkpoint
    told: the last offset that was committed without an ack
    """

    def __init__(
        self,
        worker: Worker[Any],
        metrics: PartitionMetrics,
        deciding: asyncio.Lock,
        has_failed: Callable[[], bool],
    ) -> None:
        self.worker = worker
        self.metrics = metrics
        self.unacked: deque[Any] = deque()
        self.next_checkpoint = time.monotonic()
        self.stood_at = -1
        self.told = -1
        self._deciding = deciding
        self._saving = asyncio.Lock()
        self._has_failed = has_failed
        self._registry_wait_s = _FIRST_WAIT_S
        self._pace = Pace()
        self._said_at = -math.inf

    def applied(self, event: Any) -> None:  # noqa: ANN401 - Faust's
        self.unacked.append(event)
        self._registry_wait_s = _FIRST_WAIT_S

    def wait_for_registry(self, error: RegistryUnavailable) -> Rest:
        """The same record again, later each time."""
        wait_s = self._registry_wait_s
        self._registry_wait_s = min(2 * wait_s, _MOST_WAIT_S)
        self.metrics.registry_waits.inc()
        log.warning("%s; trying again in %.1f s", error, wait_s)
        return Rest(wait_s, again=True)

    def rest_after(self, refused: int, took_s: float) -> Rest:
        """Dead letters of one partition come at a bounded pace; the others do not wait for it."""
        processor, now_s = self.worker.processor, time.monotonic()
        rest_s = self._pace.put_aside(refused, processor.refused_in_a_row, now_s, took_s)
        if rest_s > 0 and now_s - self._said_at > _SAY_EVERY_S:
            self._said_at = now_s
            self.metrics.garbage_pauses.inc()
            log.error(
                "understood none of %d records in a row up to %s:%d:%d; their dead letters are in "
                "%s; this partition goes on slowly, the others as ever",
                processor.refused_in_a_row,
                processor.agent.log.name,
                processor.partition,
                processor.position,
                dlq(processor.agent.log).name,
            )
        return Rest(rest_s)

    async def save(self) -> float:
        """Make a checkpoint, where there is anything new; the processor seconds that it cost."""
        async with self._saving:
            started = time.monotonic()
            cost_s = await self._prepare()
            await asyncio.sleep(0)  # decisions go between the last slice and the capture too
            async with self._deciding:
                taken, took_s = self._take()
            if taken is None:
                return cost_s
            written_s = await asyncio.to_thread(_cost_of, partial(self.worker.write, taken))
            self.metrics.checkpoint.observe(time.monotonic() - started)
            return cost_s + took_s + written_s

    def tell(self, end: int | None) -> None:
        """Set the metrics of where it stands.

        end: of the log, None while the consumer has not asked
        """
        position = self.worker.processor.position
        self.metrics.position.set(position)
        self.metrics.unsearched.set(self.worker.unsearched)
        self.metrics.lag.set(max(0, (end or self.worker.log_end) - 1 - position))

    async def _prepare(self) -> float:
        """Encode ahead, a slice at a time, with decisions in between.

        What these change again is left to the last moment, as is the rest when they outrun us.
        """
        cost_s = 0.0
        for _ in range(_MOST_SLICES):
            async with self._deciding:
                if self._has_failed() or not self.worker.is_ahead:
                    return cost_s
                started = time.thread_time()
                has_more = self.worker.prepare()
                cost_s += time.thread_time() - started
            if not has_more:
                return cost_s
            await asyncio.sleep(0)
        return cost_s

    def _take(self) -> tuple[Capture | None, float]:
        if self._has_failed():
            return None, 0.0
        started, started_s = time.monotonic(), time.thread_time()
        taken = self.worker.capture()
        if taken is not None:
            self.metrics.capture.observe(time.monotonic() - started)
        return taken, time.thread_time() - started_s


def _cost_of(work: Callable[[], None]) -> float:
    """Processor seconds of this thread: what work takes from others, not what it waits for."""
    started = time.thread_time()
    work()
    return time.thread_time() - started
