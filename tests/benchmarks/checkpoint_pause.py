"""How long decisions stand still while the state of a large site is saved, again and again.

Routing with 10,000 units and 10,000 queued workloads: one key, 5 MB. Decisions follow each other
without a rest, on a real log, under the lock under which the runtime makes them; checkpoints are
made beside them at the runtime's pace. Every time from one decision to the next is measured; the
peer is the same load without checkpoints.
"""

from __future__ import annotations

import asyncio
import gc
import random
import time
from collections import deque
from collections.abc import Iterator
from itertools import count

from schemas.codec import OutRecord
from schemas.events import sites
from schemas.record import Record
from schemas.topics import SITES, Event
from streams.app import GC_THRESHOLDS
from streams.held import SNAPSHOT_SHARE, Held
from streams.kafka import KafkaLog
from streams.log import Delivered
from streams.metrics import PartitionMetrics
from streams.recovery import restore
from streams.routing.agent import AGENT
from streams.routing.state import State
from streams.worker import Worker
from tests.benchmarks.environment import Environment
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.load import T0, completion, opening, submission

SITE = "large"
BAR_MS = 50
EVERY_S = 0.5


def checkpoint_pause(
    env: Environment, *, units: int = 10_000, queued: int = 10_000, seconds: float = 15
) -> list[Figure]:
    gc.set_threshold(*GC_THRESHOLDS)  # as in the process of an agent
    log = _Watched(env)
    restored = restore(AGENT, 0, log, env.codec)
    worker = Worker(restored, log, env.codec)
    site = _Site(env, worker, log.placed, units, queued)
    bare_ms, busy_ms, saves_ms = asyncio.run(site.run(seconds))
    name = f"{units:,} units, {queued:,} queued, from one decision to the next"
    figures = [
        Figure(
            benchmark="checkpoints",
            name=f"{name}, {said}",
            value=value(busy_ms),
            unit="ms",
            better="lower",
            bar=BAR_MS if said == "p99" else None,
            peer="without checkpoints",
            peer_value=value(bare_ms),
        )
        for said, value in (
            ("p50", lambda times: percentile(times, 50)),
            ("p99", lambda times: percentile(times, 99)),
            ("longest", max),
        )
    ]
    figures.append(
        Figure(
            benchmark="checkpoints",
            name=f"{units:,} units, {queued:,} queued, a checkpoint until it is durable, p50 of "
            f"{len(saves_ms)}",
            value=percentile(saves_ms, 50),
            unit="ms",
            better="lower",
        )
    )
    return figures


class _Watched(KafkaLog):
    """placed: workload and placement of each placement that went by."""

    def __init__(self, env: Environment) -> None:
        super().__init__(env.addresses.kafka, env.topics)
        self.placed: deque[tuple[str, str]] = deque()
        self._codec = env.codec

    def publish(self, record: OutRecord, on_delivered: Delivered | None = None) -> None:
        super().publish(record, on_delivered)
        if ("ce_type", sites.WorkloadPlaced.FULL_NAME.encode()) in record.headers:
            event = self._codec.decode(record.value)
            assert isinstance(event, sites.WorkloadPlaced)
            self.placed.append((event.workload_id, event.placement_id))


class _Site:
    def __init__(
        self,
        env: Environment,
        worker: Worker[State],
        placed: deque[tuple[str, str]],
        units: int,
        queued: int,
    ) -> None:
        self._env = env
        self._worker = worker
        self._offsets = count(worker.processor.position + 1)
        self._pick = random.Random(17)
        self._serial = 0
        self._now = T0
        self._running = placed
        for event in opening(SITE, units):
            self._decide(event)
        while self._serial - len(self._running) < queued:
            self._decide(self._submission())

    async def run(self, seconds: float) -> tuple[list[float], list[float], list[float]]:
        """Times between decisions without and with checkpoints, and of whole checkpoints; ms."""
        deciding, events = asyncio.Lock(), self._load()
        held = Held(self._worker, PartitionMetrics("bench", 0), deciding, lambda: False)
        bare_ms = await self._decide_for(seconds, deciding, events)
        saves_ms: list[float] = []
        saver = asyncio.create_task(_save_for_ever(held, saves_ms))
        busy_ms = await self._decide_for(seconds, deciding, events)
        saver.cancel()
        return bare_ms, busy_ms, saves_ms

    async def _decide_for(
        self, seconds: float, deciding: asyncio.Lock, events: Iterator[Event]
    ) -> list[float]:
        times_ms: list[float] = []
        last = time.monotonic()
        end = last + seconds
        while last < end:
            async with deciding:
                self._decide(next(events))
            now = time.monotonic()
            times_ms.append((now - last) * 1000)
            last = now
            await asyncio.sleep(0)
        return times_ms

    def _load(self) -> Iterator[Event]:
        """A workload comes for each that completes, so the queue stays as it is."""
        while True:
            if self._serial % 50 == 0:
                self._now += 1_000
                yield sites.TimePassed(site_id=SITE, at=self._now)
            yield completion(SITE, *self._running.popleft(), self._now)
            yield self._submission()

    def _submission(self) -> Event:
        self._serial += 1
        return submission(SITE, self._serial, self._now, self._pick)

    def _decide(self, event: Event) -> None:
        out, offset = self._env.record(event), next(self._offsets)
        headers = tuple((name, v) for name, v in out.headers if isinstance(v, bytes))
        record = Record(SITES.name, 0, offset, self._now, out.key, out.value, headers)
        self._worker.receive(record)


async def _save_for_ever(held: Held, took_ms: list[float]) -> None:
    while True:
        started = time.monotonic()
        cost_s = await held.save()
        took_ms.append((time.monotonic() - started) * 1000)
        await asyncio.sleep(max(EVERY_S, SNAPSHOT_SHARE * cost_s))
