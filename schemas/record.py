"""A record as it was read from a log, whatever client read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from schemas.topics import Topic

if TYPE_CHECKING:
    from confluent_kafka import Message


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it was read.

    topic: its name without the environment's prefix
    timestamp_ms: as the broker says
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


def record_of(topic: Topic, message: Message) -> Record:
    try:
        found = message.headers() or ()
    except (UnicodeDecodeError, SystemError):
        found = ()  # one name is no UTF-8: the client trips over it, and gives out none of them
    pairs = found.items() if isinstance(found, dict) else found
    return Record(
        topic.name,
        int(message.partition() or 0),
        int(message.offset() or 0),
        int(message.timestamp()[1]),
        _bytes(message.key()),
        _bytes(message.value()),
        [(name, _bytes(value)) for name, value in pairs],
    )


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
