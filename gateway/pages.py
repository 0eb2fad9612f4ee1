"""Cursor pagination: a cursor is the sort key of the last item, opaque to the caller.

It names its list, so one list's cursor is refused by another, and each part is typed, so nothing
in it reaches a query unchecked.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, Field, field_validator

from gateway.endpoints import Query
from gateway.values import Whole, from_ms, is_storable

DEFAULT_LIMIT = 100
MAX_LIMIT = 500
MAX_CURSOR = 16_000  # PostgreSQL's longest sort key, in JSON and base64, several times over

T = TypeVar("T", bound=BaseModel)
Key = tuple[Any, ...]
Row = dict[str, Any]


class Int32(int):
    """A column that is narrower than a cursor's numbers."""


class Order:
    """The sort key of one list: column names with their types, unique together."""

    def __init__(self, name: str, **columns: type) -> None:
        self.name = name
        self.columns = columns

    def after(self, query: PageQuery) -> Key | None:
        """Where the page starts: after this key; None is the start."""
        return None if query.cursor is None else self.decode(query.cursor)

    def page(self, rows: Sequence[Row], limit: int, item: Callable[[Row], T]) -> Page[T]:
        """From limit + 1 rows, or fewer where the list ends."""
        shown = rows[:limit]
        return Page(items=[item(row) for row in shown], next_cursor=self.next_cursor(rows, limit))

    def next_cursor(self, rows: Sequence[Row], limit: int) -> str | None:
        """As page, for answers that are more than a list."""
        if len(rows) <= limit:
            return None
        last = rows[limit - 1]
        key = [last[name] for name in self.columns]
        parts = [_micros(part) if isinstance(part, datetime) else part for part in key]
        text = json.dumps([self.name, *parts], separators=(",", ":"), ensure_ascii=False)
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def decode(self, cursor: str) -> Key:
        """Raises ValueError with a sentence when the cursor is not one of this list."""
        try:
            padded = cursor + "=" * (-len(cursor) % 4)
            parts = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
            return self._key(parts)
        except (binascii.Error, ValueError, OverflowError, OSError, RecursionError):
            raise ValueError(f"This is not a cursor of the list of {self.name}.") from None

    def _key(self, parts: object) -> Key:
        if not isinstance(parts, list) or len(parts) != len(self.columns) + 1:
            raise ValueError("another shape")
        if parts[0] != self.name:
            raise ValueError("another list")
        return tuple(
            _typed(part, kind) for part, kind in zip(parts[1:], self.columns.values(), strict=True)
        )


class PageQuery(Query):
    """The query of one list: a subclass says which, so that a cursor of another is a fault."""

    order: ClassVar[Order]

    cursor: str | None = Field(
        default=None,
        max_length=MAX_CURSOR,
        description="next_cursor of the page before, of the same list",
        json_schema_extra={"pattern": "^[A-Za-z0-9_-]+={0,2}$"},
    )
    limit: Whole = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="Items in a page")

    @field_validator("cursor")
    @classmethod
    def _is_of_this_list(cls, cursor: str | None) -> str | None:
        if cursor is not None:
            cls.order.decode(cursor)
        return cursor


class Page(BaseModel, Generic[T]):
    """`next_cursor` is null on the last page."""

    items: list[T]
    next_cursor: str | None


def _typed(part: object, kind: type) -> object:
    if kind is datetime and type(part) is int:
        return from_ms(part // 1000).replace(microsecond=part % 1_000_000)
    if kind is str and isinstance(part, str) and is_storable(part):
        return part
    if kind in BITS and type(part) is int and abs(part) < 2 ** (BITS[kind] - 1):
        return part
    raise ValueError("another type")


BITS: dict[type, int] = {int: 64, Int32: 32}


def _micros(moment: datetime) -> int:
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
