"""The same handle on a log in memory and on a log in Kafka, with processes that die at will."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Protocol

from schemas.codec import Codec, LocalIds, OutRecord, record_for
from schemas.envelope import Cause, Envelope, answered, produced
from schemas.provisioning import provision
from schemas.record import Record
from schemas.topics import Event, Topic, Topics, topic_of
from streams.kafka import KafkaLog
from streams.log import Delivered, Log
from streams.memory import Crashed, MemoryBroker, MemoryLog

CODEC = Codec(LocalIds())  # the same ids on both, so that bytes can be compared


def nothing_survives(_: int) -> int:
    return 0


class Substrate(Protocol):
    def open(
        self, crash_after: int | None = None, surviving: Callable[[int], int] = nothing_survives
    ) -> Log:
        """The log as a new process sees it, which dies at its n-th publish or flush."""
        ...

    def append(self, *records: OutRecord) -> None: ...


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


def put(substrate: Substrate, *events: Event) -> None:
    """Append producers' events, each with an id that follows from its content."""
    records: list[OutRecord] = []
    for event in events:
        identity = json.dumps(event.to_record(), sort_keys=True, default=str)
        envelope = produced(event, source="/tests", id=identity)
        records.append(record_for(topic_of(type(event)), event, envelope, CODEC))
    substrate.append(*records)


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
