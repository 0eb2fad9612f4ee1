"""Records as read models see them, without bytes."""

from __future__ import annotations

from datetime import UTC, datetime

from projections.record import LogRecord
from schemas.envelope import Cause, answered, produced
from schemas.topics import SITES, Event, topic_of

T0 = 1_725_148_800_000
MIDNIGHT = datetime(2024, 9, 1, tzinfo=UTC)
MIDNIGHT_MS = 1_725_148_800_000


def record(event: Event, *, offset: int = 7, answers: int | None = None) -> LogRecord:
    """answers: the offset on the site log of the input that routing answers with this event."""
    envelope = produced(event, source="/test", id="e-1")
    if answers is not None:
        cause = Cause("routing", SITES.name, 0, answers, 0, 1)
        envelope = answered(event, agent="routing", version="1", input=envelope, cause=cause)
    return LogRecord(topic_of(type(event)), 0, offset, event, envelope, timestamp_ms=MIDNIGHT_MS)
