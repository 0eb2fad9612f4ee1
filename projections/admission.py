"""Which records of a log reach the tables: the admitted ones that some read model reads."""

from __future__ import annotations

from collections.abc import Mapping

from projections.record import LogRecord
from schemas.admission import admit_envelope, admit_event
from schemas.codec import Codec
from schemas.record import Record
from schemas.topics import EVENT_TYPES, Event, Topic


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
        envelope = admit_envelope(topic, record)
        event = admit_event(topic, record, envelope, self._partitions[topic], self._codec)
        return LogRecord(topic, record.partition, record.offset, event, envelope)

    def _is_passed_by(self, topic: Topic, record: Record) -> bool:
        for name, value in record.headers:
            if name == "ce_type" and value is not None:
                event_type = EVENT_TYPES.get(value.decode(errors="replace"))
                return event_type in topic.writers and event_type not in self._wanted
        return False
