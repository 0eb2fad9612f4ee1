"""Faust's own classes, where the runtime needs them otherwise."""

from __future__ import annotations

import asyncio
import logging
from itertools import pairwise
from typing import Any, cast

import faust
from aiokafka import AIOKafkaConsumer, TopicPartition
from faust.tables import TableManager
from faust.transport.drivers import aiokafka as aiokafka_driver
from faust.types import TP, EventT

from schemas.isolation import ISOLATION_LEVEL
from schemas.record import Record
from schemas.topics import Topic
from streams.settings import Settings
from streams.unreadable import is_unread

_FAUST_LOG = logging.getLogger("faust.shell")
# The client leaves a partition out of a fetch while records of it are not taken yet, and that fetch
# ends with its wait, or when others have something: so all is taken soon, and no wait is long.
_TAKEN_WITHIN_S = 0.01
_FETCH_WAIT_MS = 100
_FETCH_BYTES = 128 * 1024  # of a partition
_AT_ONCE = 100  # records, shared by the partitions that have some; none is long behind another
_LOOK_S = 0.005
_MOST_GAPS = 20_000  # more than Faust holds; what is forgotten is looked up in the log


class CommittedReads(aiokafka_driver.AIOKafkaConsumerThread):
    """Faust reads what was aborted, unless its own producer is transactional; ours is not."""

    logger = _FAUST_LOG

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401
        super().__init__(*arguments, **named)
        self._resting: set[TP] = set()

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:  # noqa: ANN401
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = ISOLATION_LEVEL  # its fetcher is made of these, at the start
        consumer._fetch_max_wait_ms = _FETCH_WAIT_MS
        return consumer

    def highwater(self, tp: TP) -> int:
        """The last stable offset: nothing behind it can be read."""
        return cast(int, self._ensure_consumer().last_stable_offset(tp))

    def rest(self, tp: TP) -> None:
        """Take nothing of a partition, from any thread.

        Faust's own pause loses what was fetched of it, and the client's fetches it again.
        """
        self._resting.add(tp)

    def go_on(self, tp: TP) -> None:
        self._resting.discard(tp)
        if not self.thread_loop.is_closed():
            self.thread_loop.call_soon_threadsafe(self._look_again)

    def jump(self, tp: TP, offset: int) -> None:
        """Fetch from this offset on, from any thread."""
        self.thread_loop.call_soon_threadsafe(self._jump, TopicPartition(*tp), offset)

    def _jump(self, place: TopicPartition, offset: int) -> None:
        consumer = self._ensure_consumer()
        if place in consumer.assignment():
            consumer.seek(place, offset)

    def _look_again(self) -> None:
        if self._consumer is not None:
            fetcher = self._consumer._fetcher
            for waiter in fetcher._fetch_waiters:
                fetcher._notify(waiter)

    async def _fetch_records(
        self,
        consumer: AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109 - Faust's
        max_records: int | None = None,
    ) -> dict[TP, Any]:
        """A share of each partition: the client would empty one with a long backlog first."""
        fetcher, wanted = consumer._fetcher, active_partitions - self._resting
        fetcher._prefetch_backoff = _TAKEN_WITHIN_S
        ready = [tp for tp in fetcher._records if tp in wanted]
        found: dict[TP, Any] = {}
        for tp in ready:
            found |= await super()._fetch_records(consumer, {tp}, 0, _AT_ONCE // len(ready) or 1)
        if found:
            return found
        if not wanted:
            await asyncio.sleep(_LOOK_S)
            return {}
        return dict(await super()._fetch_records(consumer, wanted, timeout, max_records))


class DirectConsumer(aiokafka_driver.Consumer):
    """Faust's consumer without two asyncio tasks for every record.

    Its fetch loop races each delivery against "the flow was suspended". A delivery is awaited
    directly as long as the flow runs; in a rebalance the race takes place as before.
    """

    logger = _FAUST_LOG

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401
        super().__init__(*arguments, **named)
        self._before: dict[tuple[int, int], int] = {}

    def before(self, partition: int, offset: int) -> int | None:
        """The offset of the record right before this one, where there are offsets between the two.

        Known when both came in one fetch. It is said of the log, and stays true.
        """
        return self._before.get((partition, offset))

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:  # noqa: ANN401, ASYNC109
        while self._untaken() > _AT_ONCE and not self.should_stop:  # noqa: ASYNC110 - no event
            await asyncio.sleep(_LOOK_S)
        found = await super()._getmany(active_partitions, min(timeout, _FETCH_WAIT_MS / 1000))
        if len(self._before) > _MOST_GAPS:
            self._before.clear()
        for tp, records in found.items():
            for earlier, later in pairwise(records):
                if later.offset > earlier.offset + 1 and not is_unread(later.headers):
                    self._before[tp.partition, later.offset] = earlier.offset
        return found

    def _untaken(self) -> int:
        """Records that were delivered, and that the agent has yet to look at."""
        return sum(queue.qsize() for queue in self.app.flow_control._queues)

    async def wait_first(self, *coros: Any, timeout: Any = None) -> Any:  # noqa: ANN401, ASYNC109
        if len(coros) == 2 and self.app.flow_control.is_active():
            delivery, suspended = coros
            suspended.close()
            return await delivery
        return await super().wait_first(*coros, timeout=timeout)

    def _new_consumer_thread(self) -> CommittedReads:
        return CommittedReads(self, loop=self.loop, beacon=self.beacon)

    def rest(self, tp: TP) -> None:
        cast(CommittedReads, self._thread).rest(tp)

    def go_on(self, tp: TP) -> None:
        cast(CommittedReads, self._thread).go_on(tp)

    def jump(self, tp: TP, offset: int) -> None:
        """What lies before this offset is needed no more, where it was not delivered yet."""
        if offset > (self._read_offset[tp] or 0):
            self._read_offset[tp] = offset
            cast(CommittedReads, self._thread).jump(tp, offset)

    async def commit_at(self, tp: TP, offset: int) -> None:
        """Commit what lies behind the last record too: Faust commits only behind what it acked."""
        await self._commit_offsets({tp: offset})

    def is_dead(self) -> bool:
        worker = self._thread._thread
        return worker is not None and not worker.is_alive()


class DirectTransport(aiokafka_driver.Transport):
    Consumer = DirectConsumer


class NoTables(TableManager):
    """Faust waits a second for tables to be declared. There are none, and a restart is urgent."""

    logger = _FAUST_LOG

    async def on_start(self) -> None:
        await self._update_channels()
        await self.recovery.start()


def new_app(group: str, settings: Settings) -> faust.App:
    app = faust.App(
        group,
        broker=[f"aiokafka://{server}" for server in settings.kafka.split(",")],
        store="memory://",
        datadir=settings.scratch_dir,
        TableManager=NoTables,
        autodiscover=False,
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        reply_create_topic=False,
        key_serializer="raw",
        value_serializer="raw",
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=f"{group}-{settings.instance}",
        broker_session_timeout=settings.session_timeout_s,
        broker_request_timeout=max(90.0, settings.session_timeout_s + 1),
        broker_commit_interval=1.0,
        stream_buffer_maxsize=1024,
        stream_wait_empty=False,  # what is not acked yet is read again
        broker_max_poll_records=_AT_ONCE,
    )
    app.transport = DirectTransport(app.conf.broker_consumer, app)
    return app


def record_of(topic: Topic, event: EventT[Any]) -> Record:
    message = event.message
    headers: Any = message.headers or ()
    return Record(
        topic.name,
        message.partition,
        message.offset,
        int(message.timestamp * 1000),
        message.key,
        message.value,
        tuple(headers.items() if isinstance(headers, dict) else headers),
    )
