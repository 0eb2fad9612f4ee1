"""When to advise. The advice itself is `planning.py`, its arithmetic `merit_order.py`."""

from __future__ import annotations

import copy
from typing import get_args

from schemas.events.sites import PowerPlanProposed, SitesEvent
from streams.optimization.evolution import (
    AiChange,
    MarketChange,
    UnitChange,
    apply,
    changed_w,
    is_material,
)
from streams.optimization.planning import plan
from streams.optimization.state import State


def decide(state: State, event: SitesEvent) -> list[PowerPlanProposed]:
    """At most one plan. Other events than those named here never ask for one."""
    if state.power_cap_w is None:
        return []  # nothing is known of the site, so no unit of it either
    if isinstance(event, _CAPACITY):
        if not is_material(state, changed_w(state, event)):
            return []
    elif not isinstance(event, _MARKET):
        return []
    after = _fork(state, event)
    trigger = apply(after, event)
    if trigger is None or after.basis is None:
        return []
    proposed = plan(after, after.basis, trigger)
    return [] if proposed is None else [proposed]


def retain(state: State) -> bool:
    return state.power_cap_w is not None


_CAPACITY = (*get_args(UnitChange), *get_args(AiChange))
_MARKET = get_args(MarketChange)


def _fork(state: State, event: SitesEvent) -> State:
    """A state to look ahead with. Market changes replace what they change; the others do not."""
    fork = copy.copy(state)
    if isinstance(event, _CAPACITY):
        fork.asics = dict(state.asics)
        fork.gpu_feeders = dict(state.gpu_feeders)
        fork.gpus = dict(state.gpus)
        fork.placements = dict(state.placements)
    return fork
