from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.metering.intervals import (
    MAX_JUMP_MS,
    MAX_SLICES,
    beyond_jump_ms,
    covers,
    hourly,
    union_ms,
)
from streams.quantities import HOUR_MS


@given(start=st.integers(0, 10**13), length=st.integers(0, 100 * HOUR_MS))
def test_slices_join_without_gap_or_overlap(start: int, length: int) -> None:
    slices = list(hourly(start, start + length))
    assert len(slices) <= MAX_SLICES
    assert sum(end - begin for begin, end in slices) == length
    assert all(end == begin for (_, end), (begin, _) in itertools.pairwise(slices))
    assert all(begin < end for begin, end in slices)


def test_slices_are_cut_at_the_hours() -> None:
    half = HOUR_MS // 2
    assert list(hourly(half, 2 * HOUR_MS + half)) == [
        (half, HOUR_MS),
        (HOUR_MS, 2 * HOUR_MS),
        (2 * HOUR_MS, 2 * HOUR_MS + half),
    ]


def test_a_long_jump_ends_in_one_long_slice() -> None:
    slices = list(hourly(0, 1000 * HOUR_MS))
    assert slices[-1] == ((MAX_SLICES - 1) * HOUR_MS, 1000 * HOUR_MS)


def test_a_broken_clock_bills_a_year_at_most() -> None:
    assert list(hourly(0, 10**14))[-1][1] == MAX_JUMP_MS
    assert beyond_jump_ms(0, 10**14) == 10**14 - MAX_JUMP_MS
    assert beyond_jump_ms(5, 5 + MAX_JUMP_MS) == beyond_jump_ms(9, 5) == 0


@given(st.lists(st.tuples(st.integers(-20, 20), st.integers(-20, 20)), max_size=6))
def test_a_union_counts_each_millisecond_once(intervals: list[tuple[int, int]]) -> None:
    held = {ms for start, end in intervals for ms in range(start, end)}
    assert union_ms(intervals) == len(held)


@pytest.mark.parametrize(
    ("intervals", "covered"),
    [
        ([(0, 10), (10, 20)], True),
        ([(0, 10), (5, 8), (10, 25)], True),
        ([(0, 10), (11, 20)], False),
        ([(6, 20)], False),
        ([(0, 19)], False),
        ([], False),
    ],
)
def test_cover(intervals: list[tuple[int, int]], covered: bool) -> None:
    assert covers(intervals, 5, 20) is covered
