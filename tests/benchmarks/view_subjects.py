"""A question about a view, and the rows that it is asked of: see views.py."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from gateway.database import Database

DAY = "timestamptz '2022-06-01' AND timestamptz '2022-06-02'"


Ask = Callable[[Database], Awaitable[object]]


@dataclass(frozen=True)
class Subject:
    """tables: with the columns that are not as usual, and how many of the rows each gets, 1 being
    all. questions: view, what is asked of it, the query. asks: what the gateway asks of the tables
    """

    tables: Mapping[str, Mapping[str, str]]
    questions: tuple[tuple[str, str, str], ...]
    asks: Mapping[str, Ask] = field(default_factory=dict)
    share: float = 1.0
    shares: Mapping[str, float] = field(default_factory=dict)


SITE = "site-7"
MONTH = datetime(2022, 6, 1, tzinfo=UTC), datetime(2022, 7, 1, tzinfo=UTC)


def steps(since: str, every: int, length: str) -> dict[str, str]:
    """Intervals of that length, one after the other, of so many rows each."""
    at = f"timestamptz '{since}' + (g / {every}{{}}) * interval '{length}'"
    return {"interval_start": at.format(""), "interval_end": at.format(" + 1")}


def newest(view: str, at: str, key: str) -> tuple[str, str, str]:
    query = f"SELECT * FROM analytics.{view} ORDER BY {at} DESC, {key} DESC LIMIT 100"
    return view, "newest 100 of all sites", query


def day(view: str, at: str, where: str = "site_id = 'site-7'") -> tuple[str, str, str]:
    query = f"SELECT * FROM analytics.{view} WHERE {where} AND {at} BETWEEN {DAY}"
    return view, "a day of one site", query
