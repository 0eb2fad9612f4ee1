"""Carries out what still fits of a power plan: first every step down, then the steps up, the most
terahashes per watt first, each only under every limit as it stands then."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from schemas.events.decisions import Alternative
from schemas.events.sites import PowerPlanApplied, PowerPlanProposed
from streams.routing.draft import Draft
from streams.routing.economics import mining_value
from streams.routing.explanation import money
from streams.routing.index import usable
from streams.routing.merit_order import RATIO_SCALE
from streams.routing.state import ASIC, State, Unit


@dataclass(frozen=True, slots=True)
class Change:
    unit: Unit
    mode: str
    added_w: int
    added_ths: int

    @property
    def rank(self) -> tuple[int, str]:
        """The most terahashes for each added watt first, then by id."""
        return (-self.added_ths * RATIO_SCALE // max(self.added_w, 1), self.unit.unit_id)


def apply_plan(draft: Draft, event: PowerPlanProposed) -> None:
    state = draft.state
    skipped: Counter[str] = Counter()
    changes = _changes(state, event, skipped)
    before = site_mining_value(state)
    decision_id = draft.new_id("power_plan", event.plan_id)
    applied: list[Change] = []
    lower = sorted((c for c in changes if c.added_w <= 0), key=lambda c: c.unit.unit_id)
    raise_ = sorted((c for c in changes if c.added_w > 0), key=lambda c: c.rank)
    for change in lower + raise_:
        if change.added_w > 0 and not _fits(state, change):
            skipped["without power under a limit"] += 1
            continue
        draft.assign(change.unit, change.mode, "plan", decision_id)
        applied.append(change)
    reason = ", ".join(f"{count} {why}" for why, count in sorted(skipped.items()))
    _explain(
        draft,
        event=event,
        decision_id=decision_id,
        applied=applied,
        before=before,
        reason=reason,
    )
    draft.emit(
        PowerPlanApplied(
            site_id=state.site_id,
            at=draft.at,
            plan_id=event.plan_id,
            applied=len(applied),
            skipped=skipped.total(),
            reason=reason,
        )
    )


def site_mining_value(state: State) -> int:
    """What mining earns an hour after power, in micro-dollars."""
    index = state.index
    hashrate_ths = sum(
        state.units[key[1]].modes[state.units[key[1]].mode].hashrate_ths
        for steps in index.mining.values()
        for key in steps
    )
    return mining_value(state, hashrate_ths, index.site_w - index.site_ai_w)


def _changes(state: State, event: PowerPlanProposed, skipped: Counter[str]) -> list[Change]:
    changes: list[Change] = []
    seen: set[str] = set()
    for assignment in event.assignments:
        for unit_id in assignment.unit_ids:
            unit = state.units.get(unit_id)
            why = _unfit(state, unit, assignment.mode, unit_id in seen)
            seen.add(unit_id)
            if why is not None:
                skipped[why] += 1
            elif unit is not None and unit.mode != assignment.mode:
                old, new = unit.modes[unit.mode], unit.modes[assignment.mode]
                added_w = new.power_w - old.power_w
                added_ths = new.hashrate_ths - old.hashrate_ths
                changes.append(Change(unit, assignment.mode, added_w, added_ths))
    return changes


def _unfit(state: State, unit: Unit | None, mode: str, repeated: bool) -> str | None:
    if unit is None or unit.kind != ASIC:
        return "not an ASIC of this site"
    if repeated:
        return "named twice"
    if mode not in unit.modes:
        return "without that mode"
    if unit.modes[mode].power_w > 0 and not usable(state, unit):
        return "failed or drained"
    return None


def _fits(state: State, change: Change) -> bool:
    index, feeder_id = state.index, change.unit.feeder_id
    return (
        index.feeder_w.get(feeder_id, 0) + change.added_w <= state.feeder_caps_w[feeder_id]
        and index.site_w + change.added_w <= index.limit_w
    )


def _explain(
    draft: Draft,
    *,
    event: PowerPlanProposed,
    decision_id: str,
    applied: list[Change],
    before: int,
    reason: str,
) -> None:
    state = draft.state
    added_w = sum(change.added_w for change in applied)
    gain = mining_value(state, sum(change.added_ths for change in applied), added_w)
    planned_gain = event.value_usd_micros_per_hour - before
    alternatives = [
        Alternative(
            label="apply what fits" if reason else "apply the whole plan",
            feasible=True,
            reason=f"Skipped: {reason}." if reason else "Every unit of the plan still fits.",
            value_usd_micros_per_hour=gain,
            power_w=added_w,
        ),
        Alternative(
            label="keep the modes",
            feasible=True,
            reason=f"Mining earned {money(before)} an hour after power.",
            value_usd_micros_per_hour=0,
            power_w=0,
        ),
    ]
    if reason:
        told = "Units changed since the plan was made."
        alternatives.append(
            Alternative(
                label="apply the whole plan",
                feasible=False,
                reason=told,
                value_usd_micros_per_hour=planned_gain,
                power_w=added_w,
            )
        )
    bound = event.bound_usd_micros_per_hour - before
    draft.explain(
        decision_id=decision_id,
        kind="power_plan",
        subject=event.plan_id,
        reason=f"{len(applied)} units change mode for {money(gain)} an hour.",
        alternatives=alternatives,
        bound=bound if bound >= gain else None,
    )
