from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from gateway.site_facts import on_demand_id, power_series, site_facts, terms_book
from gateway.site_hours import ON_DEMAND, Curtailed, Terms
from streams.invoicing import contracts

USD = 1_000_000
HOUR = 3_600_000


def at(hour: int) -> datetime:
    return datetime.fromtimestamp(hour * 3600, UTC)


def contract(contract_id: str, starts: int, usd: str, tariff_id: str = "t") -> dict[str, object]:
    return {
        "customer_id": "c",
        "contract_id": contract_id,
        "starts_at": at(starts),
        "tariff_id": tariff_id,
        "gpu_prices": [{"gpu_model": "H100", "price_usd_per_gpu_hour": usd}],
        "energy_pass_through": False,
        "energy_adder_usd_per_mwh": Decimal(0),
    }


def test_the_lowest_of_the_curtailments_holds() -> None:
    rows = [
        {"starts_at": at(1), "ends_at": at(4), "max_power_w": 900},
        {"starts_at": at(2), "ends_at": at(3), "max_power_w": 500},
        {"starts_at": at(5), "ends_at": at(5), "max_power_w": 1},
    ]
    levels = [
        (moment // HOUR, fact.max_power_w)
        for moment, _, fact in site_facts([], [], rows)
        if isinstance(fact, Curtailed)
    ]
    assert levels == [(1, 900), (2, 500), (3, 900), (4, None)]


@pytest.mark.parametrize("what", ["tariff", "contract"])
def test_what_nobody_signed_has_the_name_that_invoicing_gives_it(what: str) -> None:
    assert on_demand_id("c", what) == contracts.on_demand_id("c", what)


def test_terms_are_those_of_the_contract_that_invoicing_would_choose() -> None:
    default = contract(on_demand_id("c", "contract"), 0, "0.8", on_demand_id("c", "tariff"))
    book = terms_book([contract("b", 5, "3"), default, contract("a", 5, "2")])
    signed = Terms(prices={"H100": 3 * USD}, energy_adder=None)
    assert [book.at("c", hour * HOUR) for hour in (0, 4, 5, 9)] == [
        *(ON_DEMAND, ON_DEMAND),
        *(signed, signed),
    ]
    assert book.at("nobody", 0) == ON_DEMAND
    alone = terms_book([contract("b", 5, "3")])
    assert [alone.at("c", hour * HOUR) for hour in (4, 5)] == [ON_DEMAND, signed]
    assert [begins for begins, _ in alone.changes()] == [5 * HOUR]


def test_energy_without_a_price_costs_nothing() -> None:
    prices = power_series(
        [
            {"starts_at": at(1), "price_usd_per_mwh": Decimal(40)},
            {"starts_at": at(2), "price_usd_per_mwh": Decimal(50)},
            {"starts_at": at(3), "price_usd_per_mwh": None},
            {"starts_at": at(4), "price_usd_per_mwh": Decimal(60)},
            {"starts_at": at(5), "price_usd_per_mwh": None},
        ]
    )
    found = [prices.at(hour * HOUR) // USD for hour in range(6)]
    assert found == [0, 40, 50, 0, 60, 0]
