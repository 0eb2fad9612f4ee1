"""Derived numbers and orders, so that a decision need not look at every unit of the site."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from itertools import islice
from typing import Any

from streams.quantities import HOUR_MS, MS_PER_S, WHOLE_MILLI
from streams.routing.merit_order import RATIO_SCALE, StepKey, next_step
from streams.routing.state import ASIC, COMPUTE, GPU, State, Unit, Workload

QueueKey = tuple[int, int, str]
FreeKey = tuple[int, bool, str]
"""(power, or free thousandths of a shared one; whether its last switch failed; unit)"""
Shape = tuple[tuple[str, ...], int, int]
"""(models it may have, GPUs, thousandths of each): waiting workloads of one shape fit or fail
together."""

OVERDUE = "workload_overdue"
OVERDUE_FACTOR = 2
OVERDUE_AT_LEAST_MS = HOUR_MS
"""A workload is overdue when it has held its units for twice the duration that it stated, and for
an hour at least: its completion may have been lost, and until somebody looks it is billed."""
NO_CLOCK = -1
"""Since when a workload waits that was queued before the first tick."""


class Index:
    """Everything here follows from the state's fields.

    feeder_w, feeder_ai_w, site_w, site_ai_w: planned power
    limit_w: the lowest of the site's cap and the curtailments in force
    free: usable GPUs without any workload, by model and feeder, the least power first and of one
        power those whose last switch failed last
    shared: usable GPUs that are partly taken, by model, the least room first
    fleet: registered GPUs, by model and feeder, counted by power; `ready` the usable ones
    registered, healthy, free_count: GPUs by model; healthy are neither failed nor drained
    mining: the next step down of each ASIC that draws power, by feeder
    idle: usable ASICs that draw nothing, the most efficient first
    queue: waiting workloads by shape: models, then (GPUs, thousandths); `latest_starts` those with
        a deadline, `waiting` all of them, as (since when, workload)
    overdue: placed workloads without an alert, by when there will be one
    """

    def __init__(self, state: State) -> None:
        self.feeder_w: dict[str, int] = {}
        self.feeder_ai_w: dict[str, int] = {}
        self.site_w = 0
        self.site_ai_w = 0
        self.limit_w = limit_w(state)
        self.free: dict[str, dict[str, list[FreeKey]]] = {}
        self.shared: dict[str, list[FreeKey]] = {}
        self.fleet: dict[str, dict[str, dict[int, int]]] = {}
        self.ready: dict[str, dict[str, dict[int, int]]] = {}
        self.registered: dict[str, int] = {}
        self.healthy: dict[str, int] = {}
        self.free_count: dict[str, int] = {}
        self.mining: dict[str, list[StepKey]] = {}
        self.idle: list[tuple[int, str]] = []
        self.queue: dict[tuple[str, ...], dict[tuple[int, int], list[QueueKey]]] = {}
        self.waiting: list[tuple[int, str]] = []
        self.latest_starts: list[tuple[int, str]] = []
        self.overdue: list[tuple[int, str]] = []
        self.remembered: dict[str, int] = {
            old.workload_id: position for position, old in enumerate(state.finished)
        }
        for unit in state.units.values():
            self._count(state, unit)
        for workload in state.workloads.values():
            key = overdue_key(workload)
            if not workload.placed:
                self._queue(state, workload)
            elif key is not None and f"{OVERDUE}/{workload.workload_id}" not in state.alerts:
                insort(self.overdue, key)

    @property
    def queued(self) -> int:
        return len(self.waiting)

    def _count(self, state: State, unit: Unit) -> None:
        self.feeder_w[unit.feeder_id] = self.feeder_w.get(unit.feeder_id, 0) + unit.planned_w
        self.site_w += unit.planned_w
        if unit.kind == GPU:
            ai_w = self.feeder_ai_w.get(unit.feeder_id, 0)
            self.feeder_ai_w[unit.feeder_id] = ai_w + unit.planned_w
            self.site_ai_w += unit.planned_w
            by_power = self.fleet.setdefault(unit.model, {}).setdefault(unit.feeder_id, {})
            power_w = unit.modes[COMPUTE].power_w
            by_power[power_w] = by_power.get(power_w, 0) + 1
            ready = self.ready.setdefault(unit.model, {}).setdefault(unit.feeder_id, {})
            ready[power_w] = ready.get(power_w, 0) + usable(state, unit)
            model = unit.model
            self.registered[model] = self.registered.get(model, 0) + 1
            self.healthy[model] = self.healthy.get(model, 0) + usable(state, unit)
            self.free_count[model] = self.free_count.get(model, 0) + is_free(state, unit)
        if is_idle(state, unit):
            insort(self.idle, idle_key(unit))
        place = self.place_of(state, unit)
        if place is not None:
            insort(*place)

    def place_of(self, state: State, unit: Unit) -> tuple[list[Any], Any] | None:
        """The ordered list that the unit belongs in now, and its key there."""
        ordered: list[Any] | None = None
        key: Any = None
        if unit.kind == ASIC:
            key = next_step(unit, unit.mode)
            if key is not None:
                ordered = self.mining.setdefault(unit.feeder_id, [])
        elif usable(state, unit) and unit.used_milli == 0:
            key = (unit.modes[COMPUTE].power_w, unit.failed_switches > 0, unit.unit_id)
            ordered = self.free.setdefault(unit.model, {}).setdefault(unit.feeder_id, [])
        elif usable(state, unit) and unit.used_milli < WHOLE_MILLI:
            key = (WHOLE_MILLI - unit.used_milli, unit.failed_switches > 0, unit.unit_id)
            ordered = self.shared.setdefault(unit.model, [])
        return None if ordered is None else (ordered, key)

    def _queue(self, state: State, workload: Workload) -> None:
        models, count, milli = shape_of(state, workload)
        keys = self.queue.setdefault(models, {}).setdefault((count, milli), [])
        insort(keys, workload.queue_key)
        insort(self.waiting, waiting_key(workload))
        if workload.deadline is not None:
            insort(self.latest_starts, (latest_start(workload), workload.workload_id))


def overdue_key(workload: Workload) -> tuple[int, str] | None:
    """From when on it is overdue; None while it has no units, or had them before any clock."""
    if not workload.placed or workload.placed_at is None:
        return None
    patience_ms = max(OVERDUE_FACTOR * workload.duration_s * MS_PER_S, OVERDUE_AT_LEAST_MS)
    return (workload.placed_at + patience_ms, workload.workload_id)


def usable(state: State, unit: Unit) -> bool:
    """Whether anything new may be given to the unit."""
    return not unit.failed and not unit.drained and unit.feeder_id in state.feeder_caps_w


def is_free(state: State, unit: Unit) -> bool:
    return unit.kind == GPU and unit.used_milli == 0 and usable(state, unit)


def is_idle(state: State, unit: Unit) -> bool:
    return unit.kind == ASIC and unit.planned_w == 0 and usable(state, unit)


def idle_key(unit: Unit) -> tuple[int, str]:
    """Orders ASICs by the terahashes per watt of their best mode, the highest first."""
    best = max(
        (
            mode.hashrate_ths * RATIO_SCALE // mode.power_w
            for mode in unit.modes.values()
            if mode.power_w > 0
        ),
        default=0,
    )
    return (-best, unit.unit_id)


def shapes(state: State) -> Iterator[tuple[Shape, list[QueueKey]]]:
    """The shapes that wait, in no order, each with its workloads in theirs."""
    for models, sizes in state.index.queue.items():
        for (count, milli), keys in sizes.items():
            yield (models, count, milli), keys


def shared_fit(
    state: State, model: str, milli: int, without: frozenset[str] = frozenset()
) -> str | None:
    """The partly taken GPU with the least room that is enough, on none of these feeders."""
    shared = state.index.shared.get(model)
    if not shared or shared[-1][0] < milli:
        return None
    first = bisect_left(shared, (milli, False, ""))
    if not without:
        return shared[first][2]
    others = (key[2] for key in islice(shared, first, None))
    return next((id_ for id_ in others if state.units[id_].feeder_id not in without), None)


def free_by_power(units: list[FreeKey]) -> dict[int, int]:
    """How many of these free units draw which power."""
    counts: dict[int, int] = {}
    start = 0
    while start < len(units):
        power_w = units[start][0]
        end = bisect_left(units, (power_w + 1, False, ""), start)
        counts[power_w] = end - start
        start = end
    return counts


def waiting_key(workload: Workload) -> tuple[int, str]:
    queued_at = workload.queued_at
    return (NO_CLOCK if queued_at is None else queued_at, workload.workload_id)


def latest_start(workload: Workload) -> int:
    """After this moment the workload cannot complete by its deadline."""
    assert workload.deadline is not None
    return workload.deadline - workload.duration_s * MS_PER_S


def choices(state: State, gpu_model: str | None, max_price_micros: int | None) -> tuple[str, ...]:
    """The models a workload may have: sold here, at a list price it pays."""
    wanted = state.gpu_prices_micros if gpu_model is None else [gpu_model]
    return tuple(
        sorted(
            model
            for model in wanted
            if model in state.gpu_prices_micros
            and (max_price_micros is None or state.gpu_prices_micros[model] <= max_price_micros)
        )
    )


def shape_of(state: State, workload: Workload) -> Shape:
    models = choices(state, workload.gpu_model, workload.max_price_micros)
    return (models, workload.gpu_count, workload.gpu_milli)


def limit_w(state: State) -> int:
    """The lowest of the site's cap and every curtailment in force."""
    lowest_w = state.power_cap_w
    for curtailment in state.curtailments.values():
        if curtailment.in_force(state.now):
            lowest_w = min(lowest_w, curtailment.max_power_w)
    return lowest_w
