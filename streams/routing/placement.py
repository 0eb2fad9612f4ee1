"""Where a workload could go, and what each way would earn.

- A shared GPU is packed best-fit: the partly taken unit with the least room that is enough. A whole
  GPU is broken into only when no partly taken one of the model fits.
- Whole GPUs come from one feeder where one has enough, else from the feeders with the most room;
  where the site has no power for those, the units that draw least.
- Of units of one power, one whose last switch failed comes last.
- Power that is missing under a cap is taken from mining, the least valuable first, and what that
  mining earned is charged to the placement.
- A way is feasible when it fits, when the workload pays for its own power, and when it earns more
  than the mining it displaces. Of the feasible ways the one that earns most is chosen; ties go to
  fewer units whose last switch failed, then to fewer feeders, then to the model and the feeder that
  come first by name.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from streams.quantities import WHOLE_MILLI
from streams.routing.economics import power_cost
from streams.routing.holding import NOTHING, Held
from streams.routing.index import FreeKey, Shape, shared_fit
from streams.routing.merit_order import Displacement
from streams.routing.state import COMPUTE, State, revenue_micros

Share = tuple[str, int]
"""(unit, power it would draw)"""


@dataclass(slots=True)
class Option:
    """One way to place a workload. Money in micro-dollars an hour; `value` is against leaving
    things as they are: revenue, less power, less the mining displaced (which frees its power).
    `asks`: what the revenue must exceed, as far as it was looked into; None where power lacks."""

    model: str
    feeders: tuple[str, ...]
    reason: str
    feasible: bool = False
    shares: Sequence[Share] = ()
    added_w: int = 0
    revenue: int = 0
    cost: int = 0
    displaced_value: int = 0
    displaced: Displacement | None = None
    asks: int | None = None
    suspects: int = 0

    @property
    def value(self) -> int:
        return self.revenue - self.cost - self.displaced_value

    @property
    def label(self) -> str:
        where = " + ".join(self.feeders) or "any feeder"
        return f"place on {self.model} at {where}"


@dataclass(slots=True)
class Search:
    """Every way considered, and the best that is feasible."""

    options: list[Option] = field(default_factory=list)
    chosen: Option | None = None

    @property
    def reason(self) -> str:
        """Why nothing was chosen, or why this was."""
        if self.chosen is not None:
            return self.chosen.reason
        if not self.options:
            return "No model that the site sells is within the workload's maximum price."
        return min(self.options, key=lambda option: (option.shares == (), option.label)).reason


def find_placement(state: State, shape: Shape, held: Held = NOTHING) -> Search:
    """Consider every model and feeder for a workload of this shape, except what is held."""
    models, count, milli = shape
    search = Search()
    for model in models:
        search.options += _options(state, model, count, milli, held)
    feasible = [option for option in search.options if option.feasible]
    if feasible:
        search.chosen = min(
            feasible,
            key=lambda way: (-way.value, way.suspects, len(way.feeders), way.model, way.feeders),
        )
    return search


def could_fit(state: State, shape: Shape) -> bool:
    """A cheap necessary condition: enough free units, or room on a shared one."""
    models, count, milli = shape
    index = state.index
    for model in models:
        if index.free_count.get(model, 0) >= count:
            return True
        if milli < WHOLE_MILLI and shared_fit(state, model, milli) is not None:
            return True
    return False


def _options(state: State, model: str, count: int, milli: int, held: Held) -> list[Option]:
    if model in held.models:
        return [Option(model, (), f"{model} is kept for a workload that has waited too long.")]
    revenue = revenue_micros(state.gpu_prices_micros[model], count, milli)
    if milli < WHOLE_MILLI and not held.everywhere:
        unit_id = shared_fit(state, model, milli, held.feeders)
        if unit_id is not None:
            return [_on_shared(state, model, unit_id, revenue)]
    free = state.index.free.get(model, {})
    total = state.index.free_count.get(model, 0)
    if total < count:
        healthy = state.index.healthy.get(model, 0)
        reason = f"Needs {count} free {model}; {total} of {healthy} healthy ones are free."
        return [Option(model, (), reason, added_w=0, revenue=revenue)]
    feeders = sorted(feeder_id for feeder_id, units in free.items() if units)
    if held.everywhere or not held.feeders.isdisjoint(feeders):
        feeders = [] if held.everywhere else [f for f in feeders if f not in held.feeders]
        if sum(len(free[feeder_id]) for feeder_id in feeders) < count:
            reason = f"The power of {model} is kept for a workload that has waited too long."
            return [Option(model, (), reason, revenue=revenue)]
    options = [
        _weigh(state, model, revenue, {feeder_id: free[feeder_id][:count]})
        for feeder_id in feeders
        if len(free[feeder_id]) >= count
    ]
    if count > 1 and not any(option.feasible for option in options):
        allowed = {feeder_id: free[feeder_id] for feeder_id in feeders}
        options.append(_spread(state, model, revenue, count, allowed))
    return options


def _on_shared(state: State, model: str, unit_id: str, revenue: int) -> Option:
    unit = state.units[unit_id]
    return Option(
        model,
        (unit.feeder_id,),
        "Fits the least room that is enough on a GPU that already runs, so it adds no power.",
        feasible=True,
        shares=[(unit_id, unit.modes[COMPUTE].power_w)],
        revenue=revenue,
    )


def _spread(
    state: State, model: str, revenue: int, count: int, free: Mapping[str, list[FreeKey]]
) -> Option:
    """Over several feeders: as few as possible, those that can power the most first; where the site
    could not power those, the units that draw least."""
    index = state.index
    powered = {feeder_id: _powered(state, feeder_id, free[feeder_id], count) for feeder_id in free}
    total = sum(len(units) for units in powered.values())
    if total < count:
        reason = (
            f"The feeders' caps can power {total} more {model}, even without mining; "
            f"{count} are needed."
        )
        return Option(model, tuple(free), reason, revenue=revenue)
    parts: dict[str, list[FreeKey]] = {}
    missing = count
    for feeder_id in sorted(powered, key=lambda feeder_id: (-len(powered[feeder_id]), feeder_id)):
        if missing and powered[feeder_id]:
            parts[feeder_id] = powered[feeder_id][:missing]
            missing -= len(parts[feeder_id])
    needed_w = sum(power_w for units in parts.values() for power_w, _, _ in units)
    if needed_w > index.limit_w - index.site_ai_w:
        parts = _leanest(powered, count)
    return _weigh(state, model, revenue, parts)


def _powered(state: State, feeder_id: str, units: list[FreeKey], count: int) -> list[FreeKey]:
    """The first `count` of these units, as far as the feeder can power them without mining."""
    room_w = state.feeder_caps_w[feeder_id] - state.index.feeder_ai_w.get(feeder_id, 0)
    fitting = 0
    for power_w, _, _ in islice(units, count):
        room_w -= power_w
        if room_w < 0:
            break
        fitting += 1
    return units[:fitting]


def _leanest(powered: Mapping[str, Iterable[FreeKey]], count: int) -> dict[str, list[FreeKey]]:
    tagged = ([(key, feeder_id) for key in units] for feeder_id, units in sorted(powered.items()))
    parts: dict[str, list[FreeKey]] = {}
    for key, feeder_id in islice(heapq.merge(*tagged), count):
        parts.setdefault(feeder_id, []).append(key)
    return parts


def _weigh(state: State, model: str, revenue: int, parts: dict[str, list[FreeKey]]) -> Option:
    """What taking these free units costs: their power, and the mining that must make room."""
    index = state.index
    needs_w: dict[str, int] = {}
    shares: list[Share] = []
    suspects = 0
    for feeder_id, units in parts.items():
        needs_w[feeder_id] = sum([power_w for power_w, _, _ in units])
        shares += [(unit_id, power_w) for power_w, _, unit_id in units]
        suspects += sum([suspect for _, suspect, _ in units])
    added_w = sum(needs_w.values())
    option = Option(
        model,
        tuple(sorted(parts)),
        "",
        shares=sorted(shares),
        added_w=added_w,
        revenue=revenue,
        cost=power_cost(state, added_w),
        suspects=suspects,
    )
    if option.revenue > option.cost:  # else no room that is made could make it worth its power
        over_w = {
            feeder_id: index.feeder_w.get(feeder_id, 0) + w - state.feeder_caps_w[feeder_id]
            for feeder_id, w in needs_w.items()
        }
        site_over_w = index.site_w + added_w - index.limit_w
        if site_over_w > 0 or any(w > 0 for w in over_w.values()):
            blocked = _displace(state, option, over_w, site_over_w)
            if blocked:
                option.reason = blocked
                return option
    option.asks = option.cost + max(0, option.displaced_value)
    option.feasible, option.reason = _worth(option)
    return option


def _displace(state: State, option: Option, over_w: dict[str, int], site_over_w: int) -> str | None:
    """Take the missing power from mining; a sentence when there is not enough of it."""
    plan = Displacement(state)
    for feeder_id in sorted(over_w):
        need_w = over_w[feeder_id]
        freed_w = plan.take([feeder_id], need_w)
        if freed_w < need_w:
            short_w = need_w - max(freed_w, 0)
            return f"{feeder_id} lacks {short_w} W under its cap, even without mining."
    still_w = site_over_w - plan.freed_w
    if still_w > 0:
        freed_w = plan.take(sorted(state.index.mining), still_w)
        if freed_w < still_w:
            return (
                f"The site lacks {still_w - freed_w} W under the limit of "
                f"{state.index.limit_w} W, even without mining."
            )
    plan.trim({feeder_id: max(w, 0) for feeder_id, w in over_w.items()}, max(site_over_w, 0))
    option.displaced = plan
    option.displaced_value = plan.lost_value
    return None


def _worth(option: Option) -> tuple[bool, str]:
    if option.revenue <= option.cost:
        return False, "Its power costs at least what the workload pays."
    if option.value <= 0:
        return False, "The mining it would displace earns at least as much after power."
    if option.displaced is not None:
        return True, "Earns more than the mining that makes room for it."
    return True, "Fits under every limit without displacing mining."
