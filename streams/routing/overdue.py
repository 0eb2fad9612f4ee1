"""Alerts about work that is long past the duration it stated.

Nobody is stopped for it: an estimate is no promise, and routing cannot tell a long run from a lost
completion. Bound: `MAX_RAISED` alerts at a tick; the next ones with the ticks after it.
"""

from __future__ import annotations

from itertools import islice

from streams.quantities import HOUR_MS, MS_PER_S
from streams.routing.draft import Draft
from streams.routing.index import OVERDUE, OVERDUE_AT_LEAST_MS, OVERDUE_FACTOR

MAX_RAISED = 256


def raise_overdue(draft: Draft) -> None:
    state = draft.state
    due = [
        workload_id
        for overdue_at, workload_id in islice(state.index.overdue, MAX_RAISED)
        if state.now is not None and overdue_at <= state.now
    ]
    for workload_id in due:
        workload = state.workloads[workload_id]
        assert state.now is not None
        assert workload.placed_at is not None
        held_s = (state.now - workload.placed_at) // MS_PER_S
        told = (
            f"{workload_id} has held {', '.join(workload.units[:3])}"
            f"{' and others' if len(workload.units) > 3 else ''} for {held_s} s and said that it "
            f"would take {workload.duration_s} s: more than {OVERDUE_FACTOR} times that, and "
            f"{OVERDUE_AT_LEAST_MS // HOUR_MS} h. It is billed until it ends."
        )
        draft.raise_alert(None, OVERDUE, "warning", told, workload_id=workload_id)
