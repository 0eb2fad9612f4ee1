"""The CloudEvents 1.0 envelope in Kafka headers (binary mode), and the cause of an agent's output.

Every attribute is a `ce_` header of UTF-8 text; only the content type has its own name.
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import lru_cache
from typing import cast

from schemas.errors import MalformedEnvelope
from schemas.topics import Event, topic_of

Headers = list[tuple[str, str | bytes | None]]  # as the Kafka client takes them

CONTENT_TYPE = b"application/avro"
_SPEC_VERSION = b"1.0"
_IDS = uuid.UUID("6f1c2a5e-4b0e-5d0a-9b7e-2f0d6c1a8e34")  # namespace for ids that are no UUIDs
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_TIME_MS = 253_402_300_799_999  # the last millisecond of 9999, where RFC 3339 ends
RFC3339 = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}"
    r"(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$"
)
_RFC3339 = re.compile(RFC3339)
MAX_ATTRIBUTE_BYTES = 16 * 1024  # every answer repeats its question's id and correlation id
_READ = frozenset(
    {
        *("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_subject"),
        *("ce_correlationid", "ce_causationid", "ce_cause"),
    }
)
_MOST_OFFSET = 2**63 - 1
_MOST_NUMBER = 2**31 - 1  # of a partition, or an answer


@dataclass(frozen=True, slots=True)
class Cause:
    """The input an agent's output answers, and the output's place among that input's outputs.

    log: topic name without the environment's prefix
    index: from 0, below count
    """

    agent: str
    log: str
    partition: int
    offset: int
    index: int
    count: int

    def __str__(self) -> str:
        where = f"{self.log}:{self.partition}:{self.offset}"
        return f"{self.agent}/{where}/{self.index}/{self.count}"

    @property
    def position(self) -> tuple[int, int]:
        """Rises with every output of one agent for one partition: what readers keep as a mark."""
        return (self.offset, self.index)

    @classmethod
    def parse(cls, text: str) -> Cause:
        """Raises MalformedEnvelope."""
        try:
            agent, where, index, count = text.split("/")
            log, partition, offset = where.rsplit(":", 2)
            cause = cls(agent, log, int(partition), int(offset), int(index), int(count))
        except ValueError:
            raise MalformedEnvelope(f"ce_cause {text!r} is not agent/log:p:offset/i/n") from None
        in_bounds = (
            0 <= cause.partition <= _MOST_NUMBER
            and 0 <= cause.offset <= _MOST_OFFSET
            and 0 <= cause.index < cause.count <= _MOST_NUMBER
        )
        if not agent or not log or not in_bounds:
            raise MalformedEnvelope(f"ce_cause {text!r} names no possible output")
        return cause


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who said what about whom, when, and because of what.

    time_ms: event time, milliseconds since 1970 UTC
    causation_id: the `id` of the event this one answers; None for a producer's own
    cause: None for a producer's event
    """

    id: str
    source: str
    type: str
    time_ms: int
    subject: str
    correlation_id: str
    causation_id: str | None = None
    cause: Cause | None = None

    def to_headers(self) -> Headers:
        headers: Headers = [
            ("ce_specversion", _SPEC_VERSION),
            ("ce_id", self.id.encode()),
            ("ce_source", self.source.encode()),
            ("ce_type", self.type.encode()),
            ("ce_time", rfc3339(self.time_ms).encode()),
            ("ce_subject", self.subject.encode()),
            ("content-type", CONTENT_TYPE),
            ("ce_correlationid", self.correlation_id.encode()),
        ]
        if self.causation_id is not None:
            headers.append(("ce_causationid", self.causation_id.encode()))
        if self.cause is not None:
            headers.append(("ce_cause", str(self.cause).encode()))
        return headers

    @classmethod
    def from_headers(cls, headers: Sequence[tuple[str, str | bytes | None]] | None) -> Envelope:
        """Raises MalformedEnvelope. A header given twice counts as its last value.

        Headers of other names are their owners' business: they are not even looked at.

        What CloudEvents does not demand, a producer may leave out: the subject, and the correlation
        id, which is then the id. The time it must give.
        """
        found: dict[str, str] = {}
        for name, value in headers or ():
            if name in _READ and isinstance(value, bytes):
                found[name] = _text(name, value)
        if found.get("ce_specversion") != "1.0":
            raise MalformedEnvelope("no CloudEvents 1.0 headers (ce_specversion)")
        try:
            cause = found.get("ce_cause")
            return cls(
                id=_present(found, "ce_id"),
                source=_present(found, "ce_source"),
                type=_present(found, "ce_type"),
                time_ms=from_rfc3339(_present(found, "ce_time")),
                subject=found.get("ce_subject", ""),
                correlation_id=found.get("ce_correlationid") or found["ce_id"],
                causation_id=found.get("ce_causationid"),
                cause=None if cause is None else Cause.parse(cause),
            )
        except KeyError as missing:
            raise MalformedEnvelope(f"no {missing.args[0]} header") from None


