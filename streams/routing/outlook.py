"""What the shapes that wait can hope for, so that a pass searches only where it may find.

Everything here is a necessary condition of a placement, and exact enough that what passes nearly
always is one: how many free units power could carry, even without mining, and what the least of
their power costs together with the least that the mining in their way can be worth. What a search
found too little for a whole free GPU is remembered: a smaller share of it pays less.

An outlook is true of one state; placements make a new one necessary.
"""

from __future__ import annotations

from dataclasses import dataclass

from streams.quantities import WHOLE_MILLI
from streams.routing.capacity import carried, most
from streams.routing.economics import power_cost
from streams.routing.holding import Held, ai_room_w
from streams.routing.index import Shape, free_by_power
from streams.routing.merit_order import least_lost_value, least_ratio
from streams.routing.placement import Search
from streams.routing.state import State, revenue_micros

NEVER = WHOLE_MILLI + 1
"""More thousandths than a GPU has."""


@dataclass(slots=True)
class Prospect:
    """Of one model. `room_milli`: the most that is free on a shared GPU; `most`: free units that
    power could carry; `least_milli`: the smallest share that may pay for a whole GPU's power."""

    room_milli: int = 0
    most: int = 0
    least_milli: int = NEVER
    price_micros: int = 0
    least_unit_w: int = 0
    greatest_unit_w: int = 0
    spare_w: int = 0


class Outlook:
    __slots__ = ("_held", "_prospects", "_ratio", "_state")

    def __init__(self, state: State, held: Held) -> None:
        self._state = state
        self._held = held
        self._ratio = least_ratio(state)
        self._prospects: dict[str, Prospect] = {}

    def may_place(self, shape: Shape) -> bool:
        models, count, milli = shape
        for model in models:
            prospect = self._prospects.get(model) or self._look(model)
            if milli <= prospect.room_milli:
                return True
            if count == 1:
                if milli >= prospect.least_milli:
                    return True
            elif count <= prospect.most and self._may_pay(prospect, count, milli):
                return True
        return False

    def is_hopeless(self, models: tuple[str, ...]) -> bool:
        """Whether no shape of these models may be placed."""
        for model in models:
            prospect = self._prospects.get(model) or self._look(model)
            if prospect.room_milli or prospect.least_milli < NEVER or prospect.most > 1:
                return False
        return True

    def learn(self, shape: Shape, search: Search) -> None:
        """Remember for which shares a search found no room, and no whole GPU that is worth it."""
        models, count, milli = shape
        if count > 1 or search.chosen is not None:
            return
        for model in models:
            prospect = self._prospects.get(model) or self._look(model)
            asks = [
                option.asks
                for option in search.options
                if option.model == model and option.asks is not None
            ]
            least_milli = _least_milli(prospect.price_micros, min(asks)) if asks else NEVER
            prospect.room_milli = min(prospect.room_milli, milli - 1)
            prospect.least_milli = max(prospect.least_milli, least_milli)

    def _look(self, model: str) -> Prospect:
        state, index = self._state, self._state.index
        prospect = Prospect(price_micros=state.gpu_prices_micros[model])
        self._prospects[model] = prospect
        if model in self._held.models or self._held.everywhere:
            return prospect
        shared = index.shared.get(model)
        prospect.room_milli = shared[-1][0] if shared else 0
        free = {
            feeder_id: units
            for feeder_id, units in index.free.get(model, {}).items()
            if units and feeder_id not in self._held.feeders
        }
        if not free:
            return prospect
        by_power = {feeder_id: free_by_power(units) for feeder_id, units in free.items()}
        powered = carried(by_power, ai_room_w(state, free))
        prospect.most = most(powered, index.limit_w - index.site_ai_w)
        prospect.least_unit_w = min(units[0][0] for units in free.values())
        prospect.greatest_unit_w = max(units[-1][0] for units in free.values())
        caps_w, feeder_w = state.feeder_caps_w, index.feeder_w
        spare_w = sum(max(0, caps_w[f] - feeder_w.get(f, 0)) for f in free)
        prospect.spare_w = min(spare_w, max(0, index.limit_w - index.site_w))
        if prospect.most:
            asks = self._least_asked(prospect, 1)
            prospect.least_milli = _least_milli(prospect.price_micros, asks)
        return prospect

    def _may_pay(self, prospect: Prospect, count: int, milli: int) -> bool:
        revenue = revenue_micros(prospect.price_micros, count, milli)
        return revenue > self._least_asked(prospect, count)

    def _least_asked(self, prospect: Prospect, count: int) -> int:
        """What so many units cost at least: their power, and mining that earns something."""
        state = self._state
        # with a price below zero the most power costs the least
        unit_w = prospect.least_unit_w
        if (state.power_price_micros or 0) < 0:
            unit_w = prospect.greatest_unit_w
        cost = power_cost(state, count * unit_w)
        missing_w = count * prospect.least_unit_w - prospect.spare_w
        return cost + max(0, least_lost_value(state, self._ratio, missing_w))


def _least_milli(price_micros: int, asks: int) -> int:
    """The smallest share whose revenue is more than that."""
    if price_micros <= 0:
        return 1 if asks < 0 else NEVER
    return min(max(-(-(asks + 1) * WHOLE_MILLI // price_micros), 1), NEVER)
