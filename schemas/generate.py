"""Writes `schemas/events/<log>.py` from the `.avsc` files.

An Avro record becomes a frozen dataclass with the same names. `timestamp-millis` becomes an `int`
(milliseconds since 1970, UTC), because deciders compute with integers; a `decimal` becomes a
`Decimal`. Every class can turn itself into the plain record that an Avro writer takes, and back.
"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

AVRO_DIR = Path(__file__).parent / "avro"
EVENTS_DIR = Path(__file__).parent / "events"

Schema = dict[str, Any]
AvroType = Any  # in Avro's JSON: a name, a union (list) or an object
_PRIMITIVES = {
    "string": "str",
    "int": "int",
    "long": "int",
    "double": "float",
    "boolean": "bool",
    "bytes": "bytes",
}


def generate() -> dict[Path, str]:
    """The text of every generated module, by path."""
    modules = {EVENTS_DIR / "__init__.py": _package_text()}
    for log_dir in sorted(AVRO_DIR.iterdir()):
        schemas = [json.loads(path.read_text()) for path in sorted(log_dir.glob("v1/*.avsc"))]
        modules[EVENTS_DIR / f"{log_dir.name}.py"] = _module_text(log_dir.name, schemas)
    return modules


def stale() -> list[Path]:
    """Generated modules that do not say what the `.avsc` files say."""
    return [
        path for path, text in generate().items() if not path.exists() or path.read_text() != text
    ]


def write() -> None:
    EVENTS_DIR.mkdir(exist_ok=True)
    for path, text in generate().items():
        path.write_text(text)


def _package_text() -> str:
    return (
        '"""Events as dataclasses, made from `schemas/avro` by `python -m schemas generate`."""\n'
    )


def _module_text(log: str, schemas: list[Schema]) -> str:
    nested: dict[str, Schema] = {}
    for schema in schemas:
        _collect_nested(schema, nested)
    records = [*nested.values(), *schemas]
    uses_decimal = any('"decimal"' in json.dumps(record) for record in records)
    head = [
        f'"""Events of hcp.{log}.v1. Generated from `schemas/avro/{log}`: do not edit."""',
        "",
        "from __future__ import annotations",
        "",
        "from dataclasses import dataclass",
        *(["from decimal import Decimal"] if uses_decimal else []),
        "from typing import Any, ClassVar",
        "",
        "Record = dict[str, Any]",
    ]
    union = f"{log.capitalize()}Event"
    names = [schema["name"] for schema in schemas]
    tail = [
        "",
        "",
        f"{union} = (",
        *[f"    {'| ' if i else ''}{name}" for i, name in enumerate(names)],
        ")",
        "",
        f"EVENTS: tuple[type[{union}], ...] = (",
        *[f"    {name}," for name in names],
        ")",
    ]
    return "\n".join([*head, *(_class_text(record) for record in records), *tail]) + "\n"


def _collect_nested(schema: Schema, found: dict[str, Schema]) -> None:
    for field in schema["fields"]:
        record = _record_in(field["type"])
        if record is None:
            continue
        known = found.setdefault(record["name"], record)
        if known != record:
            raise ValueError(f"two definitions of {record['name']}, the second in {schema['name']}")
        _collect_nested(record, found)


def _record_in(avro_type: AvroType) -> Schema | None:
    if isinstance(avro_type, list):
        return next((r for member in avro_type if (r := _record_in(member))), None)
    if not isinstance(avro_type, dict):
        return None
    if avro_type["type"] == "array":
        return _record_in(avro_type["items"])
    return avro_type if avro_type["type"] == "record" else None


def _class_text(schema: Schema) -> str:
    full_name = f"{schema['namespace']}.{schema['name']}" if "namespace" in schema else ""
    lines = [
        "",
        "",
        "@dataclass(frozen=True, slots=True, kw_only=True)",
        f"class {schema['name']}:",
    ]
    lines += _docstring(schema)
    if full_name:
        lines += [f'    FULL_NAME: ClassVar[str] = "{full_name}"', ""]
    lines += [f"    {field['name']}: {_annotation(field)}" for field in schema["fields"]]
    lines += ["", "    def to_record(self) -> Record:", "        return {"]
    lines += [f'            "{field["name"]}": {_to_record(field)},' for field in schema["fields"]]
    lines += ["        }", "", "    @classmethod"]
    lines += [
        f"    def from_record(cls, record: Record) -> {schema['name']}:",
        "        return cls(",
    ]
    lines += [f"            {field['name']}={_from_record(field)}," for field in schema["fields"]]
    return "\n".join([*lines, "        )"])


def _docstring(schema: Schema) -> list[str]:
    parts = [*textwrap.wrap(schema["doc"], 92), ""]
    for field in schema["fields"]:
        text = f"{field['name']}: {field.get('doc', '')}"
        parts += textwrap.wrap(text, 92, subsequent_indent="    ")
    return [f'    """{parts[0]}', *(f"    {part}".rstrip() for part in parts[1:]), '    """', ""]


def _annotation(field: Schema) -> str:
    annotation = _python_type(field["type"])
    if "default" not in field:
        return annotation
    default = tuple(field["default"]) if _is_array(field) else field["default"]
    return f"{annotation} = {default!r}"


def _python_type(avro_type: AvroType) -> str:
    if isinstance(avro_type, list):
        (member,) = (member for member in avro_type if member != "null")
        return f"{_python_type(member)} | None"
    if isinstance(avro_type, str):
        return _PRIMITIVES.get(avro_type) or avro_type.rpartition(".")[2]
    match avro_type.get("logicalType"):
        case "timestamp-millis":
            return "int"
        case "decimal":
            return "Decimal"
    if avro_type["type"] == "array":
        return f"tuple[{_python_type(avro_type['items'])}, ...]"
    return str(avro_type["name"])


def _to_record(field: Schema) -> str:
    if not _is_array(field):
        return f"self.{field['name']}"
    if _record_in(field["type"]):
        return f"[item.to_record() for item in self.{field['name']}]"
    return f"list(self.{field['name']})"


def _from_record(field: Schema) -> str:
    name = field["name"]
    if not _is_array(field):
        return f'record["{name}"]'
    record = _record_in(field["type"])
    if record:
        return f'tuple({record["name"]}.from_record(item) for item in record["{name}"])'
    return f'tuple(record["{name}"])'


def _is_array(field: Schema) -> bool:
    return isinstance(field["type"], dict) and field["type"]["type"] == "array"
