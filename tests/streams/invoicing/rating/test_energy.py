from __future__ import annotations

import pytest

from streams.invoicing.rating.energy import amount_usd_micros

DOLLAR = 1_000_000


@pytest.mark.parametrize(
    ("quantity", "price", "adder", "amount"),
    [
        (1_000_000, 40 * DOLLAR, 0, 40 * DOLLAR),
        (175, 40 * DOLLAR, 0, 7_000),
        (175, 40 * DOLLAR, 5 * DOLLAR, 7_875),
        (175, -20 * DOLLAR, 0, -3_500),  # the grid pays, so the customer is credited
        (175, None, 5 * DOLLAR, 875),
        (175, None, 0, 0),
        (1, 500_000, 0, 1),  # half a micro-dollar
        (1, -500_000, 0, 0),
        (0, 5_000 * DOLLAR, 0, 0),
    ],
)
def test_passed_through(quantity: int, price: int | None, adder: int, amount: int) -> None:
    found = amount_usd_micros(quantity, price, pass_through=True, adder_usd_micros_per_mwh=adder)
    assert found == amount


def test_without_pass_through_energy_is_in_the_price_of_the_gpu() -> None:
    assert amount_usd_micros(175, 40, pass_through=False, adder_usd_micros_per_mwh=5) == 0
