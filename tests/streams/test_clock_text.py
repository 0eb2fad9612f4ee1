"""Sentences for people have times that people read."""

from __future__ import annotations

import pytest

from streams.clock_text import utc


@pytest.mark.parametrize(
    ("at_ms", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_717_200_000_000, "2024-06-01T00:00:00Z"),
        (1_717_200_000_007, "2024-06-01T00:00:00.007Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        (253_402_300_800_000, "253402300800000 ms since 1970"),
        (-62_135_596_800_000, "0001-01-01T00:00:00Z"),
        (-62_135_596_800_001, "-62135596800001 ms since 1970"),
        (2**63 - 1, "9223372036854775807 ms since 1970"),
        (-(2**63), "-9223372036854775808 ms since 1970"),
    ],
)
def test_a_moment_is_utc_for_people(at_ms: int, text: str) -> None:
    assert utc(at_ms) == text
