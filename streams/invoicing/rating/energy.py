"""Energy passed through at the settled power price, with an adder.

A negative price is passed through as well: the customer is credited. A price that nobody published
(null) bills the adder alone, in the customer's favour. A tariff without pass-through bills nothing.
"""

from __future__ import annotations

from streams.invoicing.rating.rounding import half_up

WH_PER_MWH = 1_000_000


def amount_usd_micros(
    quantity_wh: int,
    price_usd_micros_per_mwh: int | None,
    *,
    pass_through: bool,
    adder_usd_micros_per_mwh: int,
) -> int:
    if not pass_through:
        return 0
    price = (price_usd_micros_per_mwh or 0) + adder_usd_micros_per_mwh
    return half_up(quantity_wh * price, WH_PER_MWH)
