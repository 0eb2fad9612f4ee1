"""Which prices a site keeps, whatever comes in whatever order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.prices import MAX_NESTED, Price, in_force, without_past
from streams.quantities import DAY_MS
from streams.site_memory import with_price
from streams.site_rules import PRICE_HORIZON_DAYS, price_refusal

MOST = 4
starts = st.integers(0, 9) | st.integers(0, 12 * DAY_MS)
lengths = st.integers(1, 9) | st.integers(1, DAY_MS)
moves = st.lists(
    st.tuples(st.sampled_from(["price", "price", "tick"]), starts, lengths), max_size=40
)


@given(moves)
def test_the_nearest_prices_are_kept(moves: list[tuple[str, int, int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("streams.site_rules.MAX_PRICES", MOST)
        patch.setattr("streams.site_memory.MAX_PRICES", MOST)
        kept: list[Price] = []
        now: int | None = None
        for number, (move, at, length) in enumerate(moves):
            before = kept
            if move == "tick":
                now = max(at, now or 0)
                kept = without_past(kept, now)
            elif (refusal := price_refusal(kept, at, now)) is None:
                price = Price(at, at + length, number)
                kept = with_price(kept, price, now)
                gone = intervals(before) - intervals(kept)
                furthest = max(intervals([*before, price]))
                assert gone <= intervals(past(before, now)) | {furthest}
            elif refusal.reason == "price_too_far_ahead":
                assert now is not None
                assert at > now + PRICE_HORIZON_DAYS * DAY_MS
            else:
                assert len(kept) == MOST
                assert at > kept[-1].start
            assert [(price.start, price.end) for price in kept] == sorted(intervals(kept))
            assert len(kept) <= MOST


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(1, 30)), max_size=MAX_NESTED),
    st.integers(0, 60),
    st.integers(0, 60),
)
def test_what_is_forgotten_would_never_have_been_in_force_again(
    told: list[tuple[int, int]], now: int, later: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("streams.prices.MAX_CARRY_MS", 7)
        every: list[Price] = []
        for number, (start, length) in enumerate(told):
            every = with_price(every, Price(start, start + length, number), None)
        assert in_force(without_past(every, now), now + later) == in_force(every, now + later)


def intervals(prices: list[Price]) -> set[tuple[int, int]]:
    return {(price.start, price.end) for price in prices}


def past(kept: list[Price], now: int | None) -> list[Price]:
    return [] if now is None else [price for price in kept if price.start <= now]