def produced(
    event: Event, *, source: str, id: str | None = None, correlation_id: str | None = None
) -> Envelope:
    """The envelope of an event that a producer reports.

    id: stable on retry; a random UUID when None
    correlation_id: the id when None, so that everything that follows can be found by it
    """
    event_id = id or str(uuid.uuid4())
    return Envelope(
        id=event_id,
        source=source,
        type=event.FULL_NAME,
        time_ms=event.at,
        subject=subject_of(event),
        correlation_id=correlation_id or event_id,
    )


def answered(event: Event, *, agent: str, version: str, input: Envelope, cause: Cause) -> Envelope:
    """The envelope of an agent's output: the same for the same input, however often it is made."""
    return Envelope(
        id=output_id(input.id, cause),
        source=f"{source_prefix(agent)}{version}",
        type=event.FULL_NAME,
        time_ms=event.at,
        subject=subject_of(event),
        correlation_id=input.correlation_id,
        causation_id=input.id,
        cause=cause,
    )


def output_id(input_id: str, cause: Cause) -> str:
    """Of the input's place as well: two inputs that reuse an id have answers of different ones."""
    place = f"{cause.log}:{cause.partition}:{cause.offset}"
    return str(uuid.uuid5(_namespace(input_id), f"{cause.agent}/{place}/{cause.index}"))


def former_output_id(input_id: str, cause: Cause) -> str:
    """What agents gave their answers before places counted; such answers stay on the logs."""
    return str(uuid.uuid5(_namespace(input_id), f"{cause.agent}/{cause.index}"))


def source_prefix(agent: str) -> str:
    """What the `ce_source` of each of the agent's outputs begins with; its version follows."""
    return f"/hcp/agents/{agent}/"


def subject_of(event: Event) -> str:
    """The most specific id in the event, else its key."""
    return cast(str, getattr(event, _subject_field(type(event))))


def moment_of(text: object) -> datetime:
    """What people and their programs send for a time: an RFC 3339 text with a zone, nothing else.

    Stricter than `from_rfc3339`: no number, and no text of digits, is taken for seconds since 1970.
    Raises ValueError with a sentence.
    """
    if not isinstance(text, str) or not _RFC3339.fullmatch(text):
        raise ValueError("Must be an RFC 3339 time with a zone, such as 2024-05-08T12:00:00Z")
    return datetime.fromisoformat(text.upper())


@lru_cache(maxsize=1024)
def rfc3339(time_ms: int) -> str:
    """Raises MalformedEnvelope for a time that has no RFC 3339 form."""
    if not 0 <= time_ms <= MAX_TIME_MS:
        raise MalformedEnvelope(f"{time_ms} ms is not a time between 1970 and 9999")
    seconds, ms = divmod(time_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{ms:03d}Z"


@lru_cache(maxsize=1024)
def from_rfc3339(text: str) -> int:
    """Milliseconds since 1970; finer digits are cut off. Raises MalformedEnvelope."""
    try:
        moment = datetime.fromisoformat(text)
        since = moment - _EPOCH
    except (ValueError, TypeError):
        raise MalformedEnvelope(f"ce_time {text!r} is not an RFC 3339 time with a zone") from None
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


_SUBJECTS = (
    *("usage_id", "invoice_id", "alert_id", "curtailment_id", "plan_id", "workload_id", "unit_id"),
    *("contract_id", "tariff_id", "feeder_id", "decision_id", "subject", "settlement_point"),
)


@lru_cache(maxsize=256)
def _subject_field(event_type: type[Event]) -> str:
    required = {field.name for field in fields(event_type) if field.type == "str"}
    return next((name for name in _SUBJECTS if name in required), topic_of(event_type).key_field)


@lru_cache(maxsize=1024)
def _namespace(input_id: str) -> uuid.UUID:
    try:
        return uuid.UUID(input_id)
    except ValueError:
        return uuid.uuid5(_IDS, input_id)


def _text(name: str, value: bytes) -> str:
    if len(value) > MAX_ATTRIBUTE_BYTES:
        raise MalformedEnvelope(
            f"{name} has {len(value)} bytes, more than the {MAX_ATTRIBUTE_BYTES} an attribute may"
        )
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise MalformedEnvelope(f"the {name} header is not UTF-8 text") from None


def _present(found: dict[str, str], name: str) -> str:
    if not found[name]:
        raise MalformedEnvelope(f"the {name} header is empty")
    return found[name]
