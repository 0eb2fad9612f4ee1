"""Stretches of event time, in milliseconds since the epoch, UTC, end not included."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from streams.quantities import DAY_MS, HOUR_MS

MINUTE_MS = 60_000
QUARTER_MS = HOUR_MS // 4

MAX_SLICES = 48
"""A clock that jumps two days or more gives hours for two days and one long slice for the rest."""

MAX_JUMP_MS = 366 * DAY_MS
"""A clock that jumps further is broken: nobody is billed for more than a year of its jump, and what
is left out is counted."""


def hourly(start: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut [start, end) at the hours: at most MAX_SLICES pieces that join without gap or overlap."""
    end = min(end, start + MAX_JUMP_MS)
    for _ in range(MAX_SLICES - 1):
        if start >= end:
            return
        cut = min(end, floor_to(start, HOUR_MS) + HOUR_MS)
        yield start, cut
        start = cut
    if start < end:
        yield start, end


def beyond_jump_ms(start: int, end: int) -> int:
    """How much of [start, end) is in none of its pieces."""
    return max(0, end - start - MAX_JUMP_MS)


def floor_to(at: int, step_ms: int) -> int:
    return at // step_ms * step_ms


def union_ms(intervals: Iterable[tuple[int, int]]) -> int:
    """How long at least one of them holds; one that ends before it starts counts nothing."""
    whole = 0
    until: int | None = None
    for start, end in sorted(intervals):
        new_from = start if until is None else max(start, until)
        if end > new_from:
            whole += end - new_from
            until = end
    return whole


def covers(
    intervals: Iterable[tuple[int, int]], start: int, end: int, most_gap_ms: int = 0
) -> bool:
    """Whether intervals, in ascending order of start, leave no longer gap in [start, end)."""
    for interval_start, interval_end in intervals:
        if interval_start > start + most_gap_ms:
            return False
        start = max(start, interval_end)
        if start >= end:
            return True
    return start + most_gap_ms >= end
