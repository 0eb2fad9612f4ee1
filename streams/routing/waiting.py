"""The queue: who is placed next.

Order: highest priority, then the order of the log, then id. Nothing is placed before the site's
first tick, because a placement's time is billed and must be the clock's. A workload that does not
fit does not block a later one that does (backfill). Workloads of one shape fit or fail together, so
a pass tries the first of each shape and drops the shape when that fails: every waiting workload is
considered, at the cost of one search for each shape. Bounds of one pass: `MAX_TRIED` searches and
`MAX_PLACED` placements; what is left waits for the next input that starts a pass (every tick of the clock does).
A submission that would fit does not overtake what such a pass left: while units are free for one
that ranks before it, it queues, and a pass places them in order.

Starvation: backfill could keep a large workload waiting for ever. Once one has waited
`HOLD_AFTER_MS` for lack of free units, though enough healthy ones exist, the models it could have
are held: nothing ranked after it gets one of those until it is placed. The price is GPUs that idle
until enough of them are free at once, bounded by the run times of what already runs.
"""

from __future__ import annotations

import heapq

from schemas.events.sites import UnitShare, WorkloadPlaced
from streams.routing.draft import Draft
from streams.routing.explanation import alternatives_of, displaced_words, money
from streams.routing.index import QueueKey, Shape
from streams.routing.placement import Search, could_fit, find_placement
from streams.routing.state import State, Workload, placement_id, usd

MAX_TRIED = 256
MAX_PLACED = 256
HOLD_AFTER_MS = 24 * 3_600_000


def place_waiting(draft: Draft) -> None:
    """Release what can no longer meet its deadline, then place what fits."""
    _expire(draft)
    state = draft.state
    if state.now is None:
        return
    if not any(state.index.free_count.values()) and not any(state.index.shared.values()):
        return
    heads = [(keys[0], shape) for shape, keys in state.index.queue.items()]
    heapq.heapify(heads)
    held: frozenset[str] = frozenset()
    tried = placed = 0
    while heads and tried < MAX_TRIED and placed < MAX_PLACED:
        key, shape = heapq.heappop(heads)
        if could_fit(state, shape):
            tried += 1
            search = find_placement(state, shape, held)
            if search.chosen is not None:
                place(draft, state.workloads[key[2]], search)
                placed += 1
                if shape in state.index.queue:
                    heapq.heappush(heads, (state.index.queue[shape][0], shape))
                continue
        held |= _starving(state, key, shape)


def held_before(state: State, key: QueueKey) -> frozenset[str]:
    """Models held for workloads that rank before this key."""
    held: frozenset[str] = frozenset()
    for shape, keys in state.index.queue.items():
        if keys[0] < key:
            held |= _starving(state, keys[0], shape)
    return held


def may_fit_before(state: State, key: QueueKey) -> bool:
    """Whether units are free for one that ranks before this key: it lacks power, or the last pass
    ended before it was tried."""
    return any(
        keys[0] < key and could_fit(state, shape) for shape, keys in state.index.queue.items()
    )


def place(draft: Draft, workload: Workload, search: Search) -> None:
    """Make room, give the workload its units, and say why."""
    option = search.chosen
    assert option is not None
    state = draft.state
    decision_id = draft.new_id("placement", workload.workload_id)
    alternatives = alternatives_of(state, search)
    reason = f"{option.reason} Net {money(option.value)} an hour"
    if option.displaced is not None:
        reason += f", after {displaced_words(option.displaced)}"
        for unit_id, mode in option.displaced.modes():
            draft.assign(state.units[unit_id], mode, "displaced", decision_id)
    draft.explain(
        decision_id=decision_id,
        kind="placement",
        subject=workload.workload_id,
        reason=f"{reason}.",
        alternatives=alternatives,
    )
    draft.emit(
        WorkloadPlaced(
            site_id=state.site_id,
            at=draft.at,
            workload_id=workload.workload_id,
            placement_id=placement_id(workload.workload_id, workload.attempt + 1),
            customer_id=workload.customer_id,
            gpu_model=option.model,
            gpu_milli=workload.gpu_milli,
            units=tuple(
                UnitShare(unit_id=unit_id, gpu_milli=workload.gpu_milli, power_w=power_w)
                for unit_id, power_w in option.shares
            ),
            duration_s=workload.duration_s,
            attempt=workload.attempt + 1,
            price_usd_per_gpu_hour=usd(state.gpu_prices_micros[option.model]),
            decision_id=decision_id,
        )
    )


def _starving(state: State, key: QueueKey, shape: Shape) -> frozenset[str]:
    """The models to hold for a workload that waited too long for enough units at once."""
    models, count, _ = shape
    workload = state.workloads[key[2]]
    if state.now is None or workload.queued_at is None:
        return frozenset()
    if state.now - workload.queued_at < HOLD_AFTER_MS:
        return frozenset()
    if could_fit(state, shape):
        return frozenset()
    return frozenset(model for model in models if state.index.healthy.get(model, 0) >= count)


def _expire(draft: Draft) -> None:
    """A workload that cannot complete by its deadline any more is worth nothing: let it go."""
    now, latest_starts = draft.state.now, draft.state.index.latest_starts
    while now is not None and latest_starts and latest_starts[0][0] < now:
        workload = draft.state.workloads[latest_starts[0][1]]
        draft.release(workload, "failed", "deadline_passed")
