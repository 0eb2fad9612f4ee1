"""How often a workload that lost its units is tried again.

| it lost its units because | counts against it |
|---|---|
| a unit failed under it soon after it was placed | yes, up to `MAX_LOSSES` in a row |
| ... and it had started there, alone on it | yes, up to `MAX_UNITS_LOST` different ones in a row |
| the hardware did not load it | yes, up to `MAX_SWITCH_FAILURES` since it last started |
| a unit failed after it had run long | no, and what counted before is forgotten |
| a unit was changed by its operator, a curtailment, a cap | no |

At a bound it ends as `failed`, with the count in the detail. A unit that fails under one workload
after the other is suspect itself: see `streams.routing.units`.
"""

from __future__ import annotations

from typing import NamedTuple

from streams.quantities import HOUR_MS
from streams.routing.state import State, Unit, Workload

SOON_GPU_HOURS = 1_000
"""A GPU fails about once in 50,000 hours: within so many GPU-hours of a placement, by chance, once
in fifty placements, however large the gang."""
MAX_UNITS_LOST = 3
"""Different units, soon and one after the other: by chance once in 125,000."""
MAX_LOSSES = 20
"""Whatever the units, and whether it had started: more than an outage of a rack takes from one that
is placed again on what fails next, so that a small site is not worn down for ever."""
MAX_SWITCH_FAILURES = 5
"""Placements of one workload in a row that its units did not load."""


class Loss(NamedTuple):
    """What a unit's failure means for a workload on it.

    suspect: it counts; blamed: it names the unit as one that the workload took down
    end: the detail that it ends with; None: it is tried again
    """

    suspect: bool
    blamed: bool
    end: str | None


def loss_of(state: State, workload: Workload, unit: Unit) -> Loss:
    if _has_run_long(state, workload):
        return Loss(suspect=False, blamed=False, end=None)
    blamed = workload.started and len(unit.loads) == 1
    lost = dict.fromkeys([*workload.lost_units, *([unit.unit_id] if blamed else [])])
    losses = workload.losses + 1
    end = None
    if len(lost) >= MAX_UNITS_LOST:
        end = f"Units {', '.join(lost)} failed one after the other soon after it started on them."
    elif losses >= MAX_LOSSES:
        end = f"It lost its units {losses} times in a row soon after it was placed on them."
    return Loss(suspect=True, blamed=blamed, end=end)


def budget_words(workload: Workload, loss: Loss) -> str:
    """What is left, for the explanation of a requeue."""
    if not loss.suspect:
        return "It had run long, which does not count against it."
    told = f"That is loss {workload.losses + 1} of {MAX_LOSSES} in a row"
    if loss.blamed:
        told += f", at most {MAX_UNITS_LOST} of them different units that it ran on alone"
    return f"{told}."


def _has_run_long(state: State, workload: Workload) -> bool:
    if state.now is None or workload.placed_at is None:
        return False
    return (state.now - workload.placed_at) * workload.gpu_count >= SOON_GPU_HOURS * HOUR_MS
