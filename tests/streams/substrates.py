"""The same handle on a log in memory and on a log in Kafka, with processes that die at will."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from typing import Any, Protocol, cast

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from schemas.codec import Codec, LocalIds, OutRecord, record_for
from schemas.envelope import Cause, Envelope, answered, produced
from schemas.isolation import READ_UNCOMMITTED
from schemas.provisioning import provision
from schemas.record import Record
from schemas.topics import Event, Topic, Topics, topic_of
from streams.kafka import KafkaLog
from streams.log import Delivered, Log
from streams.memory import Crashed, MemoryBroker, MemoryLog
from tests.integration.processes import wait_until

CODEC = Codec(LocalIds())  # the same ids on both, so that bytes can be compared


def nothing_survives(_: int) -> int:
    return 0


class Transaction(Protocol):
    """Of a producer of its own."""

    def append(self, record: OutRecord) -> None:
        """It has its offset on return."""
        ...

    def commit(self) -> None: ...

    def abort(self) -> None: ...


class Substrate(Protocol):
    def open(
        self, crash_after: int | None = None, surviving: Callable[[int], int] = nothing_survives
    ) -> Log:
        """The log as a new process sees it, which dies at its n-th publish or flush."""
        ...

    def append(self, *records: OutRecord) -> None: ...

    def begin(self) -> Transaction: ...

    def lose(self, topic: Topic) -> None:
        """All that it holds, as when a disk is lost."""
        ...


class MemorySubstrate:
    def __init__(self, partitions: int = 1) -> None:
        self.broker = MemoryBroker(partitions)

    def open(
        self, crash_after: int | None = None, surviving: Callable[[int], int] = nothing_survives
    ) -> Log:
        return MemoryLog(self.broker, crash_after=crash_after, surviving=surviving)

    def append(self, *records: OutRecord) -> None:
        for record in records:
            self.broker.append(record)

    def begin(self) -> Transaction:
        return self.broker.begin()

    def lose(self, topic: Topic) -> None:
        for partition in range(self.broker.partitions):
            self.broker.records(topic, partition).clear()


class MortalKafkaLog(KafkaLog):
    """Dies like the log in memory; what its producer has not sent by then is lost."""

    def __init__(self, kafka: str, topics: Topics, crash_after: int | None) -> None:
        super().__init__(kafka, topics, patience_s=20)
        self._left = crash_after

    def publish(self, record: OutRecord, on_delivered: Delivered | None = None) -> None:
        self._live()
        super().publish(record, on_delivered)

    def flush(self) -> None:
        self._live()
        super().flush()

    def _live(self) -> None:
        if self._left is None:
            return
        self._left -= 1
        if self._left < 0:
            self._producer.purge()
            raise Crashed


class KafkaSubstrate:
    def __init__(self, kafka: str, prefix: str, partitions: int = 1) -> None:
        self._kafka = kafka
        self._topics = Topics(prefix)
        self._partitions = partitions
        provision(kafka, self._topics, partitions=partitions)
        self._producer = KafkaLog(kafka, self._topics, patience_s=20)

    def open(
        self, crash_after: int | None = None, surviving: Callable[[int], int] = nothing_survives
    ) -> Log:
        del surviving  # the real producer decides
        return MortalKafkaLog(self._kafka, self._topics, crash_after)

    def append(self, *records: OutRecord) -> None:
        for record in records:
            self._producer.publish(record)
        self._producer.flush()

    def begin(self) -> Transaction:
        return KafkaTransaction(self._kafka, self._topics)

    def lose(self, topic: Topic) -> None:
        admin, name = AdminClient({"bootstrap.servers": self._kafka}), self._topics.name_of(topic)
        admin.delete_topics([name])[name].result(timeout=30)
        wait_until(lambda: name not in admin.list_topics(timeout=10).topics, 30, "it is gone")
        provision(self._kafka, self._topics, partitions=self._partitions)


class KafkaTransaction:
    """timeout_s: after it the broker aborts what is still open"""

    def __init__(self, kafka: str, topics: Topics, *, timeout_s: float = 60) -> None:
        self._topics = topics
        self._written: set[tuple[str, int]] = set()
        reader = {**READ_UNCOMMITTED, "bootstrap.servers": kafka, "group.id": "transactions"}
        self._reader = Consumer(reader)
        self._producer = Producer(
            {
                "bootstrap.servers": kafka,
                "transactional.id": f"{topics.prefix}{secrets.token_hex(4)}",
                "transaction.timeout.ms": int(timeout_s * 1000),
                "linger.ms": 0,
                "log_level": 2,
            }
        )
        self._producer.init_transactions(30)
        self._producer.begin_transaction()

    def append(self, record: OutRecord) -> None:
        self._producer.produce(
            self._topics.name_of(record.topic),
            key=record.key,
            value=record.value,
            headers=cast(Any, record.headers),
            partition=-1 if record.partition is None else record.partition,  # -1: by its key
            on_delivery=self._on_delivery,
        )
        assert self._producer.flush(30) == 0

    def commit(self) -> None:
        self._end(self._producer.commit_transaction)

    def abort(self) -> None:
        self._end(self._producer.abort_transaction)

    def _end(self, end: Callable[[float], None]) -> None:
        """The broker answers when it is decided, and writes the markers afterwards."""
        before = {place: self._high(place) for place in self._written}
        end(30)
        wait_until(
            lambda: all(self._high(place) > high for place, high in before.items()), 30, "markers"
        )
        self._reader.close()

    def _high(self, place: tuple[str, int]) -> int:
        found = self._reader.get_watermark_offsets(TopicPartition(*place), 30)
        assert found is not None
        return found[1]

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:
        assert error is None, error
        self._written.add((str(message.topic()), int(message.partition() or 0)))


def put(substrate: Substrate, *events: Event) -> None:
    """Append producers' events, each with an id that follows from its content."""
    substrate.append(*map(said, events))


def said(event: Event, codec: Codec = CODEC) -> OutRecord:
    """By a producer, with an id that follows from its content."""
    identity = json.dumps(event.to_record(), sort_keys=True, default=str)
    envelope = produced(event, source="/tests", id=identity)
    return record_for(topic_of(type(event)), event, envelope, codec)


def answer(event: Event, agent: str, offset: int, index: int = 0, count: int = 1) -> OutRecord:
    """An agent's answer to the record at an offset of partition 0 of the event's own log."""
    topic = topic_of(type(event))
    question = Envelope(f"in-{offset}", "/tests", "x", event.at, "x", f"in-{offset}")
    cause = Cause(agent, topic.name, 0, offset, index, count)
    envelope = answered(event, agent=agent, version="1", input=question, cause=cause)
    return record_for(topic, event, envelope, CODEC)


def everything(log: Log, topic: Topic) -> list[Record]:
    return [
        record
        for partition in range(log.partitions(topic))
        for record in log.read(topic, partition, 0)
    ]


def distinct(records: list[Record]) -> dict[str, bytes | None]:
    """Value by ce_id. Two records of one id with other bytes are a contradiction."""
    found: dict[str, bytes | None] = {}
    for record in records:
        identity = Envelope.from_headers(record.headers).id
        assert found.setdefault(identity, record.value) == record.value, f"{identity} contradicts"
    return found
