"""Records that anybody could send: noise, and real ones with something in them changed.

Everything follows from a seed, so that a batch can be made again.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from decimal import Context, Decimal
from functools import cache
from io import BytesIO
from typing import Any, cast

from fastavro import parse_schema, schemaless_writer

from schemas.codec import (
    Codec,
    OutRecord,
    Schema,
    record_for,
    schema_of_event,
    with_plain_times,
)
from schemas.envelope import MAX_TIME_MS, produced
from schemas.events import accounts, sites
from schemas.record import Record
from schemas.topics import ACCOUNTS, EVENT_TYPES, LOGS, SITES, Event, Topic
from schemas.written import AvroType
from tests.projections.story import START, Story, tell
from tests.streams.substrates import CODEC

Headers = list[tuple[str, bytes | None]]

_INTS = (0, 1, -1, 2, 60_000, 900_000, 2**31 - 1, 2**31, -(2**31), 2**53, 2**63 - 1, -(2**63))
_TIMES = (START, START + 1, START + 900_000, START + 86_400_000, 0, 1, MAX_TIME_MS, MAX_TIME_MS - 1)
_FLOATS = (0.0, -0.0, 1.5, -1.0, 1e308, 5e-324, float("nan"), float("inf"), float("-inf"))
_DECIMALS = tuple(
    Decimal(text).quantize(Decimal("0.000001")) for text in ("0", "1", "-1", "0.000001", "999999")
)
_WIDE = Context(prec=80)
_PREFIX_BYTES = 5  # of the schema's id
_WORDS = (
    *("alpha", "alpha-w00001", "u000", "u001", "f1", "default", "default-v1", "H100", "S21"),
    *("gpu", "asic", "training", "inference", "batch", "interactive", "compute", "off", "ok"),
    *("completed", "failed", "degraded", "info", "warning", "", "\0", "\x01\x1b[2J", "é\u202e🂡"),
    *("a/b:c", "x" * 300, "'; --", "NaN", "-1", "9" * 5000),
)
_TIMESTAMPS = (*(-1, 0, START, START * 1_000, START * 1_000_000, -(2**63), 2**63, MAX_TIME_MS + 1),)


@cache
def real_records(codec: Codec = CODEC) -> dict[Topic, tuple[OutRecord, ...]]:
    """A site's day on each log, and what its people say."""
    told = [*tell(Story(codec), workloads=6, units=3).records, *_said(codec)]
    return {log: tuple(record for record in told if record.topic is log) for log in LOGS}


def _said(codec: Codec) -> Iterator[OutRecord]:
    prices = (accounts.GpuPrice(gpu_model="H100", price_usd_per_gpu_hour=_DECIMALS[1]),)
    for number in range(4):
        named: dict[str, Any] = {"customer_id": "alpha", "at": START, "tariff_id": f"t{number}"}
        tariff = accounts.TariffPublished(
            **named,
            effective_from=START,
            gpu_prices=prices,
            energy_pass_through=True,
            energy_adder_usd_per_mwh=_DECIMALS[1],
        )
        contract = accounts.ContractSigned(
            **named,
            contract_id=f"c{number}",
            starts_at=START + number,
            billing_period="day",
            grace_s=3600,
            auto_finalize=True,
        )
        for event in (tariff, contract):
            yield record_for(ACCOUNTS, event, produced(event, source="/people"), codec)
    asked = sites.CurtailmentRequested(
        site_id="alpha",
        at=START,
        curtailment_id="c",
        max_power_w=0,
        starts_at=START,
        duration_s=60,
        payment_usd_per_mwh=_DECIMALS[1],
    )
    yield record_for(SITES, asked, produced(asked, source="/people"), codec)


@cache
def _without_precision(event_type: type[Event]) -> Schema:
    return cast(Schema, parse_schema(_widened(with_plain_times(schema_of_event(event_type)))))


def _widened(avro_type: AvroType) -> AvroType:
    if isinstance(avro_type, list):
        return [_widened(member) for member in avro_type]
    if not isinstance(avro_type, dict):
        return avro_type
    wider = {"precision": _WIDE.prec} if avro_type.get("logicalType") == "decimal" else {}
    return {name: _widened(value) for name, value in avro_type.items()} | wider


