"""The log on Kafka: an idempotent producer, and consumers that read by offset."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Any, cast

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from schemas.codec import OutRecord
from schemas.isolation import READ_COMMITTED
from schemas.record import Record, record_of
from schemas.topics import MAX_RECORD_BYTES, Topic, Topics
from streams.errors import LogUnavailable, NotProvisioned, PublishingFailed, ReadingStopped
from streams.failstop import FailStop
from streams.log import Delivered

_LIBRARY_LOG = logging.getLogger("librdkafka")

_BATCH = 1000
_ANY_PARTITION = -1  # the key decides
_RETRY_S = 0.1
_READ_AHEAD_KB = 8 * 1024
_SERVE_S = 0.05  # deliveries that another thread is told of wake nobody
_SLICE_S = 2.0  # no call into the client is longer, so that `hurry` is heard
# Each poll lets go of Python's lock, and gets it back only when another busy thread (the fetching
# one) gives it up, up to 5 ms later. Polled at every record, a worker on a loaded machine spent two
# thirds of its time waiting for that lock. What is polled for, deliveries, is needed at a flush.
_POLL_EVERY = 200
_PASSING = frozenset(
    {
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._TIMED_OUT,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
    }
)


@dataclass(slots=True)
class _Batch:
    """What was published between two flushes."""

    waiting: int = 0


class KafkaLog:
    """One process's producer and readers.

    No record can be overtaken by a later one of its partition: the producer is idempotent, never
    gives up on one record while it sends the next (`enable.gapless.guarantee`, no message timeout),
    and after the first failure nothing is published any more.

    patience_s: how long Kafka may be silent before a call raises
    """

    def __init__(
        self, bootstrap: str, topics: Topics, *, linger_ms: float = 2, patience_s: float = 60
    ) -> None:
        self._bootstrap = bootstrap
        self._topics = topics
        self._patience_s = patience_s
        self._last_call = math.inf  # monotonic
        self._delivered: dict[tuple[str, int], int] = {}
        self._work = FailStop(PublishingFailed)
        self._published = 0
        self._is_reading = True
        self._counting = Lock()  # deliveries are told in whichever thread polls
        self._batch = _Batch()
        self._earlier: list[_Batch] = []
        self._idle_readers: list[Consumer] = []
        self._counts: dict[str, int] = {}
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "enable.gapless.guarantee": True,
                "message.timeout.ms": 0,
                "message.max.bytes": MAX_RECORD_BYTES,
                "linger.ms": linger_ms,
                "queue.buffering.max.messages": 100_000,
                "error_cb": self._on_error,
                "log_level": 2,
            },
            logger=_LIBRARY_LOG,
        )

    def hurry(self, within_s: float) -> None:
        """From now on every call is over within about so many seconds; also those under way."""
        self._last_call = time.monotonic() + within_s

    def stop_reading(self) -> None:
        """Whoever reads is told ReadingStopped with his next batch; writing goes on."""
        self._is_reading = False

    def publish(self, record: OutRecord, on_delivered: Delivered | None = None) -> None:
        with self._work:
            with self._counting:
                batch = self._batch
                batch.waiting += 1
            self._produce(record, partial(self._on_delivery, batch, on_delivered))

    def flush(self) -> None:
        """Waits for what was published until now only: others may never stop publishing."""
        with self._work:
            with self._counting:
                batches = [batch for batch in (*self._earlier, self._batch) if batch.waiting]
                self._earlier, self._batch = batches, _Batch()
            deadline = self._deadline()
            while any(batch.waiting for batch in batches):
                self._producer.poll(max(0.0, min(_SERVE_S, self._left_s(deadline))))
                self._work.check()
                if self._left_s(deadline) <= 0 and any(batch.waiting for batch in batches):
                    raise PublishingFailed(self._silence())
            self._work.check()

    def delivered(self) -> dict[tuple[str, int], int]:
        return dict(self._delivered)

    def read(
        self, topic: Topic, partition: int, start: int, end: int | None = None
    ) -> Iterator[Record]:
        first, last = self.bounds(topic, partition)
        start, end = max(first, start), last if end is None else min(end, last)
        if start >= end:
            return
        reader = self._reader()
        try:
            reader.assign([TopicPartition(self._topics.name_of(topic), partition, start)])
            yield from self._until(reader, topic, end)
        finally:
            reader.unassign()
            self._idle_readers.append(reader)

    def bounds(self, topic: Topic, partition: int) -> tuple[int, int]:
        place = TopicPartition(self._topics.name_of(topic), partition)
        return cast(
            tuple[int, int],
            self._ask(lambda reader, wait_s: reader.get_watermark_offsets(place, wait_s)),
        )

    def partitions(self, topic: Topic) -> int:
        name = self._topics.name_of(topic)
        if name not in self._counts:
            listed = self._ask(lambda reader, wait_s: reader.list_topics(name, wait_s))
            found = listed.topics[name]
            if found.error is not None or not found.partitions:
                raise NotProvisioned(f"topic {name} is not there: python -m schemas provision")
            self._counts[name] = len(found.partitions)
        return self._counts[name]

    def close_readers(self) -> None:
        """Give back their connections and memory; the next read opens new ones."""
        while self._idle_readers:
            self._idle_readers.pop().close()

    def _produce(
        self, record: OutRecord, on_delivery: Callable[[KafkaError | None, Message], None]
    ) -> None:
        deadline = self._deadline()
        while True:
            try:
                self._producer.produce(
                    self._topics.name_of(record.topic),
                    value=record.value,
                    key=record.key,
                    partition=_ANY_PARTITION if record.partition is None else record.partition,
                    headers=cast(Any, record.headers),
                    on_delivery=on_delivery,
                )
            except BufferError:  # full: wait for room, for a bounded time
                self._work.check()
                if self._left_s(deadline) <= 0:
                    raise PublishingFailed(self._silence()) from None
                self._producer.poll(0.1)
            except KafkaException as error:
                raise PublishingFailed(
                    f"Kafka's producer refused a record for {record.topic.name}: {_said(error)}"
                ) from error
            else:
                self._published += 1
                if self._published % _POLL_EVERY == 0:
                    self._producer.poll(0)
                return

    def _ask(self, question: Callable[[Consumer, float], Any]) -> Any:  # noqa: ANN401
        """Ask until there is an answer or patience ends; a leader may be on the move."""
        deadline = self._deadline()
        reader = self._reader()
        try:
            while True:
                left_s = self._left_s(deadline)
                try:
                    return question(reader, max(0.1, min(_SLICE_S, left_s)))
                except KafkaException as error:
                    if left_s <= 0 or not _passes(error):
                        raise LogUnavailable(
                            f"Kafka at {self._bootstrap}: {_said(error)}"
                        ) from error
                time.sleep(_RETRY_S)
        finally:
            self._idle_readers.append(reader)

    def _until(self, reader: Consumer, topic: Topic, end: int) -> Iterator[Record]:
        deadline = self._deadline()
        while True:
            if not self._is_reading:
                raise ReadingStopped("asked to stop while reading a log")
            # `consume` waits until it has as many as asked for, and some offsets nobody reads.
            first = reader.poll(0.5)
            messages = [] if first is None else [first, *reader.consume(_BATCH, timeout=0)]
            if not messages and self._left_s(deadline) <= 0:
                raise LogUnavailable(f"Kafka at {self._bootstrap}: {self._silence()}")
            for message in messages:
                error = message.error()
                if error is not None and error.code() == KafkaError._PARTITION_EOF:
                    return
                if error is not None:
                    raise LogUnavailable(f"Kafka at {self._bootstrap}: {error.str()}")
                record = record_of(topic, message)
                if record.offset < end:
                    yield record
                if record.offset >= end - 1:
                    return
            if messages:
                deadline = self._deadline()

    def _deadline(self) -> float:
        return time.monotonic() + self._patience_s

    def _left_s(self, deadline: float) -> float:
        return min(deadline, self._last_call) - time.monotonic()

    def _reader(self) -> Consumer:
        if self._idle_readers:
            return self._idle_readers.pop()
        return Consumer(
            {
                **READ_COMMITTED,
                "bootstrap.servers": self._bootstrap,
                "group.id": f"{self._topics.prefix}hcp.readers",  # never joined, nothing committed
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "error",
                "fetch.wait.max.ms": 5,
                "fetch.message.max.bytes": MAX_RECORD_BYTES,
                "queued.max.messages.kbytes": _READ_AHEAD_KB,  # of each reader, outside of Python
                "queued.min.messages": _BATCH,
                "log_level": 2,
            },
            logger=_LIBRARY_LOG,
        )

    def _on_delivery(
        self,
        batch: _Batch,
        on_delivered: Delivered | None,
        error: KafkaError | None,
        message: Message,
    ) -> None:
        if error is not None:
            self._work.fail(f"Kafka did not take a record: {error.str()}")
            return
        topic = str(message.topic()).removeprefix(self._topics.prefix)
        offset = int(message.offset() or 0)
        self._delivered[topic, int(message.partition() or 0)] = offset
        if on_delivered is not None:
            on_delivered(offset)
        with self._counting:
            batch.waiting -= 1

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            self._work.fail(f"Kafka's producer gave up: {error.str()}")

    def _silence(self) -> str:
        if self._last_call < math.inf:
            return "no answer from Kafka while the worker was to stop"
        return f"no answer from Kafka within {self._patience_s:g} s"


def _passes(error: KafkaException) -> bool:
    found: Any = error.args[0] if error.args else None
    return isinstance(found, KafkaError) and (found.retriable() or found.code() in _PASSING)


def _said(error: KafkaException) -> str:
    found: Any = error.args[0] if error.args else error
    return found.str() if isinstance(found, KafkaError) else str(found)
