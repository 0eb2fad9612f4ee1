"""Events of hcp.dlq.v1. Generated from `schemas/avro/dlq`: do not edit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

Record = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A Kafka header.

    name: Its name
    value: Its value
    """

    name: str
    value: bytes | None = None

    def to_record(self) -> Record:
        return {
            "name": self.name,
            "value": self.value,
        }

    @classmethod
    def from_record(cls, record: Record) -> Header:
        return cls(
            name=record["name"],
            value=record["value"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordDeadLettered:
    """A record that a reader could not understand: as it was, as far as it is kept.

    source_topic: Where the record was
    at: The record's Kafka timestamp, or the nearest time between 1970 and 9999
    source_partition: Its partition
    source_offset: Its offset
    reader: Who gave up
    reason: A code
    detail: A sentence for people
    key: Its beginning, which is all of it unless `cut` names it
    value: Its beginning, which is all of it unless `cut` names it
    headers: As they were, unless `cut` names them
    timestamp_ms: The record's Kafka timestamp as it was
    key_bytes: Size of the record's key
    value_bytes: Size of the record's value
    header_count: How many headers the record has
    cut: Which of key, value, headers and detail are kept in part; the log holds the whole
        record
    """

    FULL_NAME: ClassVar[str] = "hcp.dlq.v1.RecordDeadLettered"

    source_topic: str
    at: int
    source_partition: int
    source_offset: int
    reader: str
    reason: str
    detail: str
    key: bytes | None = None
    value: bytes | None = None
    headers: tuple[Header, ...]
    timestamp_ms: int | None = None
    key_bytes: int | None = None
    value_bytes: int | None = None
    header_count: int | None = None
    cut: tuple[str, ...] = ()

    def to_record(self) -> Record:
        return {
            "source_topic": self.source_topic,
            "at": self.at,
            "source_partition": self.source_partition,
            "source_offset": self.source_offset,
            "reader": self.reader,
            "reason": self.reason,
            "detail": self.detail,
            "key": self.key,
            "value": self.value,
            "headers": [item.to_record() for item in self.headers],
            "timestamp_ms": self.timestamp_ms,
            "key_bytes": self.key_bytes,
            "value_bytes": self.value_bytes,
            "header_count": self.header_count,
            "cut": list(self.cut),
        }

    @classmethod
    def from_record(cls, record: Record) -> RecordDeadLettered:
        return cls(
            source_topic=record["source_topic"],
            at=record["at"],
            source_partition=record["source_partition"],
            source_offset=record["source_offset"],
            reader=record["reader"],
            reason=record["reason"],
            detail=record["detail"],
            key=record["key"],
            value=record["value"],
            headers=tuple(Header.from_record(item) for item in record["headers"]),
            timestamp_ms=record["timestamp_ms"],
            key_bytes=record["key_bytes"],
            value_bytes=record["value_bytes"],
            header_count=record["header_count"],
            cut=tuple(record["cut"]),
        )


DlqEvent = (
    RecordDeadLettered
)

EVENTS: tuple[type[DlqEvent], ...] = (
    RecordDeadLettered,
)
