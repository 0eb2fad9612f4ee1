from __future__ import annotations

import json
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_writer
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.codec import (
    Codec,
    LocalIds,
    Schema,
    local_id,
    record_for,
    schema_of_event,
    with_plain_times,
)
from schemas.envelope import MAX_TIME_MS, produced
from schemas.errors import (
    MalformedBody,
    NotConfluentWire,
    UnencodableEvent,
    UnknownEventType,
    UnknownSchemaId,
)
from schemas.events import sites
from schemas.topics import EVENT_TYPES, SITES, Event, Topic
from tests.schemas.instances import events

CODEC = Codec(LocalIds())
PRICE = sites.PowerPricePublished(
    site_id="dallas",
    at=1_720_000_000_123,
    settlement_point="HB_NORTH",
    interval_start=1_720_000_000_000,
    interval_end=1_720_000_900_000,
    price_usd_per_mwh=Decimal("-12.340000"),
)


class OtherIds:
    """As LocalIds, and one schema more: what another version of the program wrote with."""

    def __init__(self, schema: Schema) -> None:
        self._local = LocalIds()
        self._schema = schema

    def id_of(self, topic: Topic, event_type: type[Event]) -> int:
        return self._local.id_of(topic, event_type)

    def schema_of(self, schema_id: int) -> Schema:
        return self._schema if schema_id == 7 else self._local.schema_of(schema_id)


@given(events())
def test_every_event_comes_back_as_it_was(event: Event) -> None:
    assert CODEC.decode(CODEC.encode(event)) == event


@given(st.sampled_from(sorted(EVENT_TYPES)), st.data())
def test_the_same_event_gives_the_same_bytes(name: str, data: st.DataObject) -> None:
    event = data.draw(events(EVENT_TYPES[name]))
    assert Codec(LocalIds()).encode(event) == CODEC.encode(event)


def test_times_are_integers_and_prices_decimals() -> None:
    read = CODEC.decode(CODEC.encode(PRICE))
    assert isinstance(read, sites.PowerPricePublished)
    assert (type(read.at), type(read.price_usd_per_mwh)) == (int, Decimal)


def test_value_begins_with_magic_byte_and_schema_id() -> None:
    value = CODEC.encode(PRICE)
    assert value[0] == 0
    assert int.from_bytes(value[1:5], "big") == local_id(schema_of_event(sites.PowerPricePublished))


@given(st.binary(max_size=60))
@example(b"")
def test_any_bytes_after_a_known_id_are_an_event_or_a_codec_error(body: bytes) -> None:
    head = CODEC.encode(PRICE)[:5]
    try:
        read = CODEC.decode(head + body)
    except MalformedBody:
        return
    assert isinstance(read, sites.PowerPricePublished)


@given(events(), st.data())
def test_a_cut_event_is_malformed(event: Event, data: st.DataObject) -> None:
    value = CODEC.encode(event)
    cut = data.draw(st.integers(5, len(value) - 1))
    with pytest.raises(MalformedBody):
        CODEC.decode(value[:cut])


@pytest.mark.parametrize("value", [None, b"", b"\x00\x00\x00", b'{"site_id": "dallas"}'])
def test_bytes_without_the_wire_header_are_refused(value: bytes | None) -> None:
    with pytest.raises(NotConfluentWire):
        CODEC.decode(value)


def test_bytes_after_the_body_are_refused() -> None:
    with pytest.raises(MalformedBody, match="1 bytes follow"):
        CODEC.decode(CODEC.encode(PRICE) + b"\x00")


def test_an_id_nobody_gave_is_unknown() -> None:
    with pytest.raises(UnknownSchemaId):
        CODEC.decode(b"\x00\x00\x00\x00\x07" + b"x")


def test_a_schema_that_is_no_event_of_ours_is_unknown() -> None:
    schema = {"type": "record", "name": "Other", "namespace": "acme", "fields": []}
    with pytest.raises(UnknownEventType, match=r"acme\.Other"):
        Codec(OtherIds(schema)).decode(b"\x00\x00\x00\x00\x07")


