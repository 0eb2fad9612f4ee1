"""Records that a reader could not apply: kept as they were, with the reason."""

from __future__ import annotations

import uuid

from schemas.codec import Codec, OutRecord, record_for
from schemas.envelope import Cause, Envelope
from schemas.errors import CodecError, MalformedEnvelope, Refused
from schemas.events.dlq import Header, RecordDeadLettered
from schemas.record import Record
from schemas.topics import MAX_RECORD_BYTES, Topic, dlq

_IDS = uuid.UUID("0c9b2a7e-64a5-5d3e-8b65-0e6a3f1d9c52")
_ROOM_BYTES = 64 * 1024  # for the dead letter's own fields and headers


def dead_letter(
    topic: Topic,
    record: Record,
    error: CodecError | Refused,
    *,
    reader: str,
    source: str,
    codec: Codec,
    part: str = "",
) -> OutRecord:
    """The same bytes for the same record, reader and part, so that repeats can be told.

    A record too large to travel inside another is named, not copied: the log still holds it.

    reader: its name
    source: its `ce_source`
    part: which of its parts could not apply the record, where that is not all of them
    """
    size = len(record.key or b"") + len(record.value or b"")
    size += sum(len(name) + len(value or b"") for name, value in record.headers)
    copied = size <= MAX_RECORD_BYTES - _ROOM_BYTES
    event = RecordDeadLettered(
        source_topic=record.topic,
        at=max(0, record.timestamp_ms),
        source_partition=record.partition,
        source_offset=record.offset,
        reader=reader,
        reason=error.reason,
        detail=str(error) if copied else f"{error} (its {size} bytes are in the log only)",
        key=record.key if copied else None,
        value=record.value if copied else None,
        headers=tuple(Header(name=n, value=v) for n, v in record.headers) if copied else (),
    )
    envelope = _envelope(event, record, source, part)
    return record_for(dlq(topic), event, envelope, codec, key=record.key)


def _envelope(event: RecordDeadLettered, record: Record, source: str, part: str) -> Envelope:
    where = f"{record.topic}:{record.partition}:{record.offset}"
    identity = str(uuid.uuid5(_IDS, f"{event.reader}/{where}" + (f"/{part}" if part else "")))
    try:
        correlation_id = Envelope.from_headers(record.headers).correlation_id
    except MalformedEnvelope:
        correlation_id = identity
    return Envelope(
        id=identity,
        source=source,
        type=event.FULL_NAME,
        time_ms=event.at,
        subject=where,
        correlation_id=correlation_id,
        cause=Cause(event.reader, record.topic, record.partition, record.offset, 0, 1),
    )
