from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import Codec, LocalIds, OutRecord
from schemas.deadletters import (
    KEPT_HEADERS,
    KEPT_KEY_BYTES,
    KEPT_VALUE_BYTES,
    MAX_DETAIL_CHARS,
    dead_letter,
)
from schemas.envelope import MAX_TIME_MS, Envelope, produced
from schemas.errors import Refused
from schemas.events.dlq import RecordDeadLettered
from schemas.events.sites import TimePassed
from schemas.record import Record
from schemas.topics import MAX_RECORD_BYTES, SITES, dlq

CODEC = Codec(LocalIds())
QUESTION = produced(TimePassed(site_id="a", at=1), source="/tests", correlation_id="c-1")
HEADERS = [(name, value) for name, value in QUESTION.to_headers() if isinstance(value, bytes)]
RECORD = Record(SITES.name, 2, 9, 1_000, b"a", b"body", HEADERS)
MB = 1024 * 1024


def put_aside(
    record: Record, reader: str = "routing", part: str = "", detail: str = "It is made up."
) -> OutRecord:
    error = Refused("forged", detail)
    source = f"/hcp/{reader}"
    return dead_letter(SITES, record, error, reader=reader, source=source, codec=CODEC, part=part)


def letter(out: OutRecord) -> RecordDeadLettered:
    """As it can be read back; it fits."""
    assert len(out.value) + len(out.key) < MAX_RECORD_BYTES // 4
    assert sum(len(name) + len(value or b"") for name, value in out.headers) < 4096
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
    assert (event.key_bytes, event.value_bytes, event.header_count) == (1, 4, len(HEADERS))
    assert (event.timestamp_ms, event.cut) == (1_000, ())
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


@pytest.mark.parametrize(
    ("timestamp_ms", "at"),
    [(-1, 0), (1_720_000_000_000_000, MAX_TIME_MS), (1_720_000_000_000_000_000, MAX_TIME_MS)],
)
def test_a_timestamp_of_no_calendar_is_clamped_and_kept_as_it_was(
    timestamp_ms: int, at: int
) -> None:
    event = letter(put_aside(replace(RECORD, timestamp_ms=timestamp_ms)))
    assert (event.at, event.timestamp_ms) == (at, timestamp_ms)


@pytest.mark.parametrize("timestamp_ms", [int(2**63 / 1000.0 * 1000), -(2**70)])
def test_a_timestamp_that_no_client_should_give_stops_nothing(timestamp_ms: int) -> None:
    assert abs(letter(put_aside(replace(RECORD, timestamp_ms=timestamp_ms))).timestamp_ms or 0) > 0


@pytest.mark.parametrize(
    ("changed", "cut"),
    [
        ({"value": b"x" * MAX_RECORD_BYTES}, ("value",)),
        ({"key": b"k" * 5 * MB}, ("key",)),
        ({"headers": [("ce_type", b"t" * 4_500_000)]}, ("headers",)),
        ({"headers": [("n" * 2 * MB, b"")]}, ("headers",)),
        ({"headers": [("\ud800" * MB, None)]}, ("headers",)),
        ({"headers": [(f"h{n}", b"") for n in range(100_000)]}, ("headers",)),
        ({"headers": [*HEADERS[:-1], ("ce_correlationid", b"c" * 3 * MB)]}, ("headers",)),
    ],
)
def test_what_is_too_large_to_keep_is_cut_and_said(
    changed: dict[str, object], cut: tuple[str, ...]
) -> None:
    record = replace(RECORD, **changed)  # type: ignore[arg-type]
    event = letter(put_aside(record))
    assert event.cut == cut
    assert event.key == (record.key or b"")[:KEPT_KEY_BYTES]
    assert event.value == (record.value or b"")[:KEPT_VALUE_BYTES]
    assert len(event.headers) <= KEPT_HEADERS
    assert event.key_bytes == len(record.key or b"")
    assert event.value_bytes == len(record.value or b"")
    assert event.header_count == len(record.headers)


@pytest.mark.parametrize("detail", ["\x01" * 2_100_000, "\ud800" * 5_000, "🂡" * 5_000])
def test_the_reason_is_bounded_and_says_that_it_is_cut(detail: str) -> None:
    event = letter(put_aside(RECORD, detail=detail))
    assert event.cut == ("detail",)
    assert len(event.detail) <= 10 * MAX_DETAIL_CHARS


@given(
    key=st.none() | st.binary(),
    value=st.none() | st.binary(),
    headers=st.lists(
        st.tuples(
            st.sampled_from(["ce_id", "ce_time", "ce_correlationid"]) | st.text(),
            st.none() | st.binary(),
        )
    ),
    timestamp_ms=st.integers(-(2**63), 2**63 - 1),
    detail=st.text(st.characters(exclude_categories=())),
)
def test_one_can_be_written_of_any_record(
    key: bytes | None,
    value: bytes | None,
    headers: list[tuple[str, bytes | None]],
    timestamp_ms: int,
    detail: str,
) -> None:
    record = Record(SITES.name, 0, 0, timestamp_ms, key, value, headers)
    event = letter(put_aside(record, detail=detail))
    assert (event.key, event.value) == (key, value)
