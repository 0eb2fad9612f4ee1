"""Hypothesis strategies that make any event from its own schema."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from schemas.codec import Schema, schema_of_event
from schemas.envelope import MAX_TIME_MS
from schemas.topics import EVENT_TYPES, Event
from schemas.written import AvroType

_TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
_PRIMITIVES: dict[str, st.SearchStrategy[Any]] = {
    "string": _TEXT,
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats(allow_nan=False),
    "boolean": st.booleans(),
    "bytes": st.binary(max_size=20),
}


def events(*event_types: type[Event]) -> st.SearchStrategy[Event]:
    return st.sampled_from(event_types or tuple(EVENT_TYPES.values())).flatmap(_event)


def _event(event_type: Any) -> st.SearchStrategy[Event]:  # noqa: ANN401 - from_record is generated
    return _record(schema_of_event(event_type)).map(event_type.from_record)


def _record(schema: Schema) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {field["name"]: _value(field["type"]) for field in schema["fields"]}
    )


def _value(avro_type: AvroType) -> st.SearchStrategy[Any]:
    if isinstance(avro_type, list):
        member = next(member for member in avro_type if member != "null")
        return st.none() | _value(member)
    if isinstance(avro_type, str):
        return _PRIMITIVES[avro_type]
    match avro_type.get("logicalType", avro_type["type"]):
        case "timestamp-millis":
            return st.integers(0, MAX_TIME_MS)
        case "decimal":
            most = Decimal(10) ** 12 - 1
            return st.decimals(-most, most, places=6, allow_nan=False, allow_infinity=False)
        case "record":
            return _record(avro_type)
        case _:
            return st.lists(_value(avro_type["items"]), max_size=3)
