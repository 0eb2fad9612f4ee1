"""Bodies and schemas that a stranger made to cost more than their bytes."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Context, Decimal
from typing import Any

import pytest

from schemas.codec import Codec, LocalIds, Schema, schema_of_event
from schemas.errors import (
    CodecError,
    MalformedBody,
    UnencodableEvent,
    UnknownEventType,
    UnknownSchemaId,
)
from schemas.events import sites
from schemas.topics import MAX_RECORD_BYTES
from schemas.written import MAX_DECIMAL_BYTES, MAX_ITEMS
from tests.schemas.test_codec import PRICE, OtherIds

CODEC = Codec(LocalIds())
TICK = "hcp.sites.v1.TimePassed"
ID = b"\x00\x00\x00\x00\x07"
GOOD = [
    {"name": "site_id", "type": "string"},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
]
METERED = sites.EnergyMetered(
    site_id="a", at=1, feeder_id="f", interval_start=0, interval_end=1, readings=()
)


def tick(*more: Any) -> Schema:  # noqa: ANN401 - any type of Avro, or none
    extra = [{"name": f"x{n}", "type": kind} for n, kind in enumerate(more)]
    return {"type": "record", "name": TICK, "fields": [*GOOD, *extra]}


def nested(depth: int) -> Any:  # noqa: ANN401
    kind: Any = "string"
    for _ in range(depth):
        kind = {"type": "array", "items": kind}
    return kind


@pytest.mark.parametrize(
    "schema",
    [
        tick({"type": "array", "items": "null"}),
        tick({"type": "map", "values": {"type": "record", "name": "Empty", "fields": []}}),
        tick({"type": "array", "items": {"type": "fixed", "name": "Nothing", "size": 0}}),
        tick(["null", TICK]),
        tick(nested(40)),
        tick(nested(50_000)),
        tick("nonsense"),
        tick(3),
        {"type": "record", "name": TICK},
        {"type": "record", "name": TICK, "fields": 3},
        {"type": "record", "name": TICK, "fields": ["x"]},
        {"type": "record", "name": 3, "fields": []},
        {"type": "enum", "name": TICK, "symbols": []},
        {"type": "string"},
        {"messageType": "TimePassed"},
    ],
)
def test_a_schema_that_bounds_no_record_is_none_of_ours(schema: Schema) -> None:
    """Some of these bodies would be read for ever, fill the memory, or end the process."""
    with pytest.raises(UnknownEventType):
        Codec(OtherIds(schema)).decode(ID + b"\x02" * 8_000_000)


@pytest.mark.parametrize("schema_id", [0, 2**31, 2**32 - 1])
def test_an_id_that_no_registry_gives_is_not_asked_for(schema_id: int) -> None:
    class Silent(LocalIds):
        def schema_of(self, schema_id: int) -> Schema:
            raise AssertionError(f"asked for {schema_id}")

    with pytest.raises(UnknownSchemaId):
        Codec(Silent()).decode(b"\x00" + schema_id.to_bytes(4, "big") + b"body")


def test_a_strangers_logical_types_are_what_they_are_made_of() -> None:
    schema = tick()
    schema["fields"][0]["type"] = {"type": "string", "logicalType": "uuid"}
    schema["fields"][1]["type"] = {"type": "long", "logicalType": "timestamp-micros"}
    event = Codec(OtherIds(schema)).decode(ID + b"\x08dall\x0a")
    assert event == sites.TimePassed(site_id="dall", at=5)


def test_what_resolution_lets_through_is_still_of_our_types() -> None:
    schema = json.loads(json.dumps(schema_of_event(sites.UnitFailed)))
    at = next(n for n, field in enumerate(schema["fields"]) if field["name"] == "reason")
    schema["fields"][at]["type"] = ["null", "bytes"]
    with pytest.raises(CodecError):
        Codec(OtherIds(schema)).decode(ID + b"\x02a\x02\x02u\x00")


def test_a_decimal_of_any_length_costs_nothing() -> None:
    value = CODEC.encode(PRICE)
    number = int(PRICE.price_usd_per_mwh.scaleb(6)).to_bytes(4, "big", signed=True)
    at = value.index(bytes([2 * len(number)]) + number)
    huge = b"\x7f" * 4_000_000
    spoilt = value[:at] + varint(len(huge)) + huge + value[at + 1 + len(number) :]
    with pytest.raises(MalformedBody, match="decimal"):
        CODEC.decode(spoilt)
    most = b"\x7f" * (MAX_DECIMAL_BYTES + 1)
    with pytest.raises(MalformedBody, match="decimal"):
        CODEC.decode(value[:at] + varint(len(most)) + most + value[at + 1 + len(number) :])


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("unscaled", [10**18, 2**60, 2**63, 2**64, 2**240])
def test_a_decimal_beyond_its_schemas_precision_is_malformed(unscaled: int, sign: int) -> None:
    with pytest.raises(MalformedBody, match="its schema says 18"):
        CODEC.decode(priced(sign * unscaled))


@pytest.mark.parametrize("unscaled", [10**18 - 1, 1 - 10**18, 0])
def test_a_decimal_of_its_schemas_precision_is_read_and_written_as_it_is(unscaled: int) -> None:
    value = priced(unscaled)
    event = CODEC.decode(value)
    assert isinstance(event, sites.PowerPricePublished)
    assert event.price_usd_per_mwh == Decimal(unscaled).scaleb(-6, Context(prec=18))
    assert CODEC.encode(event) == value


@pytest.mark.parametrize("price", ["1E+12", "-1E+12", "1E+60", "1000000000000", "NaN", "Infinity"])
def test_a_decimal_beyond_its_schemas_precision_is_not_written(price: str) -> None:
    with pytest.raises(UnencodableEvent):
        CODEC.encode(replace(PRICE, price_usd_per_mwh=Decimal(price)))


def test_a_strangers_wider_decimal_is_read_within_our_precision() -> None:
    schema = json.loads(json.dumps(schema_of_event(sites.PowerPricePublished)))
    price = next(field for field in schema["fields"] if field["name"] == "price_usd_per_mwh")
    price["type"]["precision"] = 70
    codec = Codec(OtherIds(schema))
    assert codec.decode(ID + priced(10**18 - 1)[5:])
    with pytest.raises(MalformedBody):
        codec.decode(ID + priced(10**18)[5:])


def priced(unscaled: int) -> bytes:
    """PRICE with another price, whatever its schema says."""
    value = CODEC.encode(PRICE)
    was = int(PRICE.price_usd_per_mwh.scaleb(6)).to_bytes(4, "big", signed=True)
    at = value.index(bytes([2 * len(was)]) + was)
    number = unscaled.to_bytes((unscaled.bit_length() + 8) // 8, "big", signed=True)
    return value[:at] + varint(len(number)) + number + value[at + 1 + len(was) :]


@pytest.mark.parametrize("blocks", [(MAX_ITEMS + 1,), (-MAX_ITEMS - 1,), (1000,) * 201])
def test_more_items_than_any_record_needs_are_not_read(blocks: tuple[int, ...]) -> None:
    head = CODEC.encode(METERED)[:-1]  # without the end of its readings
    reading = b"\x02u\x00\x00"
    body = b"".join(
        varint(count) + (varint(0) if count < 0 else b"") + reading * abs(count) for count in blocks
    )
    with pytest.raises(MalformedBody, match="items"):
        CODEC.decode(head + body + b"\x00")


def test_a_reading_of_every_unit_of_a_large_site_is_read() -> None:
    readings = tuple(
        sites.MeterReading(unit_id=f"unit-{n:06}", energy_wh=n, work_th=n) for n in range(50_000)
    )
    large = replace(METERED, readings=readings)
    assert len(CODEC.encode(large)) > 512 * 1024
    assert CODEC.decode(CODEC.encode(large)) == large


def test_a_body_larger_than_a_topic_takes_is_not_read() -> None:
    with pytest.raises(MalformedBody, match="more than"):
        CODEC.decode(CODEC.encode(PRICE) + b"\x00" * MAX_RECORD_BYTES)


def varint(number: int) -> bytes:
    rest = (number << 1) ^ (number >> 63)
    out = b""
    while rest > 127:
        out += bytes([rest & 127 | 128])
        rest >>= 7
    return out + bytes([rest])
