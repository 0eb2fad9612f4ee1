"""The figures that a reader of this field checks first."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from gateway.profitability import BY_MODE, UnitProfitability, mining_revenue, per_mwh, profitability


def prices(power: str | None, hashprice: str | None) -> dict[str, Any]:
    return {
        "site_id": "alpha",
        "now": None,
        "gpu_prices": [{"gpu_model": "H100", "price_usd_per_gpu_hour": "2.35"}],
        "price_usd_per_mwh": None if power is None else Decimal(power),
        "hashprice_usd_per_ph_day": None if hashprice is None else Decimal(hashprice),
    }


def unit(kind: str, model: str, power_w: int, hashrate_ths: int) -> dict[str, Any]:
    off = {"mode": "off", "power_w": 0, "hashrate_ths": 0}
    on = {"mode": "on", "power_w": power_w, "hashrate_ths": hashrate_ths}
    return {"site_id": "alpha", "kind": kind, "model": model, "units": 3, "modes": [off, on]}


H100 = unit("gpu", "H100", 700, 0)
S21 = unit("asic", "S21", 3500, 200)


def listed(models: list[dict[str, Any]], in_force: list[dict[str, Any]]) -> list[UnitProfitability]:
    return profitability(models, in_force, limit=100, after=None).items


def test_an_h100_at_2_35_an_hour_earns_3357_a_megawatt_hour() -> None:
    (found,) = listed([H100], [prices("50", "38.2")])
    assert found.revenue_usd_per_hour == Decimal("2.35")
    assert found.revenue_usd_per_mwh is not None
    assert round(found.revenue_usd_per_mwh) == 3357
    assert found.power_cost_usd_per_hour == Decimal("0.035")
    assert found.profit_usd_per_hour == Decimal("2.315")


def test_an_s21_at_38_2_earns_7_64_a_day_and_breaks_even_at_90_95() -> None:
    hourly = mining_revenue(200, Decimal("38.2"))
    assert hourly is not None
    assert round(hourly * 24, 6) == Decimal("7.64")
    assert round(per_mwh(hourly, 3500), 2) == Decimal("90.95")
    (found,) = listed([S21], [prices("90.95", "38.2")])
    assert found.break_even_usd_per_mwh == Decimal("90.952381")
    assert found.profit_usd_per_hour is not None
    assert found.profit_usd_per_hour > 0
    (dearer,) = listed([S21], [prices("90.96", "38.2")])
    assert dearer.profit_usd_per_hour is not None
    assert dearer.profit_usd_per_hour < 0


def test_without_prices_nothing_is_made_up() -> None:
    (found,) = listed([S21], [prices(None, None)])
    assert found.revenue_usd_per_hour is None
    assert found.break_even_usd_per_mwh is None
    assert found.profit_usd_per_hour is None


def test_a_page_at_a_time_gives_every_mode_once() -> None:
    faster = unit("asic", "S21", 3500, 234)
    models, in_force = [H100, S21, faster], [prices("50", "38.2")]
    found: list[UnitProfitability] = []
    after = None
    for _ in range(3):
        page = profitability(models, in_force, limit=1, after=after)
        found += page.items
        after = None if page.next_cursor is None else BY_MODE.decode(page.next_cursor)
    assert after is None
    assert found == listed(models, in_force)
    assert [item.model for item in found] == ["S21", "S21", "H100"]
