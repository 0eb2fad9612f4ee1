"""The alternatives of a decision, in words and dollars an hour."""

from __future__ import annotations

from schemas.events.decisions import Alternative
from streams.routing.economics import mining_value
from streams.routing.merit_order import RATIO_SCALE, Displacement
from streams.routing.placement import Option, Search
from streams.routing.state import State, usd

WAIT = "wait in the queue"
MINE = "mine instead"


def alternatives_of(state: State, search: Search) -> list[Alternative]:
    """What a placement chose or could not, waiting, and mining with the same power."""
    chosen = search.chosen
    others = [way for way in search.options if way is not chosen]
    others.sort(key=lambda way: (not way.feasible, -way.value, way.label))
    wait = Alternative(
        label=WAIT,
        feasible=True,
        reason="Earns nothing until something changes." if chosen else search.reason,
        value_usd_micros_per_hour=0,
        power_w=0,
    )
    if chosen is None:
        return [wait, *(_way(option, None) for option in others)]
    mine = _mine(state, chosen)
    told = [_way(chosen, None), wait, *([mine] if mine else [])]
    return told + [_way(option, chosen) for option in others]


def money(amount_micros: int) -> str:
    """Dollars to the cent, for sentences only."""
    sign = "-" if amount_micros < 0 else ""
    return f"{sign}${abs(usd(amount_micros)):.2f}"


def displaced_words(displaced: Displacement) -> str:
    units = len(displaced.modes())
    return (
        f"{units} ASIC{'s' if units > 1 else ''} giving up {displaced.freed_w} W "
        f"worth {money(displaced.lost_value)} an hour"
    )


def _way(option: Option, chosen: Option | None) -> Alternative:
    reason = option.reason
    if chosen is not None and option.feasible:
        reason = f"{reason} It would earn {money(chosen.value - option.value)} an hour less."
    return Alternative(
        label=option.label,
        feasible=option.feasible,
        reason=reason,
        value_usd_micros_per_hour=option.value,
        power_w=option.added_w - (option.displaced.freed_w if option.displaced else 0),
    )


def _mine(state: State, chosen: Option) -> Alternative | None:
    if chosen.displaced is not None:
        return Alternative(
            label=MINE,
            feasible=True,
            reason=f"Keeps the mining: {displaced_words(chosen.displaced)}.",
            value_usd_micros_per_hour=0,
            power_w=0,
        )
    idle = state.index.idle
    if not idle or not chosen.added_w:
        return None
    hashrate_ths = -idle[0][0] * chosen.added_w // RATIO_SCALE
    return Alternative(
        label=MINE,
        feasible=True,
        reason=f"The same power in {idle[0][1]}, the most efficient ASIC that is off.",
        value_usd_micros_per_hour=mining_value(state, hashrate_ths, chosen.added_w),
        power_w=chosen.added_w,
    )
