from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.envelope import (
    MAX_ATTRIBUTE_BYTES,
    MAX_TIME_MS,
    Cause,
    Envelope,
    answered,
    from_rfc3339,
    produced,
    rfc3339,
    subject_of,
)
from schemas.errors import MalformedEnvelope
from schemas.events import sites
from schemas.topics import Event
from tests.schemas.instances import events

TICK = sites.TimePassed(site_id="dallas", at=1_720_000_000_123)
CAUSE = Cause("routing", "hcp.sites.v1", 3, 41, 1, 2)


@given(events())
def test_headers_say_everything_and_come_back(event: Event) -> None:
    input = produced(event, source="/simulators/market")
    output = answered(event, agent="routing", version="1", input=input, cause=CAUSE)
    for envelope in (input, output):
        assert Envelope.from_headers(list(envelope.to_headers())) == envelope


def test_headers_are_the_binary_kafka_binding_of_cloudevents() -> None:
    headers = dict(produced(TICK, source="/clock", id="tick-1").to_headers())
    assert headers == {
        "ce_specversion": b"1.0",
        "ce_id": b"tick-1",
        "ce_source": b"/clock",
        "ce_type": b"hcp.sites.v1.TimePassed",
        "ce_time": b"2024-07-03T09:46:40.123Z",
        "ce_subject": b"dallas",
        "content-type": b"application/avro",
        "ce_correlationid": b"tick-1",
    }


def test_an_answer_names_its_input_and_place_and_is_the_same_each_time() -> None:
    input = produced(TICK, source="/clock", correlation_id="order-9")
    one = answered(TICK, agent="routing", version="1", input=input, cause=CAUSE)
    two = answered(TICK, agent="routing", version="2", input=input, cause=CAUSE)
    place = "routing/hcp.sites.v1:3:41/1"
    assert one.id == two.id == str(uuid.uuid5(uuid.UUID(input.id), place))
    assert (one.correlation_id, one.causation_id) == ("order-9", input.id)
    assert dict(one.to_headers())["ce_cause"] == b"routing/hcp.sites.v1:3:41/1/2"


def test_two_inputs_of_one_id_have_answers_of_different_ones() -> None:
    input = produced(TICK, source="/clock", id="used twice")
    places = (
        CAUSE,
        replace(CAUSE, offset=42),
        replace(CAUSE, partition=4),
        replace(CAUSE, index=0),
    )
    ids = {
        answered(TICK, agent="routing", version="1", input=input, cause=cause).id
        for cause in places
    }
    assert len(ids) == len(places)


def test_an_input_id_that_is_no_uuid_still_gives_one() -> None:
    input = produced(TICK, source="/clock", id="tick-1")
    output = answered(TICK, agent="routing", version="1", input=input, cause=CAUSE)
    assert uuid.UUID(output.id).version == 5


@given(st.text("abc-", min_size=1), st.integers(0, 9), st.integers(0, 2**40), st.integers(0, 99))
def test_causes_come_back_from_text(agent: str, partition: int, offset: int, index: int) -> None:
    cause = Cause(agent, "hcp.sites.v1", partition, offset, index, index + 1)
    assert Cause.parse(str(cause)) == cause


def test_causes_rise_with_offset_then_index() -> None:
    later_output = Cause("routing", "hcp.sites.v1", 3, 41, 2, 3)
    later_input = Cause("routing", "hcp.sites.v1", 3, 42, 0, 1)
    assert CAUSE.position < later_output.position < later_input.position


@pytest.mark.parametrize(
    "text",
    ["", "routing", "routing/hcp.sites.v1:0/0/1", "a/b:0:1/2/2", "a/b:0:-1/0/1", "a/b:0:x/0/1"],
)
def test_a_cause_that_names_no_output_is_refused(text: str) -> None:
    with pytest.raises(MalformedEnvelope):
        Cause.parse(text)


