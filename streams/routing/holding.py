"""What is kept for workloads that backfill would keep waiting for ever.

Rule: a workload that has waited for days, lacks units or power now, and would run with nothing else
running, holds what it lacks: nothing that ranks after it gets it. It holds on the days of its wait
whose number has an odd count of binary digits: the 2nd, the 5th to the 8th, the 17th to the 32nd,
and so on. So a hold ends, at most half of the time is held, and since holds double, one of them
outlasts whatever runs: where no run takes more than D days, the first in the queue is placed within
15 D days, and by its 2nd where D is at most a third. A day is `HOLD_AFTER_MS`.

Would run: on units that are in service, under the feeders' caps and the limit in force, at a price
above that of its power. What nobody could run, or what could run if it paid more than the mining,
holds nothing.

Held are the models it could have. If power would be short even with all their units free, held is
power as well: on the feeders of those units, and everywhere when the site's limit is short. Nothing
new starts there, not even on a GPU that runs already, since that would go on drawing. That is more
than it lacks, but what is held can only become free, so a hold takes at most three runs to succeed:
until its units are free, then power on their feeders, then power of the site.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple

from streams.quantities import DAY_MS
from streams.routing.capacity import PowerClass, carried, least_w, most
from streams.routing.economics import power_cost
from streams.routing.index import (
    QueueKey,
    Shape,
    free_by_power,
    shape_of,
    shapes,
    shared_fit,
)
from streams.routing.state import State, revenue_micros

HOLD_AFTER_MS = DAY_MS
MAX_EXAMINED = 256
"""Of those that wait longest, how many are looked at beside the first of each shape. Behind more
than so many, one holds when it is the first of its shape."""
MAX_HOLDERS = 16
"""Who hold at a time. The rest, behind them in the queue, hold when those are placed."""


@dataclass(frozen=True, slots=True)
class Held:
    """Models whose units are held, feeders whose power is, and whether all power of the site is."""

    models: frozenset[str] = frozenset()
    feeders: frozenset[str] = frozenset()
    everywhere: bool = False

    def __or__(self, other: Held) -> Held:
        return Held(
            self.models | other.models,
            self.feeders | other.feeders,
            self.everywhere or other.everywhere,
        )


NOTHING = Held()


class Holder(NamedTuple):
    """The first of a shape that has waited long, and the models it could run on alone."""

    key: QueueKey
    models: tuple[str, ...]
    shape: Shape


def holders(state: State) -> list[Holder]:
    """Those that may hold something now, in the order of the queue, at most `MAX_HOLDERS`."""
    now, waiting = state.now, state.index.waiting
    if now is None or not waiting or now - waiting[0][0] < HOLD_AFTER_MS:
        return []
    alone: dict[str, list[PowerClass]] = {}
    found: list[Holder] = []
    for key, shape in _due(state, now):
        models = tuple(model for model in shape[0] if _runs_alone(state, model, shape, alone))
        if models:
            found.append(Holder(key, models, shape))
        if len(found) == MAX_HOLDERS:
            break
    return found


def is_due(waited_ms: int) -> bool:
    return (waited_ms // HOLD_AFTER_MS).bit_length() % 2 == 1


def _due(state: State, now: int) -> list[tuple[QueueKey, Shape]]:
    """Of each shape the first that is due, in the order of the queue. One that ranks before it and
    has not waited long takes nothing from its hold: it may not stay."""
    found = {shape: keys[0] for shape, keys in shapes(state) if _is_due(state, keys[0], now)}
    for queued_at, workload_id in islice(state.index.waiting, MAX_EXAMINED):
        if now - queued_at < HOLD_AFTER_MS:
            break  # and so are all that follow
        if not is_due(now - queued_at):
            continue
        workload = state.workloads[workload_id]
        shape, key = shape_of(state, workload), workload.queue_key
        found[shape] = min(key, found.get(shape, key))
    return sorted((key, shape) for shape, key in found.items())


def _is_due(state: State, key: QueueKey, now: int) -> bool:
    queued_at = state.workloads[key[2]].queued_at
    return queued_at is not None and is_due(now - queued_at)


def held_by(state: State, holder: Holder) -> Held:
    """What this one holds now: nothing when it lacks neither units nor power."""
    if any(_fits_now(state, model, holder.shape) for model in holder.models):
        return NOTHING
    held = Held(models=frozenset(holder.models))
    for model in holder.models:
        held |= _held_power(state, model, holder.shape[1])
    return held


def held_before(state: State, key: QueueKey) -> Held:
    """What is held for workloads that rank before this key."""
    held = NOTHING
    for holder in holders(state):
        if holder.key < key:
            held |= held_by(state, holder)
    return held


def _runs_alone(state: State, model: str, shape: Shape, alone: dict[str, list[PowerClass]]) -> bool:
    """Whether units in service could run it with nothing else running, for what it pays."""
    _, count, milli = shape
    if model not in alone:
        alone[model] = carried(state.index.ready.get(model, {}), state.feeder_caps_w)
    if most(alone[model], state.index.limit_w) < count:
        return False
    needed_w = least_w(alone[model], count)
    assert needed_w is not None, "as many as that are carried"
    revenue = revenue_micros(state.gpu_prices_micros[model], count, milli)
    return revenue > power_cost(state, needed_w)


def _fits_now(state: State, model: str, shape: Shape) -> bool:
    """Whether units are free and AI leaves power for them; mining makes room if it earns less."""
    _, count, milli = shape
    index = state.index
    if shared_fit(state, model, milli) is not None:
        return True
    if index.free_count.get(model, 0) < count:
        return False
    free = {
        feeder_id: free_by_power(units) for feeder_id, units in index.free.get(model, {}).items()
    }
    powered = carried(free, ai_room_w(state, free))
    return most(powered, index.limit_w - index.site_ai_w) >= count


def _held_power(state: State, model: str, count: int) -> Held:
    """Power that lacks even when every unit of the model is free."""
    index = state.index
    ready, room_w = index.ready[model], ai_room_w(state, index.ready[model])
    own_w = 0
    for feeder_id, by_power in ready.items():
        free = free_by_power(index.free.get(model, {}).get(feeder_id, []))
        running_w = sum(w * (units - free.get(w, 0)) for w, units in by_power.items())
        room_w[feeder_id] += running_w
        own_w += running_w
    site_room_w = index.limit_w - index.site_ai_w + own_w
    if most(carried(ready, room_w), site_room_w) >= count:
        return NOTHING
    held = Held(feeders=frozenset(feeder_id for feeder_id, units in ready.items() if units))
    needed_w = least_w(carried(ready, state.feeder_caps_w), count)
    short = needed_w is None or needed_w > site_room_w
    return replace(held, everywhere=short)


def ai_room_w(state: State, feeders: Mapping[str, object]) -> dict[str, int]:
    """What AI leaves under the caps of these feeders: mining could make room for that much."""
    caps_w, ai_w = state.feeder_caps_w, state.index.feeder_ai_w
    return {feeder: caps_w.get(feeder, 0) - ai_w.get(feeder, 0) for feeder in feeders}
