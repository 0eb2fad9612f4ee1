"""Which price is in force, for each kind of feed."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.prices import MAX_CARRY_MS, Price, Stretch, in_force, inserted, stretches

MINUTE = 60_000
HOUR = 60 * MINUTE
QUARTER = 15 * MINUTE
FIVE = 5 * MINUTE


def known(*prices: Price) -> list[Price]:
    kept: list[Price] = []
    for price in prices:
        kept = inserted(kept, price)
    return kept


def price(start: int, length: int, micros: int) -> Price:
    return Price(start, start + length, micros)


@pytest.mark.parametrize(
    ("kind", "prices", "found"),
    [
        ("none", [], [(0, HOUR, None)]),
        ("an hour", [price(0, HOUR, 20)], [(0, HOUR, 20)]),
        (
            "five minutes inside an hour, and the hour again after them",
            [price(0, HOUR, 20), price(FIVE, FIVE, 400)],
            [(0, FIVE, 20), (FIVE, 2 * FIVE, 400), (2 * FIVE, HOUR, 20)],
        ),
        (
            "the same when the hour comes late or is repeated",
            [price(FIVE, FIVE, 400), price(0, HOUR, 20), price(0, HOUR, 20)],
            [(0, FIVE, 20), (FIVE, 2 * FIVE, 400), (2 * FIVE, HOUR, 20)],
        ),
        (
            "the first five minutes of the hour are no revision of it",
            [price(0, HOUR, 20), price(0, FIVE, 400)],
            [(0, FIVE, 400), (FIVE, HOUR, 20)],
        ),
        (
            "a settlement fills what dispatch prices leave open",
            [price(0, FIVE, 1), price(2 * FIVE, FIVE, 3), price(0, QUARTER, 2)],
            [(0, FIVE, 1), (FIVE, 2 * FIVE, 2), (2 * FIVE, QUARTER, 3), (QUARTER, HOUR, 3)],
        ),
        (
            "a revision replaces, whatever came in between",
            [price(0, FIVE, 1), price(FIVE, FIVE, 2), price(0, FIVE, 9)],
            [(0, FIVE, 9), (FIVE, HOUR, 2)],
        ),
        (
            "equally long ones that overlap: the latest to start",
            [price(0, HOUR, 1), price(17_000, HOUR, 2)],
            [(0, 17_000, 1), (17_000, HOUR, 2)],
        ),
        (
            "17 s off the grid, with a second between: nothing is lost",
            [price(17_000, QUARTER - 1000, 1), price(17_000 + QUARTER, HOUR, 2)],
            [(0, 17_000, None), (17_000, 17_000 + QUARTER, 1), (17_000 + QUARTER, HOUR, 2)],
        ),
        (
            "a dead feed is believed for an hour",
            [price(-HOUR - QUARTER, QUARTER + FIVE, 5)],
            [(0, FIVE, 5), (FIVE, HOUR, None)],
        ),
        (
            "the last to end is carried, not the last to start",
            [price(-HOUR, HOUR, 7), price(-QUARTER, FIVE, 8)],
            [(0, HOUR, 7)],
        ),
        (
            "of two that end together the finer one is carried",
            [price(-HOUR, HOUR, 7), price(-FIVE, FIVE, 8)],
            [(0, HOUR, 8)],
        ),
        ("negative", [price(0, HOUR, -250_000_000)], [(0, HOUR, -250_000_000)]),
    ],
)
def test_what_is_in_force(
    kind: str, prices: list[Price], found: list[tuple[int, int, int | None]]
) -> None:
    merged: list[Stretch] = []
    for stretch in (Stretch(*each) for each in found):
        if merged and merged[-1].micros == stretch.micros:
            merged[-1] = merged[-1]._replace(end=stretch.end)
        else:
            merged.append(stretch)
    assert stretches(known(*prices), 0, HOUR) == merged, kind


PRICES = st.lists(
    st.builds(price, st.integers(-40, 40), st.integers(1, 30), st.integers(-3, 3)), max_size=12
)


@given(PRICES, st.integers(-50, 50), st.integers(1, 60))
def test_stretches_tile_the_time_with_what_is_in_force(
    prices: list[Price], start: int, length: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("streams.prices.MAX_CARRY_MS", 7)
        kept = known(*prices)
        found = stretches(kept, start, start + length)
        assert (found[0].start, found[-1].end) == (start, start + length)
        for one, following in pairwise(found):
            assert one.end == following.start
            assert one.micros != following.micros
        for stretch in found:
            for at in range(stretch.start, stretch.end):
                now = in_force(kept, at)
                assert stretch.micros == (None if now is None else now.micros)


@given(PRICES, st.randoms(use_true_random=False))
def test_the_order_of_different_intervals_does_not_matter(
    prices: list[Price], random: Random
) -> None:
    shuffled = list({(each.start, each.end): each for each in prices}.values())
    unshuffled = known(*shuffled)
    random.shuffle(shuffled)
    assert known(*shuffled) == unshuffled


def test_the_carry_is_an_hour() -> None:
    assert MAX_CARRY_MS == HOUR
