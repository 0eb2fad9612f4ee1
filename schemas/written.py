"""The schema that a record was written with: whether it bounds what reading the record costs.

A registry holds what anybody registered, and Avro lets a few bytes stand for endless values: items
without bytes, a record that holds itself. A decimal of a megabyte takes hours to read. A body of a
schema that passes here costs what its bytes do, in time and in memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, cast

from fastavro.read import LOGICAL_READERS
from fastavro.write import LOGICAL_WRITERS

AvroType = Any  # in Avro's JSON: a name, a union (list) or an object

MAX_ITEMS = 200_000  # of all arrays and maps of one record
MAX_DECIMAL_BYTES = 32
_COUNTED_ABOVE_BYTES = 512 * 1024  # in less there is no room for many more items than that
_MAX_DEPTH = 32
_NO_BYTES = "a value of it may have no bytes"
_DECIMAL = "bounded-decimal"  # registered with fastavro below
_VARINTS = frozenset({"int", "long"})
_LENGTHS = frozenset({"string", "bytes"})
_WIDTHS = {"boolean": 1, "float": 4, "double": 8}


def plain(avro_type: AvroType) -> AvroType:
    """The same schema, its decimals bounded and any other logical type as what it is made of.

    So a time is a long, and a stranger's uuid a string. The bytes are the same.
    """
    if isinstance(avro_type, list):
        return [plain(member) for member in avro_type]
    if not isinstance(avro_type, dict):
        return avro_type
    logical = avro_type.get("logicalType")
    if logical == "decimal" and avro_type.get("type") == "bytes":
        return {**avro_type, "logicalType": _DECIMAL}
    left_out = ("logicalType", "doc")
    rest = {name: plain(value) for name, value in avro_type.items() if name not in left_out}
    return rest["type"] if logical is not None and set(rest) == {"type"} else rest


def why_unbounded(schema: AvroType) -> str | None:
    """Of a schema as `fastavro.parse_schema` gives it back: None when its bodies are bounded."""
    if not isinstance(schema, dict) or schema["type"] != "record":
        return "it is no record"
    return _why(schema, frozenset(), 0)


def too_many_items(schema: AvroType, value: bytes, start: int) -> bool:
    """Whether the body from `start` on, of a parsed schema, has more than MAX_ITEMS."""
    if len(value) - start <= _COUNTED_ABOVE_BYTES:
        return False
    try:
        _Walk(schema, value, start).over(schema)
    except _TooManyItems:
        return True
    except (IndexError, KeyError):  # it ends early, or a union has no such member
        return False
    return False


def _why(avro_type: AvroType, within: frozenset[str], depth: int) -> str | None:
    """within: the records that this type is part of."""
    if depth > _MAX_DEPTH:
        return f"it is more than {_MAX_DEPTH} types deep"
    if isinstance(avro_type, list):
        return _first((member for member in avro_type if member != "null"), within, depth)
    if isinstance(avro_type, dict):
        return _why_object(avro_type, within, depth)
    if avro_type in within:
        return f"{avro_type} holds itself"
    return _NO_BYTES if avro_type == "null" else None


def _why_object(avro_type: dict[str, Any], within: frozenset[str], depth: int) -> str | None:
    match avro_type["type"]:
        case "record":
            fields = (field["type"] for field in avro_type["fields"])
            why = _first(fields, within | {avro_type["name"]}, depth)
            return why if avro_type["fields"] else _NO_BYTES
        case "array":
            return _why(avro_type["items"], within, depth + 1)
        case "map":
            return _why(avro_type["values"], within, depth + 1)
        case "enum":
            return None
        case "fixed" | "error":
            return f"it has a type {avro_type['type']}"
        case inner:
            return _why(inner, within, depth + 1)


def _first(types: Iterable[AvroType], within: frozenset[str], depth: int) -> str | None:
    return next((why for each in types if (why := _why(each, within, depth + 1))), None)


class _TooManyItems(Exception):
    """The walk went no further."""


class _Walk:
    """Over a body without making anything of it. A body that ends early raises IndexError."""

    def __init__(self, schema: AvroType, value: bytes, start: int) -> None:
        self._value = value
        self._at = start
        self._items = 0
        self._named: dict[str, AvroType] = {}
        self._name(schema)

    def over(self, avro_type: AvroType) -> None:
        if isinstance(avro_type, list):
            self.over(avro_type[self._varint()])
        elif isinstance(avro_type, dict):
            self._over_object(avro_type)
        elif avro_type in _VARINTS:
            self._varint()
        elif avro_type in _LENGTHS:
            length = self._varint()
            self._at += max(0, length)
        elif avro_type in _WIDTHS:
            self._at += _WIDTHS[avro_type]
        elif avro_type != "null":
            self.over(self._named[avro_type])

    def _over_object(self, avro_type: dict[str, Any]) -> None:
        match avro_type["type"]:
            case "record":
                for field in avro_type["fields"]:
                    self.over(field["type"])
            case "array":
                self._over_blocks((avro_type["items"],))
            case "map":
                self._over_blocks(("string", avro_type["values"]))
            case "enum":
                self._varint()
            case inner:
                self.over(inner)

    def _over_blocks(self, item: tuple[AvroType, ...]) -> None:
        while count := self._varint():
            if count < 0:  # the block's size in bytes follows
                count = -count
                self._varint()
            self._items += count
            if self._items > MAX_ITEMS:
                raise _TooManyItems
            for _ in range(count):
                for part in item:
                    self.over(part)

    def _varint(self) -> int:
        shift = number = 0
        while True:
            byte = self._value[self._at]
            self._at += 1
            number |= (byte & 0x7F) << min(shift, 64)
            shift += 7
            if byte < 0x80:
                return (number >> 1) ^ -(number & 1)

    def _name(self, avro_type: AvroType) -> None:
        if isinstance(avro_type, list):
            for member in avro_type:
                self._name(member)
        elif isinstance(avro_type, dict):
            if "name" in avro_type:
                self._named[avro_type["name"]] = avro_type
            for field in avro_type.get("fields", ()):
                self._name(field["type"])
            for part in ("items", "values", "type"):
                self._name(avro_type.get(part))


def _read_decimal(data: bytes, written: Any, wanted: Any = None) -> Decimal:  # noqa: ANN401
    """Fastavro would round to the precision, and keep a magnitude that no state can hold."""
    if len(data) > MAX_DECIMAL_BYTES:
        raise ValueError(f"a decimal of {len(data)} bytes")
    digits = len(str(abs(int.from_bytes(data, "big", signed=True))))
    if digits > written["precision"]:
        raise ValueError(f"a decimal of {digits} digits, its schema says {written['precision']}")
    return cast(Decimal, LOGICAL_READERS["bytes-decimal"](data, written, wanted))


def _write_decimal(value: Any, wanted: Any) -> Any:  # noqa: ANN401
    """Fastavro counts the digits of 1E+20 as one."""
    if isinstance(value, Decimal):
        _, digits, exponent = value.as_tuple()
        if not isinstance(exponent, int):
            raise ValueError(f"{value} is no decimal")
        if len(digits) + exponent + wanted.get("scale", 0) > wanted["precision"]:
            raise ValueError(f"{value:.3e} has more digits than the schema's {wanted['precision']}")
    return LOGICAL_WRITERS["bytes-decimal"](value, wanted)


LOGICAL_READERS[f"bytes-{_DECIMAL}"] = _read_decimal
LOGICAL_WRITERS[f"bytes-{_DECIMAL}"] = _write_decimal
