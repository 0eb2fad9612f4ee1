"""Which prices a site keeps, whatever comes in whatever order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.quantities import DAY_MS
from streams.site_memory import with_price, without_past
from streams.site_rules import PRICE_HORIZON_DAYS, price_refusal

MOST = 4
starts = st.integers(0, 9) | st.integers(0, 12 * DAY_MS)
moves = st.lists(st.tuples(st.sampled_from(["price", "price", "tick"]), starts), max_size=40)


@given(moves)
def test_the_nearest_prices_are_kept(moves: list[tuple[str, int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("streams.site_rules.MAX_PRICES", MOST)
        patch.setattr("streams.site_memory.MAX_PRICES", MOST)
        kept: list[int] = []
        now: int | None = None
        for move, at in moves:
            before = kept
            if move == "tick":
                now = max(at, now or 0)
                kept = without_past(kept, now, int)
            elif (refusal := price_refusal(kept, at, now, int)) is None:
                kept = with_price(kept, at, now, int)
                assert set(before) - set(kept) <= past(before, now) | {max([*before, at])}
            elif refusal.reason == "price_too_far_ahead":
                assert now is not None
                assert at > now + PRICE_HORIZON_DAYS * DAY_MS
            else:
                assert len(kept) == MOST
                assert at > kept[-1]
            assert kept == sorted(set(kept))
            assert len(kept) <= MOST
            assert len(past(kept, now)) <= 1, "of the past, the price in force"


def past(kept: list[int], now: int | None) -> set[int]:
    return set() if now is None else {start for start in kept if start <= now}
