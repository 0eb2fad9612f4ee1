"""Releasing a schema version: it is kept for ever, with one encoded sample that must stay readable.

A sample is `<n>.bin` (the wire bytes, under the version's local id) and `<n>.json` (what it says).
"""

from __future__ import annotations

import json
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

from fastavro import parse_schema, schemaless_writer

from schemas.codec import (
    RELEASED_DIR,
    Schema,
    local_id,
    schema_of_event,
    with_plain_times,
)
from schemas.compatibility import incompatibilities, log_and_name, released, vanished
from schemas.errors import IncompatibleSchema
from schemas.generate import stale
from schemas.topics import EVENT_TYPES, Event
from schemas.written import AvroType

SAMPLES_DIR = Path(__file__).parent.parent / "tests" / "schemas" / "samples"
_AT = 1_720_000_000_000


def check(released_dir: Path = RELEASED_DIR, samples_dir: Path = SAMPLES_DIR) -> list[str]:
    """One sentence for each thing that must be put right before a commit."""
    faults = [f"{path.name} is not what the .avsc files say: generate it" for path in stale()]
    faults += vanished(released_dir)
    for event_type in EVENT_TYPES.values():
        faults += incompatibilities(event_type, released_dir)
        faults += _release_faults(event_type, released_dir, samples_dir)
    return faults


def release(released_dir: Path = RELEASED_DIR, samples_dir: Path = SAMPLES_DIR) -> list[str]:
    """Keep every schema that differs from its last release; returns what was released.

    Raises IncompatibleSchema, and then nothing was released.
    """
    faults = vanished(released_dir)
    for event_type in EVENT_TYPES.values():
        faults += incompatibilities(event_type, released_dir)
    if faults:
        raise IncompatibleSchema("; ".join(faults))
    return [
        sentence
        for event_type in EVENT_TYPES.values()
        for sentence in _release_one(event_type, released_dir, samples_dir)
    ]


def _release_faults(event_type: type[Event], released_dir: Path, samples_dir: Path) -> list[str]:
    log, name = log_and_name(event_type)
    versions = released(log, name, released_dir)
    if not versions:
        return [f"{log}/{name} was never released: run `python -m schemas release`"]
    faults = []
    if versions[-1] != schema_of_event(event_type):
        faults.append(
            f"{log}/{name} differs from its last release: run `python -m schemas release`"
        )
    for number in range(1, len(versions) + 1):
        for suffix in ("bin", "json"):
            path = samples_dir / log / name / f"{number}.{suffix}"
            if not path.exists():
                faults.append(f"{log}/{name} version {number} has no sample {path.name}")
    return faults


def _release_one(event_type: type[Event], released_dir: Path, samples_dir: Path) -> list[str]:
    log, name = log_and_name(event_type)
    schema = schema_of_event(event_type)
    versions = released(log, name, released_dir)
    if versions and versions[-1] == schema:
        return []
    number = len(versions) + 1
    record = sample_of(schema)
    _write(released_dir / log / name / f"{number}.avsc", _json(schema).encode())
    _write(samples_dir / log / name / f"{number}.bin", encoded_sample(schema, record))
    _write(samples_dir / log / name / f"{number}.json", _json(shown(record)).encode())
    return [f"released {log}/{name} version {number}"]


def sample_of(schema: Schema) -> dict[str, Any]:
    """A record with a value in every field, the same on every run."""
    return {field["name"]: _sample(field["type"], field["name"]) for field in schema["fields"]}


def encoded_sample(schema: Schema, record: dict[str, Any]) -> bytes:
    out = BytesIO()
    out.write(b"\x00" + local_id(schema).to_bytes(4, "big"))
    schemaless_writer(out, parse_schema(with_plain_times(schema)), record)
    return out.getvalue()


def shown(value: AvroType) -> AvroType:
    """A record as JSON can say it: decimals as text, bytes in hexadecimal."""
    match value:
        case dict():
            return {name: shown(item) for name, item in value.items()}
        case list() | tuple():
            return [shown(item) for item in value]
        case Decimal():
            return str(value)
        case bytes():
            return value.hex()
    return value


def _sample(avro_type: AvroType, name: str) -> AvroType:
    if isinstance(avro_type, list):
        return _sample(next(member for member in avro_type if member != "null"), name)
    kind = avro_type if isinstance(avro_type, str) else avro_type["type"]
    logical = "" if isinstance(avro_type, str) else avro_type.get("logicalType", "")
    if kind == "record":
        return sample_of(avro_type)
    if kind == "array":
        return [_sample(avro_type["items"], name)] * 2
    if logical == "decimal":
        return Decimal("-12.345678")
    if logical == "timestamp-millis":
        return _AT + len(name)
    values = {
        "string": f"{name} ä",
        "int": 1_000 + len(name),
        "long": 5_000_000_000 + len(name),
        "double": 989.4,
        "boolean": True,
        "bytes": name.encode(),
    }
    return values[kind]


def _json(value: AvroType) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