class Hostile:
    """parts: bytes that somebody else thought of."""

    def __init__(self, seed: int, parts: Sequence[bytes] = (), codec: Codec = CODEC) -> None:
        self._codec = codec
        self._real = real_records(codec)
        self._rng = random.Random(seed)
        self._parts = tuple(parts)

    def record(self, log: Topic, offset: int) -> Record:
        """Of partition 0 of the log."""
        make = self._rng.choice((self._noise, self._mutant, self._mutant, self._invention))
        key, value, headers = make(log)
        timestamp_ms = self._rng.choice(_TIMESTAMPS)
        return Record(log.name, 0, offset, timestamp_ms, key, value, tuple(headers))

    def _noise(self, log: Topic) -> tuple[bytes | None, bytes | None, Headers]:
        headers: Headers = [
            (self._name(), self._bytes_or_none()) for _ in range(self._rng.randrange(4))
        ]
        del log
        return self._bytes_or_none(), self._bytes_or_none(), headers

    def _mutant(self, log: Topic) -> tuple[bytes | None, bytes | None, Headers]:
        """A real record with up to three things wrong."""
        real = self._rng.choice(self._real[log])
        key: bytes | None = real.key
        value: bytes | None = real.value
        headers = cast(Headers, list(real.headers))
        for _ in range(self._rng.randrange(4)):
            match self._rng.randrange(8):
                case 0:
                    key = self._bytes_or_none()
                case 1 | 2 | 3 if value:
                    value = self._bent(value)
                case 4:
                    value = self._bytes_or_none()
                case 5 if headers:
                    at = self._rng.randrange(len(headers))
                    headers[at] = (headers[at][0], self._bytes_or_none())
                case 6:
                    headers.append((self._name(), self._bytes_or_none()))
                case _ if headers:
                    at = self._rng.randrange(len(headers))
                    headers[at] = (headers[at][0], self._bent(headers[at][1] or b""))
        return key, value, headers

    def _invention(self, log: Topic) -> tuple[bytes | None, bytes | None, Headers]:
        """A well-formed record of an event that may make no sense at all."""
        if self._rng.random() < 0.7:
            real = self._codec.decode(self._rng.choice(self._real[log]).value)
            event = self._changed(real)
        else:
            event_type: Any = self._rng.choice(log.events)
            event = event_type.from_record(self._of_record(schema_of_event(event_type)))
        out = record_for(
            log, event, produced(event, source="/hostile", id=self._word()), self._codec
        )
        value = self._beyond(event, out.value) if self._rng.random() < 0.25 else out.value
        return out.key, value, cast(Headers, list(out.headers))

    def _beyond(self, event: Event, value: bytes) -> bytes:
        """The same event, with decimals of any size: a client may write what no schema allows."""
        body = BytesIO()
        schemaless_writer(body, _without_precision(type(event)), self._huge(event.to_record()))
        return value[:_PREFIX_BYTES] + body.getvalue()

    def _huge(self, value: Any) -> Any:  # noqa: ANN401 - what a record is made of
        match value:
            case Decimal():
                unscaled = (2 ** self._rng.randrange(58, 252)) + self._rng.randrange(-1, 2)
                return Decimal(unscaled * self._rng.choice((1, -1))).scaleb(-6, _WIDE)
            case dict():
                return {name: self._huge(member) for name, member in value.items()}
            case list() | tuple():
                return [self._huge(member) for member in value]
            case _:
                return value

    def _changed(self, event: Event) -> Event:
        fields = schema_of_event(type(event))["fields"]
        record = event.to_record()
        for field in self._rng.sample(fields, min(len(fields), self._rng.randrange(1, 4))):
            record[field["name"]] = self._of(field["type"])
        return cast(Event, cast(Any, EVENT_TYPES[event.FULL_NAME]).from_record(record))

    def _of_record(self, schema: Schema) -> dict[str, Any]:
        return {field["name"]: self._of(field["type"]) for field in schema["fields"]}

    def _of(self, avro_type: AvroType) -> Any:  # noqa: ANN401 - whatever the schema says
        rng = self._rng
        if isinstance(avro_type, list):
            return self._of(rng.choice(avro_type))
        primitive: dict[str, Callable[[], Any]] = {
            "null": lambda: None,
            "string": self._word,
            "int": lambda: max(-(2**31), min(2**31 - 1, rng.choice(_INTS))),
            "long": lambda: rng.choice(_INTS),
            "double": lambda: rng.choice(_FLOATS),
            "boolean": lambda: rng.random() < 0.5,
            "bytes": lambda: self._bytes_or_none() or b"",
        }
        if isinstance(avro_type, str):
            return primitive[avro_type]()
        match avro_type.get("logicalType", avro_type["type"]):
            case "timestamp-millis":
                return rng.choice(_TIMES)
            case "decimal":
                return rng.choice(_DECIMALS)
            case "record":
                return self._of_record(avro_type)
            case _:
                return [self._of(avro_type["items"]) for _ in range(rng.randrange(4))]

    def _word(self) -> str:
        return self._rng.choice(_WORDS)

    def _name(self) -> str:
        own = ("ce_id", "ce_type", "ce_time", "ce_cause", "ce_correlationid", "ce_subject")
        return self._rng.choice((*own, self._word(), "\ud800", "x-correlation", "schema.guid"))

    def _bent(self, value: bytes) -> bytes:
        """Some of its bytes replaced, taken out, or repeated."""
        rng = self._rng
        at = rng.randrange(len(value) + 1)
        to = min(len(value), at + rng.randrange(1, 9))
        middle = rng.choice((b"", rng.randbytes(to - at), value[at:to] * rng.randrange(2, 9)))
        return value[:at] + middle + value[to:]

    def _bytes_or_none(self) -> bytes | None:
        rng = self._rng
        match rng.randrange(5):
            case 0:
                return None
            case 1 if self._parts:
                return rng.choice(self._parts)
            case 2:
                return self._word().encode()
            case 3:
                return b"\0" + rng.randbytes(rng.randrange(30))
            case _:
                return rng.randbytes(rng.randrange(40))
