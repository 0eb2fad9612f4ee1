"""Units of time, and of a GPU, in the integers that events count in."""

from __future__ import annotations

MS_PER_S = 1_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
WHOLE_MILLI = 1000
"""A whole GPU, in thousandths."""
MAX_LONG = 2**63 - 1
"""The largest number that an event carries. A state keeps no larger one either."""


def counted(total: int, more: int) -> int:
    """A count for operators, which stops at `MAX_LONG`."""
    return min(total + more, MAX_LONG)
