"""Dead letters, as operators look at them: what was refused, by whom, why, and how it began."""

from __future__ import annotations

import base64

from projections.operations import Insert, Operation, Table
from projections.record import LogRecord, ReadModel, moment
from schemas.events.dlq import Header, RecordDeadLettered
from schemas.topics import DEAD_LETTERS

SHOWN_BYTES = 16 * 1024  # of the key, and of the value: the letter itself keeps more
SHOWN_HEADERS = 100
SHOWN_HEADER_BYTES = 1024

TABLE = Table(
    "dead_letters",
    key=("dead_letter_id",),
    columns=(
        *("dead_letter_id", "topic", "partition", "offset", "reader", "reason", "detail"),
        *("refused_at", "recorded_at_ms", "key", "key_bytes", "value", "value_bytes"),
        *("headers", "header_count"),
    ),
    json=frozenset({"headers"}),
)


def operations(record: LogRecord) -> list[Operation]:
    """Insert: one that a restarted reader wrote again has the same id."""
    match record.event:
        case RecordDeadLettered() as letter:
            row = {
                "dead_letter_id": record.envelope.id,
                "topic": letter.source_topic,
                "partition": letter.source_partition,
                "offset": letter.source_offset,
                "reader": letter.reader,
                "reason": letter.reason,
                "detail": letter.detail,
                "refused_at": moment(record.timestamp_ms),
                "recorded_at_ms": _or(letter.timestamp_ms, letter.at),
                "key": _beginning(letter.key),
                "key_bytes": _or(letter.key_bytes, len(letter.key or b"")),
                "value": _beginning(letter.value),
                "value_bytes": _or(letter.value_bytes, len(letter.value or b"")),
                "headers": [_shown(header) for header in letter.headers[:SHOWN_HEADERS]],
                "header_count": _or(letter.header_count, len(letter.headers)),
            }
            return [Insert(TABLE, row)]
        case _:
            return []


def _or(found: int | None, otherwise: int) -> int:
    """Letters of the first version do not say how their record was: it was kept whole."""
    return otherwise if found is None else found


def _beginning(data: bytes | None) -> bytes | None:
    return None if data is None else data[:SHOWN_BYTES]


def _shown(header: Header) -> dict[str, str | int | None]:
    name, value = header.name[:SHOWN_HEADER_BYTES], header.value
    if value is None:
        return {"name": name, "value_base64": None, "value_bytes": 0}
    shown = base64.b64encode(value[:SHOWN_HEADER_BYTES]).decode()
    return {"name": name, "value_base64": shown, "value_bytes": len(value)}


READ_MODEL = ReadModel(
    name="dead_letters",
    doc="Records that a reader refused, and why.",
    tables=(TABLE,),
    topics=DEAD_LETTERS,
    reads=frozenset({RecordDeadLettered}),
    operations=operations,
    owner=__name__,
)
