"""What admission, placement, requeueing and release do to workloads, units and the queue."""

from __future__ import annotations

from schemas.events.sites import (
    WorkloadPlaced,
    WorkloadQueued,
    WorkloadReleased,
    WorkloadRequeued,
    WorkloadStarted,
)
from streams.routing.index import OVERDUE, latest_start, overdue_key, shape_of, waiting_key
from streams.routing.registry import run_unit
from streams.routing.state import (
    MAX_FAILED_WORKLOADS,
    MAX_FINISHED,
    REJECTED,
    Finished,
    State,
    Workload,
    digest_of,
    micros,
)


def admit(state: State, event: WorkloadQueued) -> None:
    if event.workload_id in state.workloads:
        return
    price = event.max_price_usd_per_gpu_hour
    workload = Workload(
        workload_id=event.workload_id,
        customer_id=event.customer_id,
        digest=digest_of(event),
        gpu_model=event.gpu_model,
        gpu_count=event.gpu_count,
        gpu_milli=event.gpu_milli,
        duration_s=event.duration_s,
        priority=event.priority,
        deadline=event.deadline,
        max_price_micros=None if price is None else micros(price),
        rank=state.sequence,
        queued_at=state.now,
    )
    state.journal.put(state.workloads, workload.workload_id, workload)
    _enqueue(state, workload)


def begin_to_wait(state: State, now: int) -> None:
    """The first tick: what was queued or placed before there was a clock, was from here on."""
    waiting = [workload for workload in state.workloads.values() if not workload.placed]
    for workload in waiting:
        _change(state, workload, queued_at=now)
    for workload in state.workloads.values():
        if workload.placed:
            _change(state, workload, placed_at=now)
            _watch(state, workload)
    state.journal.set(state.index, "waiting", sorted(map(waiting_key, waiting)))


def place(state: State, event: WorkloadPlaced) -> None:
    workload = state.workloads.get(event.workload_id)
    if workload is None or workload.placed:
        return
    _dequeue(state, workload)
    shares = [share for share in event.units if share.unit_id in state.units]
    for share in shares:
        unit = state.units[share.unit_id]
        loads = {**unit.loads, event.workload_id: share.gpu_milli}
        used_milli = unit.used_milli + share.gpu_milli
        planned_w = unit.planned_w if unit.used_milli else share.power_w
        run_unit(
            state, unit, mode=unit.mode, loads=loads, used_milli=used_milli, planned_w=planned_w
        )
    _change(
        state,
        workload,
        placed=True,
        attempt=event.attempt,
        model=event.gpu_model,
        price_micros=micros(event.price_usd_per_gpu_hour),
        units=[share.unit_id for share in shares],
        placed_at=state.now,
        started=False,
    )
    _watch(state, workload)


def requeue(state: State, event: WorkloadRequeued) -> None:
    workload = state.workloads.get(event.workload_id)
    if workload is None or not workload.placed:
        return
    _vacate(state, workload)
    failures = workload.switch_failures + (event.reason == "switch_failed")
    _change(
        state,
        workload,
        placed=False,
        units=[],
        queued_at=state.now,
        switch_failures=failures,
    )
    if event.reason == "unit_failed":
        _count_loss(state, workload, event)
    _enqueue(state, workload)


def start(state: State, event: WorkloadStarted) -> None:
    workload = state.workloads.get(event.workload_id)
    if workload is not None and workload.placed and workload.placement_id == event.placement_id:
        _change(state, workload, started=True, switch_failures=0)


def release(state: State, event: WorkloadReleased) -> None:
    """Give the units back and remember the id, over the oldest one remembered at the bound; not
    the id of what was rejected."""
    workload = state.workloads.get(event.workload_id)
    if workload is None:
        return
    if workload.placed:
        if event.reason in ("completed", "reported_failed"):
            _remember_outcome(state, workload, event.outcome)
        _vacate(state, workload)
    else:
        _dequeue(state, workload)
    journal, slot = state.journal, state.finished_next
    journal.drop(state.workloads, workload.workload_id)
    if event.outcome == REJECTED:
        return
    if slot < len(state.finished):
        journal.drop(state.index.remembered, state.finished[slot].workload_id)
    journal.assign(
        state.finished,
        slot,
        Finished(
            workload_id=workload.workload_id, digest=workload.digest, attempt=workload.attempt
        ),
    )
    journal.put(state.index.remembered, workload.workload_id, slot)
    journal.set(state, "finished_next", (slot + 1) % MAX_FINISHED)


def _count_loss(state: State, workload: Workload, event: WorkloadRequeued) -> None:
    if not event.suspect:
        _change(state, workload, losses=0, lost_units=[])
        return
    lost_units = workload.lost_units
    if event.blamed and event.unit_id is not None and event.unit_id not in lost_units:
        lost_units = [*lost_units, event.unit_id]
    _change(state, workload, losses=workload.losses + 1, lost_units=lost_units)


def _remember_outcome(state: State, workload: Workload, outcome: str) -> None:
    for unit_id in workload.units:
        unit = state.units[unit_id]
        if outcome == "failed":
            known = [other for other in unit.failed_workloads if other != workload.workload_id]
            kept = [*known, workload.workload_id][-MAX_FAILED_WORKLOADS:]
            state.journal.set(unit, "failed_workloads", kept)
        elif unit.failed_workloads:
            state.journal.set(unit, "failed_workloads", [])


def _watch(state: State, workload: Workload) -> None:
    key = overdue_key(workload)
    if key is not None:
        state.journal.insert(state.index.overdue, key)


def unwatch(state: State, workload: Workload) -> None:
    """Nothing is left to be raised: it gives its units back, or there is an alert."""
    key = overdue_key(workload)
    if key is not None and f"{OVERDUE}/{workload.workload_id}" not in state.alerts:
        state.journal.remove(state.index.overdue, key)


def _vacate(state: State, workload: Workload) -> None:
    unwatch(state, workload)
    for unit_id in workload.units:
        unit = state.units[unit_id]
        loads = {**unit.loads}
        used_milli = unit.used_milli - loads.pop(workload.workload_id)
        planned_w = unit.planned_w if used_milli else 0
        run_unit(
            state, unit, mode=unit.mode, loads=loads, used_milli=used_milli, planned_w=planned_w
        )


def _enqueue(state: State, workload: Workload) -> None:
    journal, index = state.journal, state.index
    models, count, milli = shape_of(state, workload)
    if models not in index.queue:
        journal.put(index.queue, models, {})
    sizes = index.queue[models]
    if (count, milli) not in sizes:
        journal.put(sizes, (count, milli), [])
    journal.insert(sizes[count, milli], workload.queue_key)
    journal.insert(index.waiting, waiting_key(workload))
    if workload.deadline is not None:
        journal.insert(index.latest_starts, (latest_start(workload), workload.workload_id))


def _dequeue(state: State, workload: Workload) -> None:
    journal, index = state.journal, state.index
    models, count, milli = shape_of(state, workload)
    sizes = index.queue[models]
    journal.remove(sizes[count, milli], workload.queue_key)
    if not sizes[count, milli]:
        journal.drop(sizes, (count, milli))
    if not sizes:
        journal.drop(index.queue, models)
    journal.remove(index.waiting, waiting_key(workload))
    if workload.deadline is not None:
        journal.remove(index.latest_starts, (latest_start(workload), workload.workload_id))


def _change(state: State, workload: Workload, **changes: object) -> None:
    for name, value in changes.items():
        state.journal.set(workload, name, value)
