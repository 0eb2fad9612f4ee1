from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.invoicing.periods import LATEST_MS, PERIODS, label, period_at


def ms(*date: int) -> int:
    return int(datetime(*date, tzinfo=UTC).timestamp()) * 1000  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("period", "start", "end", "name"),
    [
        ("hour", ms(2024, 2, 29, 17), ms(2024, 2, 29, 18), "2024-02-29T17"),
        ("day", ms(2024, 2, 29), ms(2024, 3, 1), "2024-02-29"),
        ("week", ms(2024, 2, 26), ms(2024, 3, 4), "2024-W09"),
        ("month", ms(2024, 2, 1), ms(2024, 3, 1), "2024-02"),
    ],
)
def test_the_periods_of_a_leap_day(period: str, start: int, end: int, name: str) -> None:
    assert period_at(period, ms(2024, 2, 29, 17, 30)) == (start, end)
    assert label(period, start) == name


def test_december_ends_with_the_year() -> None:
    assert period_at("month", ms(2024, 12, 31)) == (ms(2024, 12, 1), ms(2025, 1, 1))


@given(period=st.sampled_from(PERIODS), at=st.integers(0, LATEST_MS))
def test_periods_hold_their_moments_and_follow_each_other(period: str, at: int) -> None:
    start, end = period_at(period, at)
    assert start <= at < end
    assert period_at(period, end - 1) == (start, end)
    assert period_at(period, start) == (start, end)
    if end <= LATEST_MS:
        assert period_at(period, end)[0] == end


def test_an_unknown_period_is_named() -> None:
    with pytest.raises(ValueError, match="'year' is not a billing period"):
        period_at("year", 0)
