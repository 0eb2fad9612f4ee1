"""Given dead letters, the rows that operators look at."""

from __future__ import annotations

from dataclasses import replace

from projections.admission import Admission
from projections.dead_letter_table import READ_MODEL, SHOWN_BYTES, operations
from projections.operations import Insert, Row
from schemas.codec import Codec, LocalIds, OutRecord
from schemas.deadletters import dead_letter
from schemas.errors import Refused
from schemas.record import Record
from schemas.topics import DEAD_LETTERS, SITES, dlq
from tests.projections.given import MIDNIGHT, T0

CODEC = Codec(LocalIds())
ADMISSION = Admission(CODEC, dict.fromkeys(DEAD_LETTERS, 1), READ_MODEL.reads)
REFUSED = Record(
    SITES.name, 2, 9, -1, b"k" * 3, b"\x00\xff" * 20_000, [("ce_id", b"x"), ("a", None)]
)


def row_of(out: OutRecord) -> Row:
    headers = [(name, value) for name, value in out.headers if isinstance(value, bytes)]
    read = Record(dlq(SITES).name, 0, 5, T0, out.key, out.value, headers)
    found = ADMISSION.admit(dlq(SITES), read)
    assert found is not None
    (operation,) = operations(found)
    assert isinstance(operation, Insert)
    return operation.row


def put_aside(record: Record, part: str = "") -> OutRecord:
    error = Refused("forged", "It is made up.")
    return dead_letter(
        SITES, record, error, reader="routing", source="/hcp/agents/routing", codec=CODEC, part=part
    )


def test_a_row_says_where_and_why_and_shows_the_beginning() -> None:
    row = row_of(put_aside(REFUSED))
    assert (row["topic"], row["partition"], row["offset"]) == (SITES.name, 2, 9)
    assert (row["reader"], row["reason"], row["detail"]) == ("routing", "forged", "It is made up.")
    assert (row["refused_at"], row["recorded_at_ms"]) == (MIDNIGHT, -1)
    assert (row["key"], row["key_bytes"]) == (b"kkk", 3)
    assert (row["value"], row["value_bytes"]) == ((REFUSED.value or b"")[:SHOWN_BYTES], 40_000)
    assert row["headers"] == [
        {"name": "ce_id", "value_base64": "eA==", "value_bytes": 1},
        {"name": "a", "value_base64": None, "value_bytes": 0},
    ]
    assert row["header_count"] == 2


def test_each_part_that_could_not_store_a_record_has_a_row_and_a_repeat_has_the_same() -> None:
    outs = (put_aside(REFUSED), put_aside(REFUSED), put_aside(REFUSED, "units"))
    first, again, other = [row_of(out)["dead_letter_id"] for out in outs]
    assert first == again != other


def test_a_record_without_key_and_value_has_none() -> None:
    row = row_of(put_aside(replace(REFUSED, key=None, value=None, headers=())))
    assert (row["key"], row["value"], row["key_bytes"], row["value_bytes"]) == (None, None, 0, 0)
