from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.errors import DataInvalid
from simulators.market import HOUR_MS, hashprice, hashprice_walk, power_prices
from simulators.scenario import Hashprice

START_MS = 1_715_126_400_000
SERIES = "ercot_rt_spp_hb_hubavg_2024"
FIRST = Hashprice(difficulty=152 * 10**12, btc_price_usd=Decimal(91_000), fees_sats=2_000_000)


@pytest.mark.parametrize(
    ("difficulty", "fees_sats", "btc_price_usd", "dollars"),
    [
        (152 * 10**12, 2_000_000, "91000", "37.88"),
        (152 * 10**12, 0, "91000", "37.64"),
        (76 * 10**12, 2_000_000, "91000", "75.75"),
        (152 * 10**12, 2_000_000, "45500", "18.94"),
    ],
)
def test_hashprice_formula(
    difficulty: int, fees_sats: int, btc_price_usd: str, dollars: str
) -> None:
    found = hashprice(difficulty, fees_sats, Decimal(btc_price_usd))
    assert found.quantize(Decimal("0.01")) == Decimal(dollars)
    assert found.as_tuple().exponent == -6


def test_break_even_of_an_s21_is_about_ninety_dollars() -> None:
    revenue_per_day = hashprice(152 * 10**12, 2_000_000, Decimal(91_000)) * Decimal("0.2")
    assert Decimal(89) < revenue_per_day / Decimal("0.0035") / 24 < Decimal(92)


@given(
    difficulty=st.integers(10**12, 10**15),
    fees_sats=st.integers(0, 10**9),
    cents=st.integers(100, 10**8),
)
def test_hashprice_is_the_exact_ratio(difficulty: int, fees_sats: int, cents: int) -> None:
    found = hashprice(difficulty, fees_sats, Decimal(cents) / 100)
    numerator = 10**15 * 86_400 * (312_500_000 + fees_sats) * cents
    exact = Fraction(numerator, difficulty * 2**32 * 10**10)
    assert abs(Fraction(found) - exact) <= Fraction(1, 2 * 10**6)


def test_walk_starts_where_the_scenario_says_and_is_the_same_again() -> None:
    once = list(hashprice_walk(FIRST, START_MS, START_MS + 400 * HOUR_MS))
    again = list(hashprice_walk(FIRST, START_MS, START_MS + 400 * HOUR_MS))
    assert once == again
    assert [point.interval_start for point in once] == [START_MS + n * HOUR_MS for n in range(400)]
    assert (once[0].difficulty, once[0].fees_sats) == (FIRST.difficulty, FIRST.fees_sats)
    assert once[0].hashprice_usd_per_ph_day.quantize(Decimal("0.01")) == Decimal("37.88")


def test_a_longer_walk_begins_with_the_shorter_one() -> None:
    short = list(hashprice_walk(FIRST, START_MS, START_MS + 10 * HOUR_MS))
    long = list(hashprice_walk(FIRST, START_MS, START_MS + 100 * HOUR_MS))
    assert long[:10] == short


def test_difficulty_changes_each_fortnight_only() -> None:
    points = list(hashprice_walk(FIRST, START_MS, START_MS + 700 * HOUR_MS))
    changed = [n for n in range(1, 700) if points[n].difficulty != points[n - 1].difficulty]
    assert changed == [336, 672]


@given(seed=st.integers(0, 10**9))
def test_the_walk_stays_positive(seed: int) -> None:
    wild = FIRST.model_copy(
        update={
            "btc_price_volatility_ppm": 100_000,
            "difficulty_volatility_ppm": 150_000,
            "fees_volatility_ppm": 300_000,
            "seed": seed,
        }
    )
    for point in hashprice_walk(wild, START_MS, START_MS + 48 * HOUR_MS):
        assert point.difficulty > 0
        assert point.btc_price_usd > 0
        assert point.fees_sats >= 0


def test_power_prices_are_the_files() -> None:
    prices = power_prices(SERIES, "HB_HUBAVG", START_MS, START_MS + HOUR_MS)
    assert [price.interval_start - START_MS for price in prices] == [
        0,
        900_000,
        1_800_000,
        2_700_000,
    ]
    assert prices[0].price_usd_per_mwh.as_tuple().exponent in (-2, -1, 0)


def test_prices_beyond_the_file_are_refused() -> None:
    end_of_data = 1_727_740_800_000  # 2024-10-01
    with pytest.raises(DataInvalid, match="4 of the 5 prices of HB_HUBAVG"):
        power_prices(SERIES, "HB_HUBAVG", end_of_data - HOUR_MS, end_of_data + 900_000)
