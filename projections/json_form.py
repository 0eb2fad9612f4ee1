"""An event as JSON for people and pages: decimals as strings, times RFC 3339.

A time that has no such form becomes the nearest that has.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from schemas.codec import schema_of_event
from schemas.envelope import MAX_TIME_MS, rfc3339
from schemas.topics import Event


def as_json(event: Event) -> dict[str, Any]:
    """Fields by their Avro names."""
    record = event.to_record()
    for name in _time_fields(type(event)):
        if record[name] is not None:
            record[name] = rfc3339(min(max(record[name], 0), MAX_TIME_MS))
    return record


@cache
def _time_fields(event_type: type[Event]) -> tuple[str, ...]:
    fields = schema_of_event(event_type)["fields"]
    return tuple(field["name"] for field in fields if _is_time(field["type"]))


def _is_time(avro_type: Any) -> bool:  # noqa: ANN401 - a name, a union or an object
    if isinstance(avro_type, list):
        return any(_is_time(member) for member in avro_type)
    return isinstance(avro_type, dict) and avro_type.get("logicalType") == "timestamp-millis"
