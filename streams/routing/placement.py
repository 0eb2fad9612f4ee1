"""Where a workload could go, and what each way would earn.

- A shared GPU is packed best-fit: the partly taken unit with the least room that is enough. A whole
  GPU is broken into only when no partly taken one of the model fits.
- Whole GPUs come from one feeder where one has enough, else from the feeders with the most room.
- Power that is missing under a cap is taken from mining, the least valuable first, and what that
  mining earned is charged to the placement.
- A way is feasible when it fits, when the workload pays for its own power, and when it earns more
  than the mining it displaces. Of the feasible ways the one that earns most is chosen; ties go to
  fewer feeders, then to the model and the feeder that come first by name.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

from streams.routing.economics import power_cost
from streams.routing.index import Shape
from streams.routing.merit_order import Displacement
from streams.routing.state import COMPUTE, State
from streams.site_inputs import WHOLE_MILLI

Share = tuple[str, int]
"""(unit, power it would draw)"""


@dataclass(slots=True)
class Option:
    """One way to place a workload. Money in micro-dollars an hour; `value` is against leaving
    things as they are: revenue, less power, less the mining displaced (which frees its power)."""

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
    short_of_units: bool = False

    @property
    def reason(self) -> str:
        """Why nothing was chosen, or why this was."""
        if self.chosen is not None:
            return self.chosen.reason
        if not self.options:
            return "No model that the site sells is within the workload's maximum price."
        return min(self.options, key=lambda option: (option.shares == (), option.label)).reason


def find_placement(state: State, shape: Shape, held: frozenset[str] = frozenset()) -> Search:
    """Consider every model and feeder for a workload of this shape, except the `held` models."""
    models, count, milli = shape
    search = Search(short_of_units=True)
    for model in models:
        if model in held:
            search.options.append(
                Option(model, (), f"{model} is kept for a workload that has waited too long.")
            )
            continue
        found = _options(state, model, count, milli)
        search.short_of_units &= all(not option.shares for option in found)
        search.options += found
    feasible = [option for option in search.options if option.feasible]
    if feasible:
        search.chosen = min(
            feasible, key=lambda way: (-way.value, len(way.feeders), way.model, way.feeders)
        )
    return search


def could_fit(state: State, shape: Shape) -> bool:
    """A cheap necessary condition: enough free units, or room on a shared one."""
    models, count, milli = shape
    index = state.index
    for model in models:
        if index.free_count.get(model, 0) >= count:
            return True
        if milli < WHOLE_MILLI and _shared_fit(state, model, milli) is not None:
            return True
    return False


def _options(state: State, model: str, count: int, milli: int) -> list[Option]:
    revenue = state.gpu_prices_micros[model] * count * milli // WHOLE_MILLI
    if milli < WHOLE_MILLI:
        unit_id = _shared_fit(state, model, milli)
        if unit_id is not None:
            return [_on_shared(state, model, unit_id, revenue)]
    free = state.index.free.get(model, {})
    feeders = sorted(feeder_id for feeder_id, units in free.items() if units)
    total = state.index.free_count.get(model, 0)
    if total < count:
        healthy = state.index.healthy.get(model, 0)
        reason = f"Needs {count} free {model}; {total} of {healthy} healthy ones are free."
        return [Option(model, (), reason, added_w=0, revenue=revenue)]
    single = [feeder_id for feeder_id in feeders if len(free[feeder_id]) >= count]
    options = [
        _weigh(state, model, revenue, {feeder_id: free[feeder_id][:count]}) for feeder_id in single
    ]
    if count > 1 and not any(option.feasible for option in options):
        options.append(_spread(state, model, revenue, count))
    return options


def _shared_fit(state: State, model: str, milli: int) -> str | None:
    shared = state.index.shared.get(model, [])
    position = bisect_left(shared, (milli, ""))
    return shared[position][1] if position < len(shared) else None


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


def _spread(state: State, model: str, revenue: int, count: int) -> Option:
    """Over several feeders: as few as possible, those that can power the most first."""
    roomy: list[tuple[int, str]] = []
    index = state.index
    for feeder_id, units in index.free[model].items():
        room_w = state.feeder_caps_w[feeder_id] - index.feeder_ai_w.get(feeder_id, 0)
        powered = 0
        for power_w, _ in islice(units, count):
            room_w -= power_w
            if room_w < 0:
                break
            powered += 1
        if powered:
            roomy.append((-powered, feeder_id))
    parts: dict[str, list[tuple[int, str]]] = {}
    missing = count
    for negative, feeder_id in sorted(roomy):
        take = min(missing, -negative)
        parts[feeder_id] = index.free[model][feeder_id][:take]
        missing -= take
        if not missing:
            return _weigh(state, model, revenue, parts)
    reason = (
        f"The feeders' caps can power {count - missing} more {model}, even without mining; "
        f"{count} are needed."
    )
    free = sorted(feeder_id for feeder_id, units in index.free[model].items() if units)
    return Option(model, tuple(free), reason, revenue=revenue)


def _weigh(
    state: State, model: str, revenue: int, parts: dict[str, list[tuple[int, str]]]
) -> Option:
    """What taking these free units costs: their power, and the mining that must make room."""
    index = state.index
    needs_w = {feeder_id: sum(w for w, _ in units) for feeder_id, units in parts.items()}
    added_w = sum(needs_w.values())
    option = Option(
        model,
        tuple(sorted(parts)),
        "",
        shares=sorted((unit_id, w) for units in parts.values() for w, unit_id in units),
        added_w=added_w,
        revenue=revenue,
        cost=power_cost(state, added_w),
    )
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