@pytest.mark.parametrize(
    "missing",
    ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time"],
)
def test_these_headers_are_needed(missing: str) -> None:
    headers = [item for item in produced(TICK, source="/clock").to_headers() if item[0] != missing]
    with pytest.raises(MalformedEnvelope, match=missing):
        Envelope.from_headers(headers)


def test_a_producer_may_leave_out_the_subject_and_the_correlation() -> None:
    optional = ("ce_subject", "ce_correlationid", "content-type")
    whole = produced(TICK, source="/clock", id="tick-1").to_headers()
    found = Envelope.from_headers([item for item in whole if item[0] not in optional])
    assert (found.subject, found.correlation_id) == ("", "tick-1")


@pytest.mark.parametrize("time", [b"yesterday", b"2024-07-03T09:46:40", b"\xff"])
def test_a_time_without_a_zone_or_sense_is_refused(time: bytes) -> None:
    headers = [*produced(TICK, source="/clock").to_headers(), ("ce_time", time)]
    with pytest.raises(MalformedEnvelope):
        Envelope.from_headers(headers)


def test_records_without_headers_are_refused() -> None:
    with pytest.raises(MalformedEnvelope):
        Envelope.from_headers(None)


@given(st.integers(0, MAX_TIME_MS))
def test_times_come_back_to_the_millisecond(time_ms: int) -> None:
    text = rfc3339(time_ms)
    assert from_rfc3339(text) == time_ms
    assert datetime.fromisoformat(text).tzinfo is not None


@pytest.mark.parametrize("time_ms", [-1, MAX_TIME_MS + 1])
def test_times_outside_the_calendar_are_refused(time_ms: int) -> None:
    with pytest.raises(MalformedEnvelope):
        rfc3339(time_ms)


def test_the_subject_is_the_most_specific_id() -> None:
    failed = sites.UnitFailed(site_id="dallas", at=1, unit_id="gpu-1", reason="fan")
    switched = sites.UnitSwitched(
        site_id="dallas",
        at=1,
        unit_id="gpu-1",
        mode="compute",
        workload_id=None,
        save_ms=0,
        clear_ms=0,
        load_ms=0,
        initialise_ms=0,
        succeeded=True,
    )
    assert [subject_of(event) for event in (TICK, failed, switched)] == ["dallas", "gpu-1", "gpu-1"]


@pytest.mark.parametrize(
    "foreign",
    [
        ("correlation", uuid.uuid4().bytes),
        ("schema.guid", bytes(range(128, 144))),
        ("ce_vendor", b"\xff"),
        ("content-type", b"\xff\xfe"),
        ("\ud800", b"\xff"),
        ("trace", None),
        ("baggage", b"x" * 100_000),
    ],
)
def test_headers_that_are_not_ours_are_nobodys_business(foreign: tuple[str, bytes | None]) -> None:
    ours = produced(TICK, source="/clock", id="tick-1")
    headers = ours.to_headers()
    assert Envelope.from_headers([foreign, *headers, foreign]) == ours


@pytest.mark.parametrize("name", ["ce_id", "ce_correlationid", "ce_subject", "ce_cause"])
@pytest.mark.parametrize("value", [b"\xff", b"x" * (MAX_ATTRIBUTE_BYTES + 1)])
def test_ours_are_text_of_a_bounded_size(name: str, value: bytes) -> None:
    headers = [*produced(TICK, source="/clock").to_headers(), (name, value)]
    with pytest.raises(MalformedEnvelope, match=name) as refused:
        Envelope.from_headers(headers)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    "text",
    [
        f"a/b:0:{2**63}/0/1",
        f"a/b:{2**31}:0/0/1",
        "a/b:-1:0/0/1",
        f"a/b:0:0/{2**31}/{2**31 + 1}",
        f"a/b:0:{'9' * 5000}/0/1",
    ],
)
def test_a_cause_that_no_log_can_hold_is_refused(text: str) -> None:
    with pytest.raises(MalformedEnvelope):
        Cause.parse(text)
