"""Billing periods: hours, days, weeks from Monday, months, in UTC. Times are ms since the epoch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from streams.quantities import DAY_MS, HOUR_MS

WEEK_MS = 7 * DAY_MS
MONDAY_MS = -3 * DAY_MS  # the epoch was a Thursday

PERIODS = ("hour", "day", "week", "month")
LATEST_MS = 253_370_764_800_000
"""The year 9999, after which a calendar here has no months."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LABELS = {"hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m"}


def period_at(period: str, at: int) -> tuple[int, int]:
    """Start and end of the period that holds `at`. Raises ValueError on an unknown period."""
    match period:
        case "hour":
            return _whole(at, HOUR_MS, 0)
        case "day":
            return _whole(at, DAY_MS, 0)
        case "week":
            return _whole(at, WEEK_MS, MONDAY_MS)
        case "month":
            return _month(at)
    raise ValueError(f"{period!r} is not a billing period; one of {', '.join(PERIODS)} is")


def label(period: str, start: int) -> str:
    """For people: 2024-03-01T07, 2024-03-01, 2024-W09 or 2024-03."""
    return f"{_date(start):{_LABELS[period]}}"


def _whole(at: int, length_ms: int, origin: int) -> tuple[int, int]:
    start = (at - origin) // length_ms * length_ms + origin
    return start, start + length_ms


def _month(at: int) -> tuple[int, int]:
    first = _date(at).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    following = (first + timedelta(days=31)).replace(day=1)
    return _ms(first), _ms(following)


def _date(at: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=at)


def _ms(date: datetime) -> int:
    return (date - _EPOCH) // timedelta(milliseconds=1)
