"""The Faust shell around the loop: who runs which partition, what is read, acked and committed.

Faust gives partition assignment, static membership, fetching and commits. It decides nothing:

- records reach `Worker.receive` in order, under one lock; nothing is acked by Faust itself
  (`noack`), because Faust acks a record whose agent raised, and that record would be lost
- a checkpoint holds that lock while it takes the state, in pieces of milliseconds; it is written in
  a thread, while decisions go on
- answers go out through the worker's own idempotent producer, never through Faust's
- where Faust starts reading does not matter: the worker skips what its snapshot holds, and reads
  from the log itself what lies between its snapshot and the first record it is given
"""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, cast

import faust
from aiokafka.errors import KafkaError
from faust.types import TP, EventT, StreamT

from schemas.codec import Codec
from schemas.errors import RegistryUnavailable
from schemas.registry import RegistryIds
from schemas.topics import Topics, dlq, group_of, snapshots_topic, unanswered
from streams.answers import answer_topics
from streams.consumer import DirectConsumer, new_app, record_of
from streams.definition import Agent
from streams.errors import (
    ConsumerStopped,
    LogUnavailable,
    NotProvisioned,
    ReadingStopped,
    StreamError,
    VerdictOverruled,
    WorkerFailed,
)
from streams.held import SNAPSHOT_SHARE, Held
from streams.kafka import KafkaLog
from streams.metrics import PartitionMetrics
from streams.pausing import Pausing, Rest
from streams.recovery import begin
from streams.settings import Settings
from streams.unreadable import install, is_unread
from streams.worker import Worker, last_before

log = logging.getLogger("streams")

_TICK_S = 0.05
# A stop in the worst case, Kafka being away: 8 + 2 + 2 + 4 s, below the supervisor's 20 s.
_LAST_CALL_S = 8.0
_LAST_COMMIT_S = 2.0
_STOP_S = 4.0
_READY_ANYWAY_S = 30.0  # a long rebuild is not a dead worker
_AGAIN_S = 0.001
# Times `checkpoint_records`: at so many unsaved records decisions wait for a checkpoint.
_UNSAVED = 2
_SLICE = 1_000  # records of a catching up
_MANY, _SOON_S = 5, 30.0  # assignments in a short time: two workers with one name


