"""What routing does when a unit fails, drains, changes or does not switch."""

from __future__ import annotations

from schemas.events.decisions import Alternative
from schemas.events.sites import (
    UnitDrained,
    UnitFailed,
    UnitRecovered,
    UnitRegistered,
    UnitReported,
    UnitSwitched,
)
from streams.routing.draft import Draft
from streams.routing.economics import mining_value
from streams.routing.evolution import SWITCH_FAILING
from streams.routing.power import UNCONFIRMED, greatest_w
from streams.routing.registry import comes_back_different
from streams.routing.retries import MAX_SWITCH_FAILURES, budget_words, loss_of
from streams.routing.state import ASIC, MAX_FAILED_WORKLOADS, OFF, State, Unit, Workload

MAX_FAILED_SWITCHES = 3
"""Failed switches in a row after which a unit is taken for failed."""


def failed(draft: Draft, event: UnitFailed) -> None:
    unit = draft.state.units[event.unit_id]
    detail = f"{unit.unit_id} on {unit.feeder_id} failed: {event.reason or 'no reason given'}."
    draft.raise_alert(unit.unit_id, "unit_failed", "critical", detail)
    _evacuate(draft, unit, "unit_failed", "failed", running_ths(unit))


def recovered(draft: Draft, event: UnitRecovered) -> None:
    for kind in ("unit_failed", SWITCH_FAILING, "unit_suspect", UNCONFIRMED):
        draft.clear_alert(event.unit_id, kind, "The unit recovered.")


def drained(draft: Draft, event: UnitDrained) -> None:
    """Workloads run to their end; an ASIC is turned off."""
    unit = draft.state.units[event.unit_id]
    if unit.kind == ASIC and unit.planned_w:
        _turn_off(draft, unit, "drained", f"{unit.unit_id} is drained.", running_ths(unit))


def changed(draft: Draft, event: UnitRegistered, lost_ths: int) -> None:
    """A unit that came back different is emptied first: its power was planned for what it was, and
    `lost_ths` is what it mined with it."""
    _evacuate(draft, draft.state.units[event.unit_id], "unit_changed", "unit_changed", lost_ths)


def reported(draft: Draft, event: UnitReported) -> None:
    """A degraded unit works on, but somebody should look."""
    if event.health == "degraded":
        detail = f"{event.unit_id} is degraded: {event.detail or 'no detail given'}."
        draft.raise_alert(event.unit_id, "unit_degraded", "warning", detail)
    else:
        draft.clear_alert(event.unit_id, "unit_degraded", "The unit reports ok.")


def switched(draft: Draft, event: UnitSwitched) -> None:
    """A failed switch: the workload tries elsewhere, an ASIC is told to be off.

    After `MAX_FAILED_SWITCHES` in a row the unit counts as failed until it recovers.
    A report about a workload that is no longer on the unit changes only that count. An ASIC that
    did not step down may draw more than is planned for it: that is an alert until a switch
    succeeds, and until then counts against every curtailment.
    """
    if event.succeeded:
        draft.clear_alert(event.unit_id, UNCONFIRMED, "The unit switched.")
        return
    unit = draft.state.units[event.unit_id]
    most_w = greatest_w(unit)
    if unit.kind == ASIC and unit.modes[event.mode].power_w < most_w:
        detail = f"{unit.unit_id} did not switch to {event.mode} and may still draw {most_w} W."
        draft.raise_alert(unit.unit_id, UNCONFIRMED, "critical", detail)
    if event.workload_id in unit.loads:
        _try_elsewhere(draft, draft.state.workloads[event.workload_id], unit, event.reason)
    if unit.failed_switches >= MAX_FAILED_SWITCHES:
        detail = f"{unit.unit_id} failed to switch {unit.failed_switches} times in a row."
        draft.raise_alert(unit.unit_id, SWITCH_FAILING, "critical", detail)
        _evacuate(draft, unit, "unit_failed", "failed", running_ths(unit))
    elif unit.kind == ASIC:
        reason = f"{unit.unit_id} did not switch to {event.mode}."
        _turn_off(draft, unit, "failed", reason, running_ths(unit))


def replaced_ths(state: State, event: UnitRegistered) -> int | None:
    """What a known unit mines until this registration makes it another; None when it does not."""
    if comes_back_different(state, event):
        return running_ths(state.units[event.unit_id])
    return None


def running_ths(unit: Unit) -> int:
    """What the unit mines in its present mode, in TH/s."""
    return unit.modes[unit.mode].hashrate_ths


