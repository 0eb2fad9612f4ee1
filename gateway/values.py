"""Values as the API writes them: money, time, identifiers, numbers of record.

Integers inside (micro-dollars), decimal strings outside; times RFC 3339 in UTC with a `Z`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    Field,
    PlainSerializer,
    StringConstraints,
)

from schemas.envelope import MAX_TIME_MS, RFC3339, moment_of

MICROS = 1_000_000
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_INTEGER = re.compile(r"-?[0-9]+")


class Money(BaseModel):
    """An amount of money, exact to the micro-dollar."""

    amount: str = Field(pattern=r"^-?\d+\.\d{6}$", examples=["12.345678"])
    currency: Literal["USD"]


def money(usd_micros: int) -> Money:
    sign = "-" if usd_micros < 0 else ""
    dollars, micros = divmod(abs(usd_micros), MICROS)
    return Money(amount=f"{sign}{dollars}.{micros:06d}", currency="USD")


def optional_money(usd_micros: int | None) -> Money | None:
    return None if usd_micros is None else money(usd_micros)


def rfc3339(moment: datetime) -> str:
    """UTC with `Z`; milliseconds only where there are any."""
    utc = moment.astimezone(UTC)
    precision = "milliseconds" if utc.microsecond else "seconds"
    return utc.isoformat(timespec=precision).replace("+00:00", "Z")


def plain(number: Decimal) -> str:
    """A decimal without exponent or trailing zeros: 2.350000 is 2.35."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def from_ms(moment_ms: int) -> datetime:
    return datetime.fromtimestamp(moment_ms // 1000, UTC).replace(
        microsecond=moment_ms % 1000 * 1000
    )


def to_ms(moment: datetime) -> int:
    """Milliseconds since the epoch, exact (datetime.timestamp() is a float)."""
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


def _on_the_logs_scale(moment: datetime) -> datetime:
    """In UTC: an offset can carry a moment of 1970 or 9999 out of what a log can hold."""
    if not 0 <= to_ms(moment) <= MAX_TIME_MS:
        raise ValueError("Must be from 1970 to 9999, in UTC")
    return moment


def _from_rfc3339(given: object) -> object:
    return given if isinstance(given, datetime) else moment_of(given)


def _from_decimal(given: object) -> object:
    """pydantic would take 1_0, other scripts' digits, and spaces around a number."""
    if isinstance(given, str) and _NUMBER.fullmatch(given):
        return Decimal(given)
    if isinstance(given, int | float) and not isinstance(given, bool):
        return Decimal(repr(given))  # as it was written, as far as a double can tell
    if isinstance(given, Decimal):
        return given
    raise ValueError("Must be a decimal number in the digits 0 to 9")


def _ascii_integer(given: object) -> object:
    if isinstance(given, str) and not _INTEGER.fullmatch(given):
        raise ValueError("Must be a whole number in the digits 0 to 9")
    return given


def _true_or_false(given: object) -> object:
    if isinstance(given, str) and given not in ("true", "false"):
        raise ValueError("Must be true or false")
    return given


def is_storable(text: str) -> bool:
    """Whether PostgreSQL's text can hold it, and so a row can have it for a name."""
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


Time = Annotated[
    AwareDatetime,
    PlainSerializer(rfc3339, return_type=str, when_used="json"),
    Field(json_schema_extra={"format": "date-time"}),
]
Moment = Annotated[
    AwareDatetime,
    AfterValidator(_on_the_logs_scale),
    BeforeValidator(_from_rfc3339),
    Field(json_schema_extra={"pattern": RFC3339}),
]
# Of query parameters, which are text.
Whole = Annotated[int, BeforeValidator(_ascii_integer)]
Flag = Annotated[bool, BeforeValidator(_true_or_false)]
# Of bodies: a number, or the same number as text.
DecimalNumber = Annotated[Decimal, BeforeValidator(_from_decimal)]
Number = Annotated[
    Decimal,
    PlainSerializer(plain, return_type=str, when_used="json"),
    Field(description="A decimal number as a string", examples=["38.2"]),
]
# Text that PostgreSQL, Avro and a terminal all take: no control characters.
Text = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")
]
Identifier = Annotated[
    str, StringConstraints(max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@-]*$")
]
