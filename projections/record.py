"""A decoded record of a log, as read models see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from projections.operations import Operation, Table
from schemas.envelope import MAX_TIME_MS, Envelope
from schemas.topics import Event, Topic

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class LogRecord:
    """timestamp_ms: the broker's"""

    topic: Topic
    partition: int
    offset: int
    event: Event
    envelope: Envelope
    timestamp_ms: int = 0  # the broker's or the producer's wall clock


@dataclass(frozen=True, eq=False)
class ReadModel:
    """Some tables and the one function that says what each record does to them.

    reads: the events it is asked about; all others pass it by
    operations: pure
    doc: one sentence for people
    """

    name: str
    doc: str
    tables: tuple[Table, ...]
    topics: tuple[Topic, ...]
    reads: frozenset[type[Event]]
    operations: Callable[[LogRecord], list[Operation]]
    owner: str

    def __repr__(self) -> str:
        return self.name


def moment(time_ms: int) -> datetime:
    """A producer may send any number: what lies outside 1970-9999 becomes that range's end."""
    return _EPOCH + timedelta(milliseconds=min(max(time_ms, 0), MAX_TIME_MS))


def moment_or_none(time_ms: int | None) -> datetime | None:
    return None if time_ms is None else moment(time_ms)
