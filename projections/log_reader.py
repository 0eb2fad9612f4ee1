"""Logs read by offset: partitions are assigned, never subscribed to. Offsets live in PostgreSQL."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from projections.errors import LogUnreadable, NotProvisioned
from schemas.isolation import READ_COMMITTED
from schemas.topics import FOR_EVER_MS, Topic, Topics, group_of

Partition = tuple[Topic, int]

_LOG = logging.getLogger(__name__)
_ANSWER_S = 30
_PASSING = frozenset(  # librdkafka reconnects by itself
    {
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._TIMED_OUT,
        KafkaError._RESOLVE,
        KafkaError._MSG_TIMED_OUT,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.REQUEST_TIMED_OUT,
    }
)


@dataclass
class Stretch:
    """What was read of one partition. end: the offset after it, and after transaction markers."""

    messages: list[Message] = field(default_factory=list)
    end: int = 0


class LogReader:
    """The partitions of some logs.

    batch: most records of one `read`; 16 MB of fetched records wait at most
    commits: whether lag tools are told what was applied; a rebuild beside a runner does not
    """

    def __init__(self, bootstrap: str, topics: Topics, batch: int, *, commits: bool = True) -> None:
        self._bootstrap = bootstrap
        self._topics = topics
        self._batch = batch
        self._commits = commits
        self._next: dict[Partition, int] = {}
        self._held: set[Partition] = set()
        self._consumer = Consumer(
            {
                **READ_COMMITTED,
                "bootstrap.servers": bootstrap,
                "group.id": group_of("projections", topics.prefix),
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "error",
                "enable.partition.eof": True,  # the only word of transaction markers at the end
                "queued.max.messages.kbytes": 16 * 1024,
                "fetch.wait.max.ms": 50,
                "fetch.queue.backoff.ms": 10,  # by default a second each time the queue is full
                "log_level": 2,
            }
        )

    def partitions(self, topics: Iterable[Topic]) -> dict[Topic, int]:
        """How many each topic has. Raises NotProvisioned, LogUnreadable."""
        found: dict[Topic, int] = {}
        for topic in topics:
            name = self._topics.name_of(topic)
            try:
                listed = self._consumer.list_topics(name, timeout=_ANSWER_S).topics[name]
            except KafkaException as error:
                raise LogUnreadable(f"Kafka at {self._bootstrap}: {said(error)}") from error
            if listed.error is not None or not listed.partitions:
                raise NotProvisioned(
                    f"topic {name} is not there: run `python -m schemas provision`"
                )
            found[topic] = len(listed.partitions)
        return found

    def firsts(self, places: Iterable[Partition]) -> dict[Partition, int]:
        """The first offset there is, of those whose records are not kept for ever.

        Raises LogUnreadable.
        """
        kept = [place for place in places if place[0].retention_ms != FOR_EVER_MS]
        return {place: self._bounds(place, cached=False)[0] for place in kept}

    def start(self, positions: Mapping[Partition, int]) -> None:
        """Read from these offsets on."""
        self._next = dict(positions)
        self._held.clear()
        self._consumer.assign([self._at(place) for place in positions])

    def read(self, timeout_s: float) -> dict[Partition, Stretch]:
        """What has arrived, waiting only for the first record. Raises LogUnreadable."""
        first = self._consumer.poll(timeout_s)
        if first is None:
            return {}
        found: dict[Partition, Stretch] = {}
        for message in (first, *self._consumer.consume(self._batch - 1, timeout=0)):
            self._add(message, found)
        return found

    def hold(self, place: Partition) -> None:
        """Read no more of it; what was read and not applied is read again after `let_go`."""
        self._held.add(place)
        self._consumer.incremental_unassign([self._at(place)])

    def let_go(self, place: Partition) -> None:
        if place in self._held:
            self._held.remove(place)
            self._consumer.incremental_assign([self._at(place)])

    def position(self, place: Partition) -> int:
        """The next offset to apply; `applied` moves it."""
        return self._next[place]

    def applied(self, ends: Mapping[Partition, int]) -> None:
        """Also committed to Kafka, where lag tools look; nothing is ever read from there."""
        self._next |= ends
        if not self._commits:
            return
        self._consumer.commit(
            offsets=[
                TopicPartition(self._topics.name_of(topic), partition, offset)
                for (topic, partition), offset in ends.items()
            ],
            asynchronous=True,
        )

    def ends(self, *, cached: bool) -> dict[Partition, int]:
        """Offsets after the last record that may be read.

        cached: as of the last fetch, without asking Kafka, and with what an open transaction holds
            back: it is on the log, and not in the tables
        """
        found: dict[Partition, int] = {}
        for place in list(self._next):
            end = self._bounds(place, cached=cached)[1]
            if end >= 0:
                found[place] = end
        return found

    def close(self) -> None:
        self._consumer.close()

    def _bounds(self, place: Partition, *, cached: bool) -> tuple[int, int]:
        asked = TopicPartition(self._topics.name_of(place[0]), place[1])
        try:
            marks = self._consumer.get_watermark_offsets(asked, _ANSWER_S, cached=cached)
        except KafkaException as error:
            raise LogUnreadable(f"Kafka at {self._bootstrap}: {said(error)}") from error
        return (-1, -1) if marks is None else (int(marks[0]), int(marks[1]))

    def _at(self, place: Partition) -> TopicPartition:
        topic, partition = place
        return TopicPartition(self._topics.name_of(topic), partition, self._next[place])

    def _add(self, message: Message, found: dict[Partition, Stretch]) -> None:
        if message.topic() is None:
            self._judge(message, message.error())
            return
        place = self._topics.topic_named(str(message.topic())), int(message.partition() or 0)
        offset, error = int(message.offset() or 0), message.error()
        if place in self._held:
            return
        if error is None:
            stretch = found.setdefault(place, Stretch())
            stretch.messages.append(message)
            stretch.end = offset + 1
        elif error.code() != KafkaError._PARTITION_EOF:
            self._judge(message, error)
        elif offset > self._next[place]:
            found.setdefault(place, Stretch()).end = offset

    def _judge(self, message: Message, error: KafkaError | None) -> None:
        """Of what is no record: return, and librdkafka mends it, or raise LogUnreadable."""
        if error is None:
            return
        if error.code() in _PASSING or (error.retriable() and not error.fatal()):
            _LOG.warning("Kafka at %s: %s", self._bootstrap, error.str())
            return
        if error.code() == KafkaError._AUTO_OFFSET_RESET:
            raise LogUnreadable(
                f"{message.topic()}[{message.partition()}] no longer holds the offset to go on "
                f"from: is this the database of another Kafka? ({error.str()})"
            )
        raise LogUnreadable(f"Kafka at {self._bootstrap}: {error.str()}")


def said(error: KafkaException) -> str:
    found = error.args[0] if error.args else error
    return str(found.str()) if isinstance(found, KafkaError) else str(found)
