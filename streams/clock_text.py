"""A moment as people read it, for the sentences of refusals and alerts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MS = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)
_LAST_MS = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)


def utc(at_ms: int) -> str:
    """ISO 8601 in UTC, milliseconds only where there are any. What no calendar has, of the years 1
    to 9999, is said as the number that it is."""
    if not _FIRST_MS <= at_ms <= _LAST_MS:
        return f"{at_ms} ms since 1970"
    at = _EPOCH + timedelta(milliseconds=at_ms)
    precision = "milliseconds" if at.microsecond else "seconds"
    return at.isoformat(timespec=precision).replace("+00:00", "Z")
