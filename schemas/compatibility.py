"""Every schema against every version ever released, offline, in both directions.

Released versions are kept as `schemas/released/<log>/<Event>/<n>.avsc`, n from 1, never edited.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import parse

from schemas.codec import RELEASED_DIR, Schema, full_name_of, schema_of_event
from schemas.topics import EVENT_TYPES, Event
from schemas.written import AvroType


def released(log: str, name: str, directory: Path = RELEASED_DIR) -> list[Schema]:
    """Every released version of an event, the oldest first."""
    folder = directory / log / name
    paths = sorted(folder.glob("*.avsc"), key=lambda path: int(path.stem))
    return [json.loads(path.read_text()) for path in paths]


def incompatibilities(event_type: type[Event], directory: Path = RELEASED_DIR) -> list[str]:
    """One sentence for each released version that the present schema does not fit."""
    log, name = log_and_name(event_type)
    present = schema_of_event(event_type)
    return [
        f"{event_type.FULL_NAME} and its released version {number}: {fault}"
        for number, old in enumerate(released(log, name, directory), start=1)
        for fault in faults_between(present, old)
    ]


def vanished(directory: Path = RELEASED_DIR) -> list[str]:
    """Released events that no longer exist: their records would no longer be readable."""
    names = {log_and_name(event_type) for event_type in EVENT_TYPES.values()}
    return [
        f"{folder.parent.name}/{folder.name} was released and has no schema any more"
        for folder in sorted(directory.glob("*/*"))
        if (folder.parent.name, folder.name) not in names
    ]


def faults_between(one: Schema, other: Schema) -> list[str]:
    """Why either cannot read what the other writes. Empty when both can."""
    return [
        *(f"the new reader cannot read the old: {fault}" for fault in _faults(one, other)),
        *(f"an old reader cannot read the new: {fault}" for fault in _faults(other, one)),
        *_changed_meanings(one, other),
    ]


def log_and_name(event_type: type[Event]) -> tuple[str, str]:
    namespace, _, name = event_type.FULL_NAME.rpartition(".")
    return namespace.split(".")[1], name


def _faults(reader: Schema, writer: Schema) -> list[str]:
    checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]
    result = checker.get_compatibility(parse(json.dumps(reader)), parse(json.dumps(writer)))
    if result.compatibility is SchemaCompatibilityType.compatible:
        return []
    return sorted(result.messages) or ["the schemas are incompatible"]


def _changed_meanings(one: Schema, other: Schema) -> Iterator[str]:
    """The checker looks at types, not at what they mean: cents read as dollars would pass it."""
    others = dict(_meanings(other, full_name_of(other)))
    for path, meaning in _meanings(one, full_name_of(one)):
        if path in others and others[path] != meaning:
            yield f"{path} means {meaning or 'a plain value'}, before {others[path] or 'plain'}"


def _meanings(avro_type: AvroType, path: str) -> Iterator[tuple[str, str]]:
    """The logical type at every path of a schema."""
    if isinstance(avro_type, list):
        for member in avro_type:
            if member != "null":
                yield from _meanings(member, path)
    elif isinstance(avro_type, dict) and avro_type["type"] == "record":
        for field in avro_type["fields"]:
            yield from _meanings(field["type"], f"{path}.{field['name']}")
    elif isinstance(avro_type, dict) and avro_type["type"] == "array":
        yield from _meanings(avro_type["items"], f"{path}[]")
    else:
        yield path, _meaning(avro_type)


def _meaning(avro_type: AvroType) -> str:
    if not isinstance(avro_type, dict) or "logicalType" not in avro_type:
        return ""
    digits = [str(avro_type[name]) for name in ("precision", "scale") if name in avro_type]
    return f"{avro_type['logicalType']}({','.join(digits)})"
