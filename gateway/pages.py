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
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, Field

from gateway.endpoints import Query
from gateway.errors import Fault, Invalid
from gateway.values import from_ms

DEFAULT_LIMIT = 100
MAX_LIMIT = 500
MAX_CURSOR = 2000

T = TypeVar("T", bound=BaseModel)
Key = tuple[Any, ...]
Row = dict[str, Any]


class PageQuery(Query):
    cursor: str | None = Field(default=None, description="next_cursor of the page before")
    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="Items in a page")


class Page(BaseModel, Generic[T]):
    """`next_cursor` is null on the last page."""

    items: list[T]
    next_cursor: str | None


class Order:
    """The sort key of one list: column names with their types, unique together."""

    def __init__(self, name: str, **columns: type) -> None:
        self.name = name
        self.columns = columns

    def after(self, query: PageQuery) -> Key | None:
        """Where the page starts: after this key; None is the start.

        Raises Invalid when the cursor is not one of this list.
        """
        return None if query.cursor is None else self._decode(query.cursor)

    def page(self, rows: Sequence[Row], limit: int, item: Callable[[Row], T]) -> Page[T]:
        """From limit + 1 rows, or fewer where the list ends."""
        shown = rows[:limit]
        more = len(rows) > limit
        cursor = self._encode(tuple(shown[-1][name] for name in self.columns)) if more else None
        return Page(items=[item(row) for row in shown], next_cursor=cursor)

    def _encode(self, key: Key) -> str:
        parts = [_micros(part) if isinstance(part, datetime) else part for part in key]
        text = json.dumps([self.name, *parts], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def _decode(self, cursor: str) -> Key:
        try:
            padded = cursor + "=" * (-len(cursor) % 4)
            parts = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
            return self._key(parts)
        except (binascii.Error, ValueError, OverflowError, OSError) as error:
            detail = f"This is not a cursor of the list of {self.name}."
            fault = Fault(detail=detail, parameter="cursor")
            raise Invalid(detail, faults=[fault]) from error

    def _key(self, parts: object) -> Key:
        if not isinstance(parts, list) or len(parts) != len(self.columns) + 1:
            raise ValueError("another shape")
        if parts[0] != self.name:
            raise ValueError("another list")
        return tuple(
            _typed(part, kind) for part, kind in zip(parts[1:], self.columns.values(), strict=True)
        )


def _typed(part: object, kind: type) -> object:
    if kind is datetime and type(part) is int:
        return from_ms(part // 1000).replace(microsecond=part % 1_000_000)
    if kind is str and isinstance(part, str) and part.isprintable():
        return part
    if kind is int and type(part) is int and abs(part) < 2**63:
        return part
    raise ValueError("another type")


def _micros(moment: datetime) -> int:
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
