"""Which records of a log count, for every reader alike.

What one reader puts aside must not reach another. Two steps, because a reader may stop after the
first: at its own answers, at repeats, at types that it does not read.
"""

from __future__ import annotations

from schemas.codec import Codec
from schemas.envelope import Cause, Envelope, former_output_id, output_id, source_prefix
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
    if cause is not None:
        _refuse_made_up(topic, record, envelope, cause)
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


def _refuse_made_up(topic: Topic, record: Record, envelope: Envelope, cause: Cause) -> None:
    """A cause moves a mark, and so must be one that the agent could have written.

    On the log of its input an answer follows the input in the same partition: anything else would
    move the mark past answers that are still to come. On another log nothing bounds the offset, so
    there the id must be the one that follows from the input and the agent. It is not asked for on
    the own log, where most records are: it costs as much as the rest of the envelope. This stops
    accidents; who writes to a topic on purpose is the broker's to stop.

    Raises Refused.
    """
    causation_id = envelope.causation_id
    if causation_id is None or not envelope.source.startswith(source_prefix(cause.agent)):
        raise Refused("forged", f"{envelope.source!r} gives no answers of {cause.agent}")
    if cause.log == topic.name:
        if cause.partition != record.partition or cause.offset >= record.offset:
            raise Refused("forged", f"{cause} cannot be answered at offset {record.offset}")
    elif envelope.id not in (output_id(causation_id, cause), former_output_id(causation_id, cause)):
        raise Refused("forged", f"{envelope.id!r} is not the id of {cause}'s answer")