@pytest.mark.parametrize("at", [-1, 2**62])
def test_a_time_that_no_calendar_has_is_refused_in_and_out(at: int) -> None:
    event = sites.TimePassed(site_id="dallas", at=at)
    with pytest.raises(UnencodableEvent):
        CODEC.encode(event)
    body = BytesIO()
    schemaless_writer(body, plain_schema(sites.TimePassed), event.to_record())
    head = CODEC.encode(sites.TimePassed(site_id="dallas", at=0))[:5]
    with pytest.raises(MalformedBody, match="at="):
        CODEC.decode(head + body.getvalue())


@pytest.mark.parametrize(
    ("field", "value"), [("gpu_count", 2**31), ("deadline", 2**62), ("deadline", -1)]
)
def test_a_number_that_some_reader_cannot_hold_is_refused(field: str, value: int) -> None:
    fields = {
        "site_id": "dallas",
        "at": 1,
        "workload_id": "w",
        "customer_id": "c",
        "name": "n",
        "kind": "batch",
        "gpu_count": 2**31 - 1,
        "duration_s": 1,
        "deadline": MAX_TIME_MS,
    }
    good = sites.WorkloadSubmitted(**fields)  # type: ignore[arg-type]
    assert CODEC.decode(CODEC.encode(good)) == good
    bad = sites.WorkloadSubmitted(**{**fields, field: value})  # type: ignore[arg-type]
    with pytest.raises(UnencodableEvent, match=field):
        CODEC.encode(bad)


def test_a_price_finer_than_a_micro_dollar_is_not_rounded_silently() -> None:
    fine = sites.PowerPricePublished.from_record(
        {**PRICE.to_record(), "price_usd_per_mwh": Decimal("0.0000001")}
    )
    with pytest.raises(UnencodableEvent):
        CODEC.encode(fine)


def test_a_writer_of_a_later_version_with_a_field_more_is_read() -> None:
    schema = json.loads(json.dumps(schema_of_event(sites.TimePassed)))
    schema["fields"].append({"name": "leap", "type": "boolean", "default": False})
    value = written_with(schema, {"site_id": "dallas", "at": 5, "leap": True})
    read = Codec(OtherIds(schema)).decode(value)
    assert read == sites.TimePassed(site_id="dallas", at=5)


def test_a_writer_of_an_earlier_version_without_a_field_is_read_with_its_default() -> None:
    schema = json.loads(json.dumps(schema_of_event(sites.SiteConfigured)))
    schema["fields"] = [field for field in schema["fields"] if field["name"] != "pool"]
    record = {
        "site_id": "dallas",
        "at": 5,
        "name": "Dallas",
        "power_cap_w": 1,
        "feeders": [],
        "gpu_prices": [],
    }
    read = Codec(OtherIds(schema)).decode(written_with(schema, record))
    assert isinstance(read, sites.SiteConfigured)
    assert read.pool == "default"


def test_a_record_for_a_topic_has_the_events_key_and_headers() -> None:
    envelope = produced(PRICE, source="/market")
    record = record_for(SITES, PRICE, envelope, CODEC)
    assert (record.topic, record.key, record.partition) == (SITES, b"dallas", None)
    assert record.headers == envelope.to_headers()
    assert CODEC.decode(record.value) == PRICE


def plain_schema(event_type: type[Event]) -> Any:  # noqa: ANN401 - what fastavro takes
    return parse_schema(with_plain_times(schema_of_event(event_type)))


def written_with(schema: Schema, record: dict[str, Any]) -> bytes:
    out = BytesIO(b"\x00\x00\x00\x00\x07")
    out.seek(5)
    schemaless_writer(out, parse_schema(with_plain_times(schema)), record)
    return out.getvalue()
