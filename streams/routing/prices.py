"""Which price is in force by the site's clock.

Prices are kept by the start of their interval; a later word for the same start replaces an
earlier one. A price stays in force until the next one starts, so a late market feed means an old
price, not none. Which are refused is `streams.site_rules`, which are kept `streams.site_memory`.
Several settlement points are not told apart: a site has one.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Literal

from streams.routing.state import Price, State
from streams.site_memory import with_price

START = attrgetter("start")
Series = Literal["power_prices", "hashprices"]


def remember(state: State, series: Series, start: int, price_micros: int) -> None:
    price = Price(start=start, micros=price_micros)
    kept = with_price(getattr(state, series), price, state.now, START)
    state.journal.set(state, series, kept)
    bring_into_force(state)


def bring_into_force(state: State) -> None:
    """Set the prices in force now, and forget those they replaced."""
    if state.now is not None:
        _advance(state, "power_prices", "power_price_micros", state.now)
        _advance(state, "hashprices", "hashprice_micros", state.now)


def _advance(state: State, series: Series, in_force: str, now: int) -> None:
    known: list[Price] = getattr(state, series)
    if not known or known[0].start > now:
        return
    count = 1
    while count < len(known) and known[count].start <= now:
        count += 1
    if count > 1:
        state.journal.set(state, series, known[count - 1 :])
    if getattr(state, in_force) != known[count - 1].micros:
        state.journal.set(state, in_force, known[count - 1].micros)
