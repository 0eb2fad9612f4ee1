"""Events to bytes and back, in Confluent's wire format: 0x00, schema id (4 bytes), Avro body.

The registered schemas carry logical types. Inside, times are read and written as the plain longs
they are, because agents compute with integer milliseconds; decimals stay `Decimal`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.read import SchemaResolutionError
from fastavro.schema import SchemaParseException

from schemas.envelope import MAX_TIME_MS, Envelope, Headers
from schemas.errors import (
    MalformedBody,
    NotConfluentWire,
    UnencodableEvent,
    UnknownEventType,
    UnknownSchemaId,
)
from schemas.topics import EVENT_TYPES, MAX_RECORD_BYTES, Event, Topic, key_of, topic_of
from schemas.written import MAX_ITEMS, AvroType, plain, too_many_items, why_unbounded

Schema = dict[str, Any]

AVRO_DIR = Path(__file__).parent / "avro"
RELEASED_DIR = Path(__file__).parent / "released"
_MAGIC = 0
_HEADER_BYTES = 5
_IDS_BELOW = 1 << 31  # clients read ids as signed


class SchemaIds(Protocol):
    """Numbers for schemas, and back."""

    def id_of(self, topic: Topic, event_type: type[Event]) -> int:
        """Raises SchemaNotRegistered, RegistryUnavailable."""
        ...

    def schema_of(self, schema_id: int) -> Schema:
        """Raises UnknownSchemaId, RegistryUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class OutRecord:
    """A record ready to be produced.

    partition: None leaves the choice to the key
    """

    topic: Topic
    key: bytes
    value: bytes
    headers: Headers
    partition: int | None = None


class _Limit(NamedTuple):
    """What any reader of a field can hold: Java's int has 32 bits, a calendar ends with 9999."""

    field: str
    least: int
    most: int


class _Writer(NamedTuple):
    prefix: bytes
    schema: Schema
    limits: tuple[_Limit, ...]


class _Reader(NamedTuple):
    written: Schema
    wanted: Schema | None
    event_type: Any
    limits: tuple[_Limit, ...]


class Codec:
    """Each schema is looked up and parsed once; from then on no call leaves the process."""

    def __init__(self, ids: SchemaIds) -> None:
        self._ids = ids
        self._writers: dict[type[Event], _Writer] = {}
        self._readers: dict[bytes, _Reader] = {}

    def warm(self, *topics: Topic, writer: str | None = None) -> None:
        """Look up every schema written to these topics now. Raises as `SchemaIds.id_of`.

        writer: only what this agent (or `PRODUCER`) may write
        """
        for topic in topics:
            for event_type in topic.events:
                if writer is None or topic.may_write(event_type, writer):
                    self._writer_for(event_type)

    def encode(self, event: Event) -> bytes:
        """Raises UnencodableEvent, SchemaNotRegistered, RegistryUnavailable."""
        writer = self._writers.get(type(event)) or self._writer_for(type(event))
        out = BytesIO()
        out.write(writer.prefix)
        try:
            schemaless_writer(out, writer.schema, event.to_record())
            broken = _broken_limit(event, writer.limits)
        except (ValueError, TypeError, OverflowError, AttributeError) as error:
            raise UnencodableEvent(f"{event.FULL_NAME} cannot be written: {error}") from error
        if broken is not None:
            raise UnencodableEvent(f"{event.FULL_NAME}: {broken}")
        return out.getvalue()

    def decode(self, value: bytes | None) -> Event:
        """Raises a CodecError other than UnencodableEvent, or RegistryUnavailable.

        Whatever the bytes are, reading them takes seconds and some hundred megabytes at the worst.
        """
        if value is None:
            raise NotConfluentWire("the record has no value")
        if len(value) > MAX_RECORD_BYTES:  # a compressed one may be of any size
            raise MalformedBody(f"{len(value)} bytes are more than {MAX_RECORD_BYTES}")
        header = value[:_HEADER_BYTES]
        reader = self._readers.get(header) or self._reader_for(header)
        if too_many_items(reader.written, value, _HEADER_BYTES):
            raise MalformedBody(f"the body has more than {MAX_ITEMS} items")
        body = BytesIO(value)
        body.seek(_HEADER_BYTES)
        try:
            record = schemaless_reader(body, reader.written, reader.wanted)
            event = reader.event_type.from_record(record)
            if reader.wanted is not None:  # resolution lets some values of another type through
                schemaless_writer(BytesIO(), reader.wanted, event.to_record())
        except _READ_ERRORS as error:
            name = reader.event_type.FULL_NAME
            raise MalformedBody(f"the body is no {name}: {error or 'it ends early'}") from error
        if body.tell() != len(value):
            raise MalformedBody(f"{len(value) - body.tell()} bytes follow the body")
        broken = _broken_limit(event, reader.limits)
        if broken is not None:
            raise MalformedBody(f"{event.FULL_NAME}: {broken}")
        return cast(Event, event)

    def _writer_for(self, event_type: type[Event]) -> _Writer:
        schema_id = self._ids.id_of(topic_of(event_type), event_type)
        prefix = bytes([_MAGIC]) + schema_id.to_bytes(4, "big")
        writer = _Writer(prefix, _plain_schema_of(event_type), _limits_of(event_type))
        self._writers[event_type] = writer
        return writer

    def _reader_for(self, header: bytes) -> _Reader:
        if len(header) < _HEADER_BYTES or header[0] != _MAGIC:
            raise NotConfluentWire("the value does not begin with 0x00 and a schema id")
        schema_id = int.from_bytes(header[1:], "big")
        if not 0 < schema_id < _IDS_BELOW:
            raise UnknownSchemaId(f"no schema has the id {schema_id}")
        schema = self._ids.schema_of(schema_id)
        full_name = full_name_of(schema)
        event_type = EVENT_TYPES.get(full_name)
        if event_type is None:
            raise UnknownEventType(
                f"schema {schema_id} is {full_name!r}, which is no event of ours"
            )
        written = _parsed(schema, schema_id)
        wanted = _plain_schema_of(event_type)
        # Resolution costs a third of the time; without it the same schema reads the same record.
        limits = _limits_of(event_type)
        reader = _Reader(written, None if written == wanted else wanted, event_type, limits)
        self._readers[header] = reader
        return reader


