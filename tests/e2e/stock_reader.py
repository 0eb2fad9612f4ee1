"""Reads topics as any stranger would: confluent_kafka's own Avro deserializer and the registry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from schemas.isolation import READ_COMMITTED

REQUIRED_HEADERS = (
    *("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_subject"),
    *("ce_correlationid", "content-type"),
)


@dataclass(frozen=True)
class Seen:
    topic: str
    partition: int
    offset: int
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def name(self) -> str:
        return self.headers["ce_type"].rpartition(".")[2]


class StockReader:
    def __init__(self, kafka: str, registry: str) -> None:
        self._consumer = Consumer(
            {
                **READ_COMMITTED,
                "bootstrap.servers": kafka,
                "group.id": "stock-reader",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
            }
        )
        self._deserialize = AvroDeserializer(SchemaRegistryClient({"url": registry, "timeout": 20}))

    def topics(self, start: str = "hcp.") -> list[str]:
        metadata = self._consumer.list_topics(timeout=10)
        return sorted(name for name in metadata.topics if name.startswith(start))

    def raw(self, topic: str) -> list[Message]:
        """Every record that the topic holds now, while more are written to it. Some offsets nobody
        reads, the last ones too: then the partition's end ends it."""
        partitions = self._consumer.list_topics(topic, timeout=10).topics[topic].partitions
        found: list[Message] = []
        for partition in partitions:
            _, end = self._consumer.get_watermark_offsets(TopicPartition(topic, partition), 10)
            self._consumer.assign([TopicPartition(topic, partition, 0)])
            while end and not _is_end(message := self._consumer.poll(10)):
                assert message is not None, f"{topic}:{partition} went silent before {end}"
                assert message.error() is None, message.error()
                found.append(message)
                if message.offset() == end - 1:
                    break
        return found

    def read(self, topic: str) -> list[Seen]:
        return [self.decode(message) for message in self.raw(topic)]

    def read_readable(self, topic: str) -> list[Seen]:
        """Without the records that are dead letters."""
        dead = {
            (letter.body["source_partition"], letter.body["source_offset"])
            for letter in (self.read(f"{topic}.dlq") if f"{topic}.dlq" in self.topics() else [])
        }
        return [
            self.decode(message)
            for message in self.raw(topic)
            if (message.partition(), message.offset()) not in dead
        ]

    def decode(self, message: Message) -> Seen:
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        assert topic is not None
        assert partition is not None
        assert offset is not None
        context = SerializationContext(topic, MessageField.VALUE)
        body: dict[str, Any] = self._deserialize(message.value(), context)
        headers = {}
        for name, value in cast("list[tuple[str, bytes]]", message.headers() or []):
            headers[name] = value.decode()
        return Seen(topic, partition, offset, headers, body)

    def close(self) -> None:
        self._consumer.close()


def _is_end(message: Message | None) -> bool:
    error = message.error() if message is not None else None
    return error is not None and error.code() == KafkaError._PARTITION_EOF