def suspect(draft: Draft, unit_ids: list[str]) -> None:
    """A unit on which different workloads fail one after the other may be why they do."""
    for unit_id in unit_ids:
        failed = draft.state.units[unit_id].failed_workloads
        if len(failed) >= MAX_FAILED_WORKLOADS:
            told = f"Workloads {', '.join(failed)} failed on {unit_id} and none completed."
            draft.raise_alert(unit_id, "unit_suspect", "warning", told)


def cleared(draft: Draft, unit_ids: list[str]) -> None:
    for unit_id in unit_ids:
        draft.clear_alert(unit_id, "unit_suspect", "A workload completed on it.")


def _try_elsewhere(draft: Draft, workload: Workload, unit: Unit, why: str) -> None:
    failures = workload.switch_failures + 1
    told = f"The hardware did not load it: {why or 'no reason given'}."
    if failures >= MAX_SWITCH_FAILURES:
        _give_up(draft, workload, "switch_failed", f"{failures} times in a row. {told}")
        return
    told += f" That is failure {failures} of {MAX_SWITCH_FAILURES} in a row."
    _explain_requeue(draft, workload, told)
    draft.requeue(workload, "switch_failed", unit.unit_id)


def _evacuate(
    draft: Draft, unit: Unit, requeue_reason: str, mode_reason: str, lost_ths: int
) -> None:
    reason = f"{unit.unit_id} cannot run it ({requeue_reason})."
    # Judged together: the first that leaves must not make the next one look alone.
    workloads = [draft.state.workloads[workload_id] for workload_id in sorted(unit.loads)]
    losses = [loss_of(draft.state, workload, unit) for workload in workloads]
    for workload, loss in zip(workloads, losses, strict=True):
        if requeue_reason != "unit_failed":
            _explain_requeue(draft, workload, reason)
            draft.requeue(workload, requeue_reason)
        elif loss.end is not None:
            _give_up(draft, workload, "units_failed", loss.end)
        else:
            _explain_requeue(draft, workload, f"{reason} {budget_words(workload, loss)}")
            draft.requeue(
                workload,
                requeue_reason,
                unit.unit_id,
                suspect=loss.suspect,
                blamed=loss.blamed,
            )
    if unit.planned_w:
        reason = f"{unit.unit_id} cannot go on ({requeue_reason})."
        _turn_off(draft, unit, mode_reason, reason, lost_ths)


def _turn_off(draft: Draft, unit: Unit, mode_reason: str, reason: str, lost_ths: int) -> None:
    freed_w = unit.planned_w
    decision_id = draft.new_id("unit", unit.unit_id)
    alternatives = [
        Alternative(
            label="turn it off",
            feasible=True,
            reason="Nothing is planned on it until it can work again.",
            value_usd_micros_per_hour=-mining_value(draft.state, lost_ths, freed_w),
            power_w=-freed_w,
        ),
        Alternative(
            label="keep its mode",
            feasible=False,
            reason=reason,
            value_usd_micros_per_hour=0,
            power_w=0,
        ),
    ]
    draft.explain(
        decision_id=decision_id,
        kind="unit",
        subject=unit.unit_id,
        reason=reason,
        alternatives=alternatives,
    )
    draft.assign(unit, OFF, mode_reason, decision_id)


def _explain_requeue(draft: Draft, workload: Workload, reason: str) -> None:
    _explain_loss(draft, workload, reason, "requeue", "Gives its units back and waits for others.")


def _give_up(draft: Draft, workload: Workload, code: str, detail: str) -> None:
    _explain_loss(draft, workload, detail, "give up", "Its retries are used up.")
    draft.release(workload, "failed", code, detail)


def _explain_loss(
    draft: Draft, workload: Workload, reason: str, chosen: str, why_chosen: str
) -> None:
    lost = workload.revenue_micros_per_hour
    decision_id = draft.new_id("requeueing", workload.workload_id)
    alternatives = [
        Alternative(
            label=chosen,
            feasible=True,
            reason=why_chosen,
            value_usd_micros_per_hour=-lost,
            power_w=0,
        ),
        Alternative(
            label="keep running",
            feasible=False,
            reason=reason,
            value_usd_micros_per_hour=0,
            power_w=0,
        ),
    ]
    draft.explain(
        decision_id=decision_id,
        kind="requeueing",
        subject=workload.workload_id,
        reason=reason,
        alternatives=alternatives,
    )