def record_for(
    topic: Topic,
    event: Event,
    envelope: Envelope,
    codec: Codec,
    *,
    key: bytes | None = None,
    partition: int | None = None,
) -> OutRecord:
    """A record of `topic`; its key is the event's key field unless one is given."""
    if key is None:
        key = key_of(topic, event)
    return OutRecord(topic, key, codec.encode(event), envelope.to_headers(), partition)


class LocalIds:
    """Ids made from the schemas' own text: for logs in memory and for samples, without a registry.

    Knows the present schema of every event and every one ever released.
    """

    def __init__(self) -> None:
        self._schemas = {
            local_id(schema): schema for schema in (*_released_schemas(), *_present_schemas())
        }

    def id_of(self, topic: Topic, event_type: type[Event]) -> int:  # noqa: ARG002
        return local_id(schema_of_event(event_type))

    def schema_of(self, schema_id: int) -> Schema:
        schema = self._schemas.get(schema_id)
        if schema is None:
            raise UnknownSchemaId(f"schema {schema_id} is not among those of this version")
        return schema


def local_id(schema: Schema) -> int:
    """Below 2^31, because clients read ids as signed."""
    text = json.dumps(schema, sort_keys=True, separators=(",", ":"))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1


@cache
def schema_of_event(event_type: type[Event]) -> Schema:
    """The `.avsc` as it is, logical types and all."""
    namespace, _, name = event_type.FULL_NAME.rpartition(".")
    _, log, version = namespace.split(".")
    return cast(Schema, json.loads((AVRO_DIR / log / version / f"{name}.avsc").read_text()))


def full_name_of(schema: Schema) -> str:
    name, namespace = schema.get("name"), schema.get("namespace")
    if not isinstance(name, str):
        return ""
    return name if "." in name or not namespace else f"{namespace}.{name}"


def with_plain_times(avro_type: AvroType) -> AvroType:
    """The same schema with every timestamp a plain long. The bytes are the same."""
    if isinstance(avro_type, list):
        return [with_plain_times(member) for member in avro_type]
    if not isinstance(avro_type, dict):
        return avro_type
    if avro_type.get("logicalType") == "timestamp-millis":
        return "long"
    return {name: with_plain_times(value) for name, value in avro_type.items()}


@cache
def _plain_schema_of(event_type: type[Event]) -> Schema:
    return cast(Schema, parse_schema(plain(schema_of_event(event_type))))


def _parsed(schema: Schema, schema_id: int) -> Schema:
    """Raises UnknownEventType."""
    try:
        written = cast(Schema, parse_schema(plain(schema)))
        unbounded = why_unbounded(written)
    except (SchemaParseException, *_READ_ERRORS) as error:
        raise UnknownEventType(f"schema {schema_id} is not valid Avro: {error}") from error
    if unbounded is not None:
        raise UnknownEventType(f"schema {schema_id} bounds no record: {unbounded}")
    return written


def _broken_limit(event: Event, limits: tuple[_Limit, ...]) -> str | None:
    for field, least, most in limits:
        value = getattr(event, field)
        if value is not None and not least <= value <= most:
            return f"{field}={value} is not between {least} and {most}"
    return None


def _limits_of(event_type: type[Event]) -> tuple[_Limit, ...]:
    limits = []
    for field in schema_of_event(event_type)["fields"]:
        members = field["type"] if isinstance(field["type"], list) else [field["type"]]
        if "int" in members:
            limits.append(_Limit(field["name"], -(2**31), 2**31 - 1))
        elif any(with_plain_times(member) != member for member in members):
            limits.append(_Limit(field["name"], 0, MAX_TIME_MS))
    return tuple(limits)


def _present_schemas() -> list[Schema]:
    return [schema_of_event(event_type) for event_type in EVENT_TYPES.values()]


def _released_schemas() -> list[Schema]:
    return [json.loads(path.read_text()) for path in sorted(RELEASED_DIR.glob("*/*/*.avsc"))]


_READ_ERRORS = (
    EOFError,
    ValueError,  # includes UnicodeDecodeError
    IndexError,
    KeyError,
    TypeError,
    AttributeError,
    ArithmeticError,  # decimals
    RecursionError,
    MemoryError,  # a length of petabytes
    SchemaResolutionError,
)
