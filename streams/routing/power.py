"""Keeps planned power at or below every limit, at once and without any plan.

Mining goes first, by merit order; only when no mining is left does AI go, the lowest priority
first and of one priority the lowest dollars per watt. Workloads that share a GPU go together,
because only then does its power come back; the most urgent of them speaks for all.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from streams.routing.draft import Draft
from streams.routing.merit_order import Displacement
from streams.routing.state import State, Unit

UNCONFIRMED = "switch_unconfirmed"
"""The alert of an ASIC that did not step down."""


@dataclass(slots=True)
class Shed:
    """What was given up. Money in micro-dollars an hour, power in W."""

    mining_units: int = 0
    mining_w: int = 0
    mining_value: int = 0
    ai_w: int = 0
    ai_revenue: int = 0
    workload_ids: list[str] = field(default_factory=list)


def enforce_limits(draft: Draft, decision_id: str) -> Shed:
    """Bring every feeder under its cap and the site under its limit."""
    state, shed = draft.state, Shed()
    index = state.index
    for feeder_id in sorted(index.feeder_w):
        cap_w = state.feeder_caps_w.get(feeder_id, 0)
        over_w = index.feeder_w[feeder_id] - cap_w
        for unit_id, mode in _shed_mining(state, shed, [feeder_id], over_w):
            draft.assign(state.units[unit_id], mode, "cap", decision_id)
        _shed_ai(draft, shed, feeder_id, index.feeder_w[feeder_id] - cap_w, "cap")
    reason = "curtailment" if index.limit_w < state.power_cap_w else "cap"
    over_w = index.site_w - index.limit_w
    for unit_id, mode in _shed_mining(state, shed, sorted(index.mining), over_w):
        draft.assign(state.units[unit_id], mode, reason, decision_id)
    _shed_ai(draft, shed, None, index.site_w - index.limit_w, reason)
    return shed


def over_a_limit(state: State) -> bool:
    index = state.index
    return index.site_w > index.limit_w or any(
        power_w > state.feeder_caps_w.get(feeder_id, 0)
        for feeder_id, power_w in index.feeder_w.items()
    )


def unconfirmed_w(state: State) -> int:
    """What ASICs that did not step down may draw beyond what is planned for them."""
    beyond_w = 0
    for key in state.alerts:
        kind, _, unit_id = key.partition("/")
        if kind == UNCONFIRMED:
            unit = state.units[unit_id]
            beyond_w += greatest_w(unit) - unit.planned_w
    return beyond_w


def greatest_w(unit: Unit) -> int:
    return max(mode.power_w for mode in unit.modes.values())


def _shed_mining(
    state: State, shed: Shed, feeders: list[str], over_w: int
) -> list[tuple[str, str]]:
    if over_w <= 0:
        return []
    plan = Displacement(state)
    if plan.take(feeders, over_w) > over_w:
        plan.trim({}, over_w)
    shed.mining_units += len(plan.modes())
    shed.mining_w += plan.freed_w
    shed.mining_value += plan.lost_value
    return plan.modes()


@dataclass(slots=True)
class _Group:
    """Workloads that free power only together."""

    group_id: str
    workload_ids: list[str]
    priority: int
    revenue: int
    power_w: int = 0


def _shed_ai(draft: Draft, shed: Shed, feeder_id: str | None, over_w: int, reason: str) -> None:
    if over_w <= 0:
        return
    taken: list[_Group] = []
    freed_w = 0
    for group in _groups(draft.state, feeder_id):
        if freed_w >= over_w:
            break
        taken.append(group)
        freed_w += group.power_w
    for group in reversed(taken):
        if freed_w - group.power_w >= over_w:
            freed_w -= group.power_w
            continue
        shed.ai_w += group.power_w
        shed.ai_revenue += group.revenue
        for workload_id in group.workload_ids:
            shed.workload_ids.append(workload_id)
            draft.requeue(draft.state.workloads[workload_id], reason)


def _groups(state: State, feeder_id: str | None) -> list[_Group]:
    """What runs on the feeder (or the site), what goes first first."""
    groups: dict[str, _Group] = {}
    for unit in state.units.values():
        if not unit.loads or feeder_id not in (None, unit.feeder_id):
            continue
        workload_ids = sorted(unit.loads)
        group = groups.get(workload_ids[0])
        if group is None:
            together = [state.workloads[known] for known in workload_ids]
            group = _Group(
                workload_ids[0],
                workload_ids,
                priority=max(workload.priority for workload in together),
                revenue=sum(workload.revenue_micros_per_hour for workload in together),
            )
            groups[group.group_id] = group
        group.power_w += unit.planned_w
    powered = [group for group in groups.values() if group.power_w > 0]
    return sorted(
        powered,
        key=lambda group: (
            group.priority,
            group.revenue * 1_000_000 // group.power_w,
            group.group_id,
        ),
    )
