"""What things earn and cost, in micro-dollars an hour. Unknown prices count as zero."""

from __future__ import annotations

from streams.routing.state import State

THS_HOURS_PER_PH_DAY = 24_000  # 1 PH/s for a day is 24,000 TH/s for an hour
W_PER_MW = 1_000_000


def power_cost(state: State, power_w: int) -> int:
    """What drawing this power costs; negative while the price of power is."""
    return power_w * (state.power_price_micros or 0) // W_PER_MW


def mining_revenue(state: State, hashrate_ths: int) -> int:
    return hashrate_ths * (state.hashprice_micros or 0) // THS_HOURS_PER_PH_DAY


def mining_value(state: State, hashrate_ths: int, power_w: int) -> int:
    """Mining revenue after power; negative when the power costs more than it mines."""
    return mining_revenue(state, hashrate_ths) - power_cost(state, power_w)
