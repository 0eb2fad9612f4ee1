"""What each kind of unit earns an hour and a megawatt-hour, and where it breaks even. Pure.

An H100 at $2.35/h and 0.7 kW earns $3,357/MWh; an S21 (200 TH/s, 3.5 kW) at a hashprice of
$38.2/PH/day earns $7.64 a day and breaks even at $90.95/MWh.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Literal

from pydantic import BaseModel, Field

from gateway.pages import Key, Order
from gateway.values import Number, Time

Row = Mapping[str, Any]

HOURS_PER_DAY = 24
THS_PER_PHS = 1000
W_PER_MW = 1_000_000
EXACT = Decimal("0.000001")


class UnitProfitability(BaseModel):
    site_id: str
    kind: Literal["gpu", "asic"]
    model: str
    mode: str
    units: int
    power_w: int
    revenue_usd_per_hour: Number | None = Field(description="A GPU sold whole; an ASIC mining")
    revenue_usd_per_mwh: Number | None
    break_even_usd_per_mwh: Number | None = Field(description="Power dearer than this loses money")
    power_cost_usd_per_hour: Number | None = Field(description="At the price in force")
    profit_usd_per_hour: Number | None


class SitePrices(BaseModel):
    site_id: str
    now: Time | None
    power_price_usd_per_mwh: Number | None
    hashprice_usd_per_ph_day: Number | None


class Profitability(BaseModel):
    """`next_cursor` is null on the last page; the prices are those of every site on each page."""

    prices: list[SitePrices]
    items: list[UnitProfitability]
    next_cursor: str | None


# alike: which of the kinds of unit that have the same model and modes of the same name and power.
BY_MODE = Order("profitability", site_id=str, kind=str, model=str, mode=str, power_w=int, alike=int)


def profitability(
    models: Iterable[Row], in_force: Iterable[Row], *, limit: int, after: Key | None
) -> Profitability:
    """models: units by site, model and modes; in_force: prices by site. Off is left out."""
    prices = {row["site_id"]: row for row in in_force}
    rows = _by_mode(row for row in models if row["site_id"] in prices)
    rest = [row for row in rows if after is None or _key(row) > after]
    return Profitability(
        prices=[
            SitePrices(
                site_id=row["site_id"],
                now=row["now"],
                power_price_usd_per_mwh=row["price_usd_per_mwh"],
                hashprice_usd_per_ph_day=row["hashprice_usd_per_ph_day"],
            )
            for row in prices.values()
        ],
        items=[_unit(row, prices[row["site_id"]]) for row in rest[:limit]],
        next_cursor=BY_MODE.next_cursor(rest, limit),
    )


def _by_mode(models: Iterable[Row]) -> list[dict[str, Any]]:
    """A row for each mode that takes power, in the order of the list."""
    rows = [
        {**row, "mode": mode["mode"], "power_w": mode["power_w"], "of": mode}
        for row in models
        for mode in row["modes"]
        if mode["power_w"] > 0
    ]
    names = [name for name in BY_MODE.columns if name != "alike"]
    seen: Counter[Key] = Counter()
    for row in rows:
        same = tuple(row[name] for name in names)
        row["alike"] = seen[same]
        seen[same] += 1
    return sorted(rows, key=_key)


def _key(row: Row) -> Key:
    return tuple(row[name] for name in BY_MODE.columns)


def gpu_revenue(gpu_prices: Iterable[Row], model: str) -> Decimal | None:
    """Dollars an hour at the site's list price."""
    found = [row["price_usd_per_gpu_hour"] for row in gpu_prices if row["gpu_model"] == model]
    return Decimal(str(found[0])) if found else None


def mining_revenue(hashrate_ths: int, hashprice: Decimal | None) -> Decimal | None:
    """Dollars an hour, from dollars a PH/s and day."""
    return None if hashprice is None else hashprice * hashrate_ths / THS_PER_PHS / HOURS_PER_DAY


def per_mwh(usd_per_hour: Decimal, power_w: int) -> Decimal:
    return usd_per_hour * W_PER_MW / power_w


def _unit(row: Row, prices: Row) -> UnitProfitability:
    revenue = (
        gpu_revenue(prices["gpu_prices"], row["model"])
        if row["kind"] == "gpu"
        else mining_revenue(row["of"]["hashrate_ths"], prices["hashprice_usd_per_ph_day"])
    )
    power_w, price = row["power_w"], prices["price_usd_per_mwh"]
    earned = None if revenue is None else per_mwh(revenue, power_w)
    cost = None if price is None else price * power_w / W_PER_MW
    profit = None if revenue is None or cost is None else revenue - cost
    return UnitProfitability(
        site_id=row["site_id"],
        kind=row["kind"],
        model=row["model"],
        mode=row["mode"],
        units=row["units"],
        power_w=power_w,
        revenue_usd_per_hour=_rounded(revenue),
        revenue_usd_per_mwh=_rounded(earned),
        break_even_usd_per_mwh=_rounded(earned),
        power_cost_usd_per_hour=_rounded(cost),
        profit_usd_per_hour=_rounded(profit),
    )


def _rounded(number: Decimal | None) -> Decimal | None:
    return None if number is None else number.quantize(EXACT, ROUND_HALF_UP)
