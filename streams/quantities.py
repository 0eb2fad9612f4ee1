"""Units of time, and of a GPU, in the integers that events count in."""

from __future__ import annotations

MS_PER_S = 1_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
WHOLE_MILLI = 1000
"""A whole GPU, in thousandths."""
