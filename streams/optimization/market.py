"""What is in force by the site's clock: prices and curtailments.

Which of several prices is in force is `streams.prices`, which are kept `streams.site_memory`.
"""

from __future__ import annotations

from streams.optimization.state import Basis, Curtailment, State
from streams.prices import in_force


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
    return Basis(power_price.micros, hashprice.micros, min(levels_w, default=None))
