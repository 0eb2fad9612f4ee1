"""Mining is given up in the order of dollars lost per watt, checked against every combination."""

from __future__ import annotations

from itertools import product

import pytest

from streams.routing.economics import mining_revenue, mining_value
from streams.routing.merit_order import Displacement, next_step
from tests.streams.routing.site import SiteUnderTest, plan, unit


def test_an_s21_earns_what_its_hashprice_says() -> None:
    # 200 TH/s at $38.2/PH/day: $7.64 a day; power at $90.95/MWh takes all of it
    site = SiteUnderTest()
    assert mining_revenue(site.state, 200) * 24 == pytest.approx(7_640_000, abs=24)
    site.state.power_price_micros = 90_952_380
    assert abs(mining_value(site.state, 200, 3_500)) <= 1


def test_the_next_step_is_the_cheapest_per_watt() -> None:
    site = SiteUnderTest()
    modes = {"off": (0, 0), "low": (1_000, 90), "mid": (2_000, 150), "high": (3_500, 200)}
    site.given(unit("a0", "fa", "asic", "S21", modes))
    s21 = site.state.units["a0"]
    assert [step and step[2] for step in (next_step(s21, mode) for mode in modes)] == [
        None,
        "off",
        "low",
        "mid",
    ]


def test_no_other_choice_frees_the_power_for_less() -> None:
    """Steps that each free 500 W: greedy by merit must equal the best of all combinations."""
    rates = {"a0": (9, 30), "a1": (20, 22), "a2": (1, 50), "a3": (25, 26)}
    site = SiteUnderTest()
    for unit_id, (first, second) in rates.items():
        modes = {"off": (0, 0), "eco": (500, second), "normal": (1_000, first + second)}
        site.given(unit(unit_id, "fa", "asic", "S21", modes))
    site.given(plan({"normal": list(rates)}))
    for need_w in range(500, 4_001, 500):
        displaced = Displacement(site.state)
        assert displaced.take(["fa"], need_w) == need_w
        lost = sum(step.lost_ths for step in displaced.steps)
        best = min(
            sum((0, rates[u][0], sum(rates[u]))[down] for u, down in zip(rates, downs, strict=True))
            for downs in product((0, 1, 2), repeat=4)
            if sum(downs) * 500 >= need_w
        )
        assert lost == best, f"for {need_w} W"
