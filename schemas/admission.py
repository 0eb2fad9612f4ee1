"""Which records of a log count, for every reader alike.

What one reader puts aside must not reach another. Two steps, because a reader may stop after the
first: at its own answers, at repeats, at types that it does not read.
"""

from __future__ import annotations

from schemas.codec import Codec
from schemas.envelope import Envelope
from schemas.errors import Refused
from schemas.record import Record
from schemas.topics import EVENT_TYPES, PRODUCER, Event, Topic, home_partition, key_of


def admit_envelope(topic: Topic, record: Record) -> Envelope:
    """Well formed, of an event of this log, from who may write it.

    Raises MalformedEnvelope, Refused.
    """
    envelope = Envelope.from_headers(record.headers)
    event_type = EVENT_TYPES.get(envelope.type)
    if event_type is None or event_type not in topic.writers:
        raise Refused("unknown_event_type", f"{envelope.type!r} is no event of {topic.name}")
    cause = envelope.cause
    writer = PRODUCER if cause is None else cause.agent
    if not topic.may_write(event_type, writer):
        raise Refused("forged", f"{writer} may not write {envelope.type}")
    # An answer follows its input in the same partition: anything else was made up, and would
    # move the mark past answers that are still to come.
    if (
        cause is not None
        and cause.log == topic.name
        and (cause.partition != record.partition or cause.offset >= record.offset)
    ):
        raise Refused("forged", f"{cause} cannot be answered at offset {record.offset}")
    return envelope


def admit_event(
    topic: Topic, record: Record, envelope: Envelope, partitions: int, codec: Codec
) -> Event:
    """Decoded, what the envelope says it is, under its own key and on that key's partition.

    partitions: how many the log has

    Raises CodecError, Refused, RegistryUnavailable.
    """
    event = codec.decode(record.value)
    if envelope.type != event.FULL_NAME:
        detail = f"ce_type says {envelope.type}, the body is {event.FULL_NAME}"
        raise Refused("malformed_envelope", detail)
    key = key_of(topic, event)
    if record.key != key:
        raise Refused("wrong_key", f"the record's key is not the event's {topic.key_field}")
    home = home_partition(key, partitions)
    if home != record.partition:
        detail = f"key {key.decode()!r} belongs on partition {home}, not {record.partition}"
        raise Refused("stray_key", detail)
    return event
