from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.allocation import allocate

WEIGHTS = st.dictionaries(st.text(max_size=3), st.integers(0, 10**12), max_size=8)


@pytest.mark.parametrize(
    ("total", "weights", "shares"),
    [
        (10, {"a": 1, "b": 1}, {"a": 5, "b": 5}),
        (10, {"c": 1, "a": 1, "b": 1}, {"a": 4, "b": 3, "c": 3}),
        (1, {"b": 500, "a": 500}, {"a": 1, "b": 0}),
        (100, {"a": 2, "b": 1}, {"a": 67, "b": 33}),
        (7, {"a": 0, "b": 3}, {"b": 7}),
        (7, {"a": 0}, {}),
        (7, {}, {}),
        (0, {"a": 1}, {"a": 0}),
    ],
)
def test_shares(total: int, weights: dict[str, int], shares: dict[str, int]) -> None:
    assert allocate(total, weights) == shares


@given(total=st.integers(0, 10**12), weights=WEIGHTS)
def test_nothing_is_lost_and_each_share_is_within_one(total: int, weights: dict[str, int]) -> None:
    shares = allocate(total, weights)
    whole = sum(weights.values())
    assert sum(shares.values()) == (total if whole else 0)
    for sharer, share in shares.items():
        assert abs(share - Fraction(total * weights[sharer], whole)) < 1


@given(total=st.integers(0, 10**6), weights=WEIGHTS)
def test_the_order_of_the_weights_does_not_matter(total: int, weights: dict[str, int]) -> None:
    backwards = dict(reversed(weights.items()))
    assert allocate(total, weights) == allocate(total, backwards)
