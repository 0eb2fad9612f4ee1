"""Records that a reader could not apply, with the reason. One can be written of any record.

What is kept of a record is bounded, far below the size that a topic takes, and the letter says what
was cut: the log still holds the whole record, at the position that the letter names.
"""

from __future__ import annotations

import uuid

from schemas.admission import admit_envelope
from schemas.codec import Codec, OutRecord, record_for
from schemas.envelope import MAX_TIME_MS, Cause, Envelope
from schemas.errors import CodecError, MalformedEnvelope, Refused
from schemas.events.dlq import Header, RecordDeadLettered
from schemas.record import Record
from schemas.topics import PROJECTIONS, Topic, dlq

UNANSWERABLE = "unanswerable"  # the reason, where an agent cannot answer an input in writing
MAX_DETAIL_CHARS = 2_000
KEPT_KEY_BYTES = 64 * 1024
KEPT_VALUE_BYTES = 1024 * 1024
KEPT_HEADERS = 200
KEPT_HEADERS_BYTES = 256 * 1024  # of names and values together
MAX_CORRELATION_CHARS = 256
MAX_OWN_KEY_BYTES = 1024  # of the letter's own key
MAX_LONG = 2**63 - 1  # a client that computes with floats may say one more

_IDS = uuid.UUID("0c9b2a7e-64a5-5d3e-8b65-0e6a3f1d9c52")


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

    reader: its name
    source: its `ce_source`
    part: which of its parts could not apply the record, where that is not all of them
    """
    said = str(error)
    detail = explanation(error)
    key, value = record.key, record.value
    headers = _headers_that_fit(record)
    kept_whole = {
        "key": len(key or b"") <= KEPT_KEY_BYTES,
        "value": len(value or b"") <= KEPT_VALUE_BYTES,
        "headers": len(headers) == len(record.headers),
        "detail": len(said) <= MAX_DETAIL_CHARS,
    }
    event = RecordDeadLettered(
        source_topic=record.topic,
        at=min(max(0, record.timestamp_ms), MAX_TIME_MS),
        source_partition=record.partition,
        source_offset=record.offset,
        reader=reader,
        reason=error.reason,
        detail=detail,
        key=None if key is None else key[:KEPT_KEY_BYTES],
        value=None if value is None else value[:KEPT_VALUE_BYTES],
        headers=headers,
        timestamp_ms=min(max(-MAX_LONG - 1, record.timestamp_ms), MAX_LONG),
        key_bytes=None if key is None else len(key),
        value_bytes=None if value is None else len(value),
        header_count=len(record.headers),
        cut=tuple(what for what, is_whole in kept_whole.items() if not is_whole),
    )
    own_key = None if key is None else key[:MAX_OWN_KEY_BYTES]
    return record_for(dlq(topic), event, _envelope(event, record, source, part), codec, key=own_key)


def writer_of_letter(log: Topic, record: Record) -> str:
    """Which of the log's readers, who all refuse the record, writes its dead letter: one is enough.

    The log's authority does; but what says that it is the authority's own answer, that one passes
    by unread, and the projections read it.
    """
    try:
        cause = admit_envelope(log, record).cause
    except (CodecError, Refused):
        return log.authority
    is_own = cause is not None and cause.agent == log.authority
    return PROJECTIONS if is_own else log.authority


def explanation(error: CodecError | Refused) -> str:
    """The sentence for people, bounded: it may quote what a stranger sent."""
    return _text(str(error), MAX_DETAIL_CHARS)


def _headers_that_fit(record: Record) -> tuple[Header, ...]:
    """The first ones, whole, as long as there is room."""
    kept: list[Header] = []
    room = KEPT_HEADERS_BYTES
    for name, value in record.headers[:KEPT_HEADERS]:
        header = Header(name=_text(name, room), value=value)
        room -= len(header.name.encode()) + len(value or b"")
        if room < 0 or len(name) > len(header.name):
            break
        kept.append(header)
    return tuple(kept)


def _text(text: str, most: int) -> str:
    """What UTF-8 can carry of it."""
    return text[:most].encode(errors="backslashreplace").decode()


def _envelope(event: RecordDeadLettered, record: Record, source: str, part: str) -> Envelope:
    where = f"{record.topic}:{record.partition}:{record.offset}"
    identity = str(uuid.uuid5(_IDS, f"{event.reader}/{where}" + (f"/{part}" if part else "")))
    return Envelope(
        id=identity,
        source=source,
        type=event.FULL_NAME,
        time_ms=event.at,
        subject=where,
        correlation_id=_correlation_id(record) or identity,
        cause=Cause(event.reader, record.topic, record.partition, record.offset, 0, 1),
    )


def _correlation_id(record: Record) -> str | None:
    """The record's own, where it has one that a person could look for."""
    try:
        found = Envelope.from_headers(record.headers).correlation_id
    except MalformedEnvelope:
        return None
    return found if len(found) <= MAX_CORRELATION_CHARS else None
