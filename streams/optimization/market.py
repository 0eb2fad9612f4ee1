"""What is in force by the site's clock: prices and curtailments.

A price is in force from its start until the next one starts, so a late market feed means an old
price, not none. A price announced for later does not count before its time. Which are kept is
`streams.site_rules`.
"""

from __future__ import annotations

from bisect import bisect_right
from operator import attrgetter

from streams.optimization.state import Basis, Curtailment, Price, State

START = attrgetter("start")


def in_force(known: list[Price], now: int) -> int | None:
    """Micro-dollars; None before the first price's time."""
    begun = bisect_right(known, now, key=START)
    return known[begun - 1].micros if begun else None


def open_curtailments(known: dict[str, Curtailment], now: int) -> dict[str, Curtailment]:
    return {name: asked for name, asked in known.items() if asked.ends_at > now}


def basis_of(state: State) -> Basis | None:
    """None while a price or the time is not known yet: advice would be a guess."""
    if state.now is None or state.power_cap_w is None:
        return None
    now = state.now
    power_price = in_force(state.power_prices, now)
    hashprice = in_force(state.hashprices, now)
    if power_price is None or hashprice is None:
        return None
    levels_w = [
        asked.max_power_w
        for asked in state.curtailments.values()
        if not asked.lifted and asked.starts_at <= now < asked.ends_at
    ]
    return Basis(power_price, hashprice, min(levels_w, default=None))