class Runtime:
    """One agent in this process. `run` returns when asked to stop, and raises what stopped it.

    ready: called once, when the first partition is restored, or when there is none to run
    stopping: called once, when the end begins
    """

    def __init__(
        self,
        agent: Agent[Any, Any],
        settings: Settings,
        *,
        ready: Callable[[], None],
        stopping: Callable[[], None],
    ) -> None:
        self._ready = ready
        self._ending = stopping
        self._agent = agent
        self._settings = settings
        self._topics = Topics(settings.topic_prefix)
        self._codec = Codec(RegistryIds(settings.schema_registry, self._topics))
        self._log = KafkaLog(settings.kafka, self._topics, patience_s=settings.patience_s)
        self._held: dict[int, Held] = {}
        self._assigned: set[int] | None = None  # before the first assignment
        self._assignments: deque[float] = deque(maxlen=_MANY)
        self._lock = asyncio.Lock()
        self._stopping = asyncio.Event()
        self._failure: Exception | None = None
        self._pausing: Pausing[EventT[Any]] = Pausing(
            self._apply, self._pause, self._resume, self._guard
        )

    def prepare(self) -> None:
        """Look at everything the agent needs. Raises StreamError, SchemaError: one sentence."""
        agent = self._agent
        partitions = self._log.partitions(agent.log)
        letters = (dlq(agent.log), unanswered(agent.log))
        written = (snapshots_topic(agent.name), *letters, *answer_topics(agent))
        for topic in written:
            found = self._log.partitions(topic)
            if topic.name == snapshots_topic(agent.name).name and found < partitions:
                raise NotProvisioned(
                    f"topic {topic.name} has {found} partitions, {agent.log.name} has "
                    f"{partitions}: there must be a snapshot partition for each"
                )
        self._codec.warm(*written, writer=agent.name)

    async def run(self) -> None:
        app = self._faust_app()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        ticker = asyncio.create_task(self._guard(self._tick()))
        starter = asyncio.create_task(self._guard(app.start()))
        watcher = asyncio.create_task(self._guard(self._watch()))
        await self._stopping.wait()
        self._ending()
        self._log.stop_reading()
        self._log.hurry(_LAST_CALL_S)
        await asyncio.wait({ticker, watcher})  # not cancelled: a checkpoint may be in its thread
        if self._failure is None:
            await self._guard(self._let_go(set(self._held)))
        if self._failure is None:
            await self._guard(self._commit())
        await asyncio.wait({asyncio.create_task(self._guard(app.stop()))}, timeout=_STOP_S)
        starter.cancel()
        if self._failure is not None:
            raise self._failure
        if app.crash_reason is not None:
            raise self._stopped_by(app.crash_reason)

    def _faust_app(self) -> faust.App:
        settings, agent = self._settings, self._agent
        app = new_app(group_of(agent.name, settings.topic_prefix), settings)
        install()
        topic = app.topic(
            self._topics.name_of(agent.log),
            key_serializer="raw",
            value_serializer="raw",
            key_type=bytes,
            value_type=bytes,
        )

        async def consume(stream: StreamT[bytes]) -> None:
            async for event in cast(Any, stream).noack().events():
                receiving = self._pausing.receive(event.message.partition, event)
                await self._guard(receiving)

        app.agent(topic, name=f"streams.{agent.name}")(consume)
        app.on_partitions_assigned.connect(cast(Any, self._on_assigned))
        app.on_partitions_revoked.connect(cast(Any, self._on_revoked))
        self._app = app
        return app

    async def _apply(self, event: EventT[Any]) -> Rest:
        record = record_of(self._agent.log, event)
        was_read, refused = not is_unread(record.headers), self._refused(record.partition)
        before = self._consumer.before(record.partition, record.offset)
        last = last_before(record, before) if was_read else record.offset
        await self._catch_up(record.partition, last)
        async with self._lock:
            if self._stopping.is_set() or record.partition not in (self._assigned or ()):
                return Rest()  # revoked while it waited in Faust's buffer
            held = await self._hold(record.partition)
            if held.worker.is_behind(last):  # given away and back meanwhile
                return Rest(_AGAIN_S, again=True)
            began = time.monotonic()
            try:
                answered = held.worker.receive(record, before) if was_read else 0
            except RegistryUnavailable as error:
                return held.wait_for_registry(error)
            except VerdictOverruled as error:
                await self._make_again(record.partition, error)
                return Rest(_AGAIN_S, again=True)
            held.applied(event)
            took_s = time.monotonic() - began
            if answered:
                age_s = time.time() - record.timestamp_ms / 1000
                held.metrics.decision_latency.observe(max(0.0, age_s))
        most = self._settings.checkpoint_records
        if len(held.unacked) >= most:
            held.next_checkpoint = 0.0
        if len(held.unacked) >= _UNSAVED * most:
            await self._checkpoint(held)
        refused = held.worker.processor.tally.refused - refused
        return held.rest_after(refused, took_s) if refused > 0 else Rest()

    def _refused(self, partition: int) -> int:
        held = self._held.get(partition)
        return 0 if held is None else held.worker.processor.tally.refused

    def _pause(self, partition: int) -> None:
        self._consumer.rest(self._place(partition))

    def _resume(self, partition: int) -> None:
        self._consumer.go_on(self._place(partition))

    @property
    def _consumer(self) -> DirectConsumer:
        return cast(DirectConsumer, self._app.consumer)

    def _place(self, partition: int) -> TP:
        return TP(self._topics.name_of(self._agent.log), partition)

    async def _watch(self) -> None:
        """Faust keeps a process alive whose consumer is dead; and says when it may serve."""
        anyway = time.monotonic() + _READY_ANYWAY_S
        is_ready = False
        while not self._stopping.is_set():
            await asyncio.sleep(_TICK_S)
            if self._app.crash_reason is not None:
                raise self._stopped_by(self._app.crash_reason)
            has_joined = self._assigned is not None
            if has_joined and self._consumer.is_dead():
                raise ConsumerStopped("the consumer's thread ended")
            has_nothing = has_joined and not self._assigned
            is_held = any(not held.worker.is_behind() for held in self._held.values())
            if not is_ready and (is_held or has_nothing or time.monotonic() > anyway):
                self._ready()
                is_ready = True

    def _stopped_by(self, reason: BaseException) -> StreamError:
        if isinstance(reason, KafkaError):
            return LogUnavailable(f"Kafka at {self._settings.kafka}: {reason}")
        return ConsumerStopped(f"the consumer stopped: {type(reason).__name__}: {reason}")

    async def _tick(self) -> None:
        """Checkpoints when no record comes to trigger one; first state of an idle partition."""
        while not self._stopping.is_set():
            await asyncio.sleep(_TICK_S)
            for partition in sorted(self._assigned or ()):
                await self._catch_up(partition)
                held = self._held.get(partition)
                if held is not None and time.monotonic() >= held.next_checkpoint:
                    await self._checkpoint(held)
                    await self._pass_over(held)

    async def _catch_up(self, partition: int, last: int = -1) -> None:
        """Restore, and apply what lies up to this offset, and what was recorded, slice by slice.

        Each slice in a thread, with checkpoints and other partitions in between. Ends early when
        the process does or the partition is revoked.
        """
        while not self._stopping.is_set():
            async with self._lock:
                if partition not in (self._assigned or ()):
                    return
                held = await self._hold(partition)
                if not held.worker.is_behind(last):
                    return
                rest = Rest()
                try:
                    await asyncio.to_thread(held.worker.catch_up, last, _SLICE)
                except RegistryUnavailable as error:
                    rest = held.wait_for_registry(error)
                except VerdictOverruled as error:
                    await self._make_again(partition, error)
                    continue
                if not held.worker.is_behind(last):
                    position = held.worker.processor.position
                    self._consumer.jump(self._place(partition), position + 1)
                    self._log.close_readers()
                    log.info("partition %d: caught up to offset %d", partition, last)
            await asyncio.sleep(rest.seconds)
            self._tell(held)
            if time.monotonic() >= held.next_checkpoint:
                await self._checkpoint(held)

    async def _hold(self, partition: int) -> Held:
        """The partition's worker, restored when there is none yet."""
        held = self._held.get(partition)
        if held is not None:
            return held
        started = time.monotonic()
        recovery = await asyncio.to_thread(begin, self._agent, partition, self._log, self._codec)
        worker = Worker(recovery, self._log, self._codec)
        self._log.close_readers()
        took_s = time.monotonic() - started
        log.info(
            "partition %d: %d keys restored at offset %d in %.0f ms; %d offsets may hold answers",
            partition,
            len(worker.processor.states),
            worker.processor.position,
            took_s * 1000,
            worker.unsearched,
        )
        metrics = PartitionMetrics(self._agent.name, partition)
        metrics.restore.set(took_s)
        held = Held(worker, metrics, self._lock, lambda: self._failure is not None)
        self._held[partition] = held
        self._tell(held)
        return held

    async def _make_again(self, partition: int, error: VerdictOverruled) -> None:
        """Restore a partition whose state rests on an overruled verdict, answers on the log first.
        The lock is held."""
        log.warning("%s; making the state again from the log", error)
        overruled = self._held.pop(partition)
        await asyncio.to_thread(overruled.worker.come_to_rest)
        held = await self._hold(partition)
        held.unacked = overruled.unacked

    async def _checkpoint(self, held: Held) -> None:
        """After a failure anywhere in the process nothing is kept and nothing acked."""
        try:
            cost_s = await held.save()
        except WorkerFailed:
            if self._held.get(held.worker.processor.partition) is held:
                raise
            return  # the state was made again meanwhile, and this worker is of no more use
        if self._failure is not None:
            return
        processor = held.worker.processor
        while held.unacked and held.unacked[0].message.offset <= held.worker.saved_position:
            held.unacked.popleft().ack()
        held.metrics.tell(processor.tally, processor.left_out())
        self._tell(held)
        least_s = self._settings.checkpoint_interval_ms / 1000
        held.next_checkpoint = time.monotonic() + max(least_s, SNAPSHOT_SHARE * cost_s)

    async def _pass_over(self, held: Held) -> None:
        """Where nothing came since the last checkpoint: get behind what nobody reads, and say so.

        Faust commits only behind what it delivered.
        """
        worker, processor = held.worker, held.worker.processor
        has_moved, held.stood_at = processor.position != held.stood_at, processor.position
        if has_moved:
            return
        place = self._place(processor.partition)
        end = self._end(place) or 0
        if processor.position + 1 < end:
            async with self._lock:
                await asyncio.to_thread(worker.pass_over, end)
            await self._checkpoint(held)
        if self._failure is None and not held.unacked and worker.saved_position > held.told:
            await self._consumer.commit_at(place, worker.saved_position + 1)
            held.told = worker.saved_position

    def _tell(self, held: Held) -> None:
        held.tell(self._end(self._place(held.worker.processor.partition)))

    def _end(self, place: TP) -> int | None:
        """None before the consumer has asked, and where the partition was just taken away: the
        client raises for what it does not hold."""
        consumer = self._app.consumer
        return consumer.highwater(place) if place in consumer.assignment() else None

    async def _on_assigned(self, _app: object, assigned: set[TP], **_: object) -> None:
        self._assigned = {tp.partition for tp in assigned}
        log.info("runs partitions %s", sorted(self._assigned))
        now = time.monotonic()
        self._assignments.append(now)
        if len(self._assignments) == _MANY and now - self._assignments[0] < _SOON_S:
            log.warning(
                "partitions were assigned %d times in %.0f s: if another worker runs as %s, give "
                "each its own HCP_INSTANCE",
                _MANY,
                now - self._assignments[0],
                self._app.conf.consumer_group_instance_id,
            )

    async def _on_revoked(self, _app: object, revoked: set[TP], **_: object) -> None:
        await self._guard(self._let_go({tp.partition for tp in revoked}))

    async def _let_go(self, partitions: set[int]) -> None:
        async with self._lock:  # no record and no restoring is under way
            if self._assigned is not None:
                self._assigned -= partitions
        for partition in partitions:
            self._pausing.let_go(partition)
        for partition in sorted(partitions & set(self._held)):
            await self._checkpoint(self._held[partition])
            del self._held[partition]

    async def _commit(self) -> None:
        try:
            await asyncio.wait_for(self._app.consumer.commit(), _LAST_COMMIT_S)
        except TimeoutError:
            silent = f"Kafka at {self._settings.kafka}: no answer to the last commit"
            raise LogUnavailable(silent) from None

    async def _guard(self, work: Awaitable[None]) -> None:
        """The first failure anywhere ends the process: to skip a record would be to lose it."""
        try:
            await work
        except asyncio.CancelledError:
            raise
        except ReadingStopped:  # only ever after `stop_reading`
            assert self._stopping.is_set()
        except Exception as error:  # noqa: BLE001 - nothing is swallowed: `run` raises it
            if isinstance(error, KafkaError):
                error = self._stopped_by(error)
            self._failure = self._failure or error
            self._stopping.set()
