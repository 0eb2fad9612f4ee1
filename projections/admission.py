"""Which records of a log reach the tables: the admitted ones that some read model reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from projections.record import LogRecord
from schemas.admission import admit_envelope, admit_event
from schemas.codec import Codec
from schemas.envelope import Envelope
from schemas.errors import Refused
from schemas.events.dlq import RecordDeadLettered
from schemas.record import Record
from schemas.topics import DEAD_LETTERS, EVENT_TYPES, Event, Topic


class Admission:
    """wanted: events that some read model reads; others are not decoded."""

    def __init__(
        self, codec: Codec, partitions: Mapping[Topic, int], wanted: frozenset[type[Event]]
    ) -> None:
        self._codec = codec
        self._partitions = partitions
        self._wanted = wanted

    def admit(self, topic: Topic, record: Record) -> LogRecord | None:
        """None: nobody here reads it. Raises CodecError, Refused, RegistryUnavailable."""
        if self._is_passed_by(topic, record):
            return None
        if topic in DEAD_LETTERS:
            envelope, event = self._dead_letter(record)
        else:
            envelope = admit_envelope(topic, record)
            event = admit_event(topic, record, envelope, self._partitions[topic], self._codec)
        place = topic, record.partition, record.offset
        return LogRecord(*place, event, envelope, record.timestamp_ms)

    def _dead_letter(self, record: Record) -> tuple[Envelope, Event]:
        """It answers nothing, and any reader may write one, with the key of whatever it is about.

        Its cause says where that is, and is no mark: one record may have several dead letters.
        """
        envelope = Envelope.from_headers(record.headers)
        event = self._codec.decode(record.value)
        if not isinstance(event, RecordDeadLettered):
            raise Refused("unknown_event_type", f"{event.FULL_NAME} is no dead letter")
        return replace(envelope, cause=None), event

    def _is_passed_by(self, topic: Topic, record: Record) -> bool:
        """By the type that the envelope will say it has: of a header given twice the last value."""
        said = next((value for name, value in reversed(record.headers) if name == "ce_type"), None)
        event_type = EVENT_TYPES.get((said or b"").decode(errors="replace"))
        if event_type is None or event_type in self._wanted:
            return False
        return event_type in topic.writers
