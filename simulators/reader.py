"""Reads the site and intake logs as hardware does: from offset 0, committing nothing.

Drops repeats by their `cause` marks, skips what is not admitted (the agents dead-letter it) and
what is of no interest here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from schemas.admission import admit_envelope, admit_event
from schemas.codec import Codec
from schemas.envelope import Envelope
from schemas.errors import CodecError, Refused
from schemas.isolation import READ_COMMITTED
from schemas.marks import Marks, is_repeat, raise_mark
from schemas.record import record_of
from schemas.topics import Event, Topic, Topics, group_of
from simulators import metrics
from simulators.errors import LogUnavailable
from simulators.gate import FOLLOWED

log = logging.getLogger(__name__)

BATCH = 500
TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Found:
    """A record of a log. event: None for one that only shows how far an agent is."""

    topic: Topic
    partition: int
    offset: int
    key: str
    envelope: Envelope
    event: Event | None


class LogReader:
    """logs: what to read; keys: of the records to keep; types: of the events to decode."""

    def __init__(
        self,
        bootstrap: str,
        topics: Topics,
        codec: Codec,
        *,
        logs: Collection[Topic],
        keys: Collection[str],
        types: Collection[type[Event]],
    ) -> None:
        self._topics = topics
        self._codec = codec
        self._keys = {key.encode() for key in keys}
        self._types = frozenset(event_type.FULL_NAME for event_type in types)
        # One set of marks for each partition read: an agent's answers are in order only there.
        self._marks: dict[tuple[str, int], Marks] = {}
        config = {
            **READ_COMMITTED,
            "bootstrap.servers": bootstrap,
            "enable.auto.commit": False,
            "log_level": 2,
        }
        self._consumer = Consumer(
            {
                **config,
                "group.id": f"{topics.prefix}hcp.simulators",  # never joined, nothing committed
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,  # the only word of what nobody reads at the end
                "fetch.wait.max.ms": 100,
            }
        )
        # Never joined either: only asked what the agents have committed.
        self._groups = {
            agent: Consumer({**config, "group.id": group_of(agent, topics.prefix)})
            for agent in FOLLOWED
        }
        self.partitions = {topic.name: self._partitions_of(topic) for topic in logs}
        self._ends = {
            (name, number): self._end_of(name, number)
            for name, count in self.partitions.items()
            for number in range(count)
        }
        self._consumer.assign(
            [TopicPartition(topics.prefix + name, number, 0) for name, number in self._ends]
        )

    def history(self) -> Iterator[Found]:
        """Everything that was in the logs when this reader was made."""
        missing = {at for at, end in self._ends.items() if end}
        deadline = time.monotonic() + TIMEOUT_S
        while missing:
            messages = self._consumer.consume(BATCH, 0.2)
            for message in messages:
                found = self._found(message)
                if found is not None:
                    yield found
                if message.topic() is not None:
                    at = (self._topic_of(message).name, int(message.partition() or 0))
                    if _next_offset(message) >= self._ends[at]:
                        missing.discard(at)
            if messages:
                deadline = time.monotonic() + TIMEOUT_S
            elif time.monotonic() > deadline:
                raise LogUnavailable(
                    f"Kafka gave no records of {sorted(missing)} for {TIMEOUT_S} s"
                )

    def read(self, wait_s: float) -> list[Found]:
        """What has come since, in order; waits at most so long for the first record."""
        first = self._consumer.poll(wait_s)
        if first is None:
            return []
        messages = [first, *self._consumer.consume(BATCH, 0)]
        return [found for found in map(self._found, messages) if found is not None]

    def is_past(self, agent: str) -> dict[int, int]:
        """By partition of its log, the next offset of the agent's group, where it is known."""
        log_read = FOLLOWED[agent]
        name = self._topics.name_of(log_read)
        asked = [TopicPartition(name, n) for n in range(self.partitions[log_read.name])]
        try:
            answers = self._groups[agent].committed(asked, timeout=2.0)
        except KafkaException as error:
            log.warning("Kafka did not say how far %s is: %s", agent, error)
            return {}
        return {answer.partition: answer.offset for answer in answers if answer.offset >= 0}

    def close(self) -> None:
        for consumer in (self._consumer, *self._groups.values()):
            consumer.close()

    def _found(self, message: Message) -> Found | None:
        error = message.error()
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF or error.retriable():
                return None
            raise LogUnavailable(f"Kafka: {error.str()}")
        topic = self._topic_of(message)
        record = record_of(topic, message)
        if record.key is None or record.key not in self._keys:
            return None
        marks = self._marks.setdefault((topic.name, record.partition), {})
        event: Event | None = None
        try:
            envelope = admit_envelope(topic, record)
            if is_repeat(marks, envelope.cause):
                return None
            if envelope.type in self._types:
                partitions = self.partitions[topic.name]
                event = admit_event(topic, record, envelope, partitions, self._codec)
        except (CodecError, Refused) as problem:
            metrics.SKIPPED.labels(problem.reason).inc()
            return None
        raise_mark(marks, envelope.cause)
        return Found(topic, record.partition, record.offset, record.key.decode(), envelope, event)

    def _topic_of(self, message: Message) -> Topic:
        return self._topics.topic_named(str(message.topic()))

    def _end_of(self, name: str, number: int) -> int:
        asked = TopicPartition(self._topics.prefix + name, number)
        try:
            _, end = self._consumer.get_watermark_offsets(asked, timeout=TIMEOUT_S)
        except KafkaException as error:
            raise LogUnavailable(f"Kafka did not say where {asked.topic} ends: {error}") from None
        return int(end)

    def _partitions_of(self, topic: Topic) -> int:
        name = self._topics.name_of(topic)
        try:
            found = self._consumer.list_topics(name, timeout=TIMEOUT_S).topics[name]
        except KafkaException as error:
            raise LogUnavailable(f"Kafka does not answer: {error}") from None
        if found.error is not None or not found.partitions:
            raise LogUnavailable(f"there is no topic {name}: run `python -m schemas provision`")
        return len(found.partitions)


def _next_offset(message: Message) -> int:
    """After a record, or where a partition ends: behind what nobody reads."""
    return int(message.offset() or 0) + (message.error() is None)
