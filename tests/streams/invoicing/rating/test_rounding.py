from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.invoicing.rating.rounding import half_up


@pytest.mark.parametrize(
    ("numerator", "denominator", "rounded"),
    [
        (1, 2, 1),
        (-1, 2, 0),
        (3, 2, 2),
        (-3, 2, -1),
        (4, 10, 0),
        (6, 10, 1),
        (-6, 10, -1),
        (0, 7, 0),
    ],
)
def test_a_half_goes_up(numerator: int, denominator: int, rounded: int) -> None:
    assert half_up(numerator, denominator) == rounded


@given(numerator=st.integers(), denominator=st.integers(min_value=1))
def test_it_is_the_floor_of_half_more(numerator: int, denominator: int) -> None:
    exact = Fraction(numerator, denominator) + Fraction(1, 2)
    assert half_up(numerator, denominator) == math.floor(exact)
