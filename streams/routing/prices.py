"""The prices that routing keeps, and those in force by the site's clock.

Which of several is in force is `streams.prices`, which are refused `streams.site_rules`, which are
kept `streams.site_memory`. Several settlement points are not told apart: a site has one.
"""

from __future__ import annotations

from typing import Literal

from streams.prices import Price, in_force, without_past
from streams.routing.state import State
from streams.site_memory import with_price

Series = Literal["power_prices", "hashprices"]


def remember(state: State, series: Series, price: Price) -> None:
    state.journal.set(state, series, with_price(getattr(state, series), price, state.now))
    bring_into_force(state)


def bring_into_force(state: State) -> None:
    """Set the prices in force now, and forget those they replaced."""
    if state.now is not None:
        _advance(state, "power_prices", "power_price_micros", state.now)
        _advance(state, "hashprices", "hashprice_micros", state.now)


def _advance(state: State, series: Series, in_force_name: str, now: int) -> None:
    known: list[Price] = getattr(state, series)
    kept = without_past(known, now)
    if len(kept) != len(known):
        state.journal.set(state, series, kept)
    price = in_force(kept, now)
    micros = None if price is None else price.micros
    if getattr(state, in_force_name) != micros:
        state.journal.set(state, in_force_name, micros)
