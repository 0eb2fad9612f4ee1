from __future__ import annotations

from dataclasses import replace

from schemas.codec import Codec, LocalIds, OutRecord
from schemas.deadletters import dead_letter
from schemas.envelope import Envelope, produced
from schemas.errors import Refused
from schemas.events.dlq import RecordDeadLettered
from schemas.events.sites import TimePassed
from schemas.record import Record
from schemas.topics import MAX_RECORD_BYTES, SITES, dlq

CODEC = Codec(LocalIds())
QUESTION = produced(TimePassed(site_id="a", at=1), source="/tests", correlation_id="c-1")
HEADERS = [(name, value) for name, value in QUESTION.to_headers() if isinstance(value, bytes)]
RECORD = Record(SITES.name, 2, 9, 1_000, b"a", b"body", HEADERS)


def put_aside(record: Record, reader: str = "routing", part: str = "") -> OutRecord:
    error = Refused("forged", "It is made up.")
    source = f"/hcp/{reader}"
    return dead_letter(SITES, record, error, reader=reader, source=source, codec=CODEC, part=part)


def letter(out: OutRecord) -> RecordDeadLettered:
    event = CODEC.decode(out.value)
    assert isinstance(event, RecordDeadLettered)
    return event


def test_a_record_is_kept_as_it_was_with_the_reason() -> None:
    out = put_aside(RECORD)
    event = letter(out)
    assert (out.topic, out.key) == (dlq(SITES), b"a")
    assert (event.source_topic, event.source_partition, event.source_offset) == (SITES.name, 2, 9)
    assert (event.reader, event.reason, event.detail) == ("routing", "forged", "It is made up.")
    assert (event.key, event.value, event.at) == (b"a", b"body", 1_000)
    assert [(header.name, header.value) for header in event.headers] == HEADERS
    envelope = Envelope.from_headers(out.headers)
    assert (envelope.source, envelope.correlation_id) == ("/hcp/routing", "c-1")
    assert str(envelope.cause) == "routing/hcp.sites.v1:2:9/0/1"


def test_twice_it_is_the_same_and_of_another_reader_or_record_another() -> None:
    assert put_aside(RECORD) == put_aside(RECORD)
    several = (
        put_aside(RECORD),
        put_aside(RECORD, "projections"),
        put_aside(RECORD, "projections", "units"),
        put_aside(RECORD, "projections", "workloads"),
        put_aside(replace(RECORD, offset=10)),
    )
    assert len({Envelope.from_headers(out.headers).id for out in several}) == 5


def test_without_an_envelope_it_correlates_with_itself() -> None:
    envelope = Envelope.from_headers(put_aside(replace(RECORD, headers=())).headers)
    assert envelope.correlation_id == envelope.id


def test_one_too_large_to_travel_is_named_only() -> None:
    out = put_aside(replace(RECORD, value=b"x" * MAX_RECORD_BYTES))
    event = letter(out)
    assert (event.key, event.value, event.headers) == (None, None, ())
    assert str(MAX_RECORD_BYTES)[:3] in event.detail
    assert len(out.value) < 10_000
