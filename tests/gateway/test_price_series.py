from __future__ import annotations

from gateway.price_series import WINDOW_MS, PriceSeries, StrikeRule

USD = 1_000_000


def series(*usd: int) -> PriceSeries:
    """One price for each five-minute window from zero."""
    return PriceSeries((index * WINDOW_MS, price * USD) for index, price in enumerate(usd))


def switches(*usd: int) -> list[tuple[int, bool]]:
    found = StrikeRule().switches(series(*usd), 0, len(usd) * WINDOW_MS)
    return [(moment // WINDOW_MS, on) for moment, on in found]


def test_an_integral_adds_up_the_prices_between_two_moments() -> None:
    prices = PriceSeries([(0, 10), (100, -4), (200, 7)])
    assert prices.integral(100) - prices.integral(0) == 1000
    assert prices.integral(250) - prices.integral(50) == 50 * 10 - 4 * 100 + 50 * 7


def test_the_first_price_holds_before_its_time_and_the_last_for_ever() -> None:
    prices = PriceSeries([(100, 10), (200, 20)])
    assert (prices.at(0), prices.at(100), prices.at(199), prices.at(10_000)) == (10, 10, 10, 20)
    assert prices.integral(100) - prices.integral(0) == 1000


def test_no_price_is_zero() -> None:
    assert PriceSeries([]).at(5) == 0
    assert PriceSeries([]).integral(5) == 0


def test_mining_goes_off_after_two_windows_above_80() -> None:
    assert switches(81, 81, 81) == [(2, False)]
    assert switches(81, 79, 81, 79, 81, 79) == []
    assert switches(80, 80, 80, 80) == []


def test_mining_comes_back_after_four_windows_below_80() -> None:
    assert switches(90, 90, 70, 70, 70, 70, 70) == [(2, False), (6, True)]
    assert switches(90, 90, 70, 70, 70, 90, 70, 70, 70) == [(2, False)]


def test_mining_goes_off_at_once_at_150() -> None:
    assert switches(20, 150, 20, 20, 20, 20, 20) == [(1, False), (6, True)]
    assert switches(20, 149, 20) == []


def test_the_strike_rule_goes_on_where_it_was() -> None:
    usd = (90, 90, 70, 70, 70, 90, 70, 70, 70, 70, 150, 70)
    rule, prices = StrikeRule(), series(*usd)
    found = [
        switch
        for window in range(len(usd))
        for switch in rule.switches(prices, window * WINDOW_MS, (window + 1) * WINDOW_MS)
    ]
    assert [(moment // WINDOW_MS, on) for moment, on in found] == switches(*usd)
