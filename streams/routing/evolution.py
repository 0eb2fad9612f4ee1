"""Applies one event that was taken, or that routing wrote, to the state.

Nothing is judged here: what was refused comes as `RefusedInput`. `WorkloadSubmitted` changes
nothing: `WorkloadQueued`, the answer, carries what was asked for. The reported failure of a unit
changes its health; the workloads leave it with the answers. What names something that the state
does not know changes nothing: the version that took it read the log otherwise.
"""

from __future__ import annotations

from collections.abc import Callable

from schemas.events.sites import (
    AlertCleared,
    AlertRaised,
    ClockCorrected,
    CurtailmentLifted,
    CurtailmentMet,
    CurtailmentRequested,
    HashpricePublished,
    HourClosed,
    InputRejected,
    PowerPlanApplied,
    PowerPricePublished,
    SiteConfigured,
    SitesEvent,
    TimePassed,
    UnitDrained,
    UnitFailed,
    UnitModeAssigned,
    UnitRecovered,
    UnitRegistered,
    UnitReported,
    UnitSwitched,
    WorkloadPlaced,
    WorkloadQueued,
    WorkloadRejected,
    WorkloadReleased,
    WorkloadRequeued,
    WorkloadStarted,
    WorkloadSubmitted,
)
from streams.prices import hashprice, power_price
from streams.quantities import MS_PER_S
from streams.refusal import CLOCK_JUMP, RefusedInput
from streams.routing import lifecycle, prices
from streams.routing.index import OVERDUE, Index, limit_w
from streams.routing.registry import change_unit, register, run_unit
from streams.routing.state import GPU, Curtailment, State, micros
from streams.site_memory import MAX_LIFTED

SWITCH_FAILING = "switch_failing"
"""Kind of the alert by which routing says that it takes a unit for failed."""


OWN = (
    AlertCleared,
    AlertRaised,
    CurtailmentMet,
    HourClosed,
    InputRejected,
    PowerPlanApplied,
    UnitModeAssigned,
    WorkloadPlaced,
    WorkloadQueued,
    WorkloadRejected,
    WorkloadReleased,
    WorkloadRequeued,
)
"""What routing wrote itself: no input."""


def evolve(state: State, event: SitesEvent | RefusedInput[SitesEvent]) -> State:
    """The state after one event, changed in place."""
    if isinstance(event, RefusedInput):
        _refuse(state, event)
    elif isinstance(event, OWN):
        apply(state, event)
    else:
        take(state, event)
    return state


def take(state: State, event: SitesEvent) -> None:
    """Apply an input that was taken, and count it."""
    state.journal.set(state, "sequence", state.sequence + 1)
    apply(state, event)


def apply(state: State, event: SitesEvent) -> None:
    """Apply the event in place. Types that carry nothing to remember are ignored."""
    change = CHANGES.get(type(event))
    if change is not None:
        change(state, event)


def _refuse(state: State, refused: RefusedInput[SitesEvent]) -> None:
    """A jump of the clock is remembered, so that a next tick can confirm it. A refused submission
    counts as an input: decisions on the logs are named by that count."""
    if not state.configured:
        return
    match refused.input:
        case TimePassed() as tick if refused.reason == CLOCK_JUMP:
            state.doubted = tick.at
        case WorkloadSubmitted():
            state.sequence += 1
        case _:
            pass


def _configure(state: State, event: SiteConfigured) -> None:
    journal = state.journal
    for name, value in (
        ("configured", True),
        ("configured_at", event.at),
        ("pool", event.pool),
        ("power_cap_w", event.power_cap_w),
        ("feeder_caps_w", {feeder.feeder_id: feeder.power_cap_w for feeder in event.feeders}),
        (
            "gpu_prices_micros",
            {price.gpu_model: micros(price.price_usd_per_gpu_hour) for price in event.gpu_prices},
        ),
    ):
        journal.set(state, name, value)
    journal.set(state, "index", Index(state))
    _offer(state)


def _tick(state: State, event: TimePassed) -> None:
    journal = state.journal
    journal.set(state, "doubted", None)
    if event.at == state.now:
        return
    if state.now is None:
        lifecycle.begin_to_wait(state, event.at)
        if not any(state.index.registered.values()):
            journal.set(state, "registered_at", event.at)
    journal.set(state, "now", event.at)
    journal.set(state, "ticks", state.ticks + 1)
    journal.set(state, "offer_changed", False)
    prices.bring_into_force(state)
    for curtailment_id, curtailment in sorted(state.curtailments.items()):
        if curtailment.ends_at <= event.at:
            journal.drop(state.curtailments, curtailment_id)
    journal.set(state.index, "limit_w", limit_w(state))


def _correct_clock(state: State, event: ClockCorrected) -> None:
    """What waits does so from here on, by the corrected clock; and who registers has time anew."""
    first = state.now is None and not any(state.index.registered.values())
    if first or state.registered_at is not None:
        state.journal.set(state, "registered_at", event.now)
    state.journal.set(state, "now", event.now)
    state.journal.set(state, "doubted", None)
    state.journal.set(state, "ticks", state.ticks + 1)
    lifecycle.begin_to_wait(state, event.now)
    prices.bring_into_force(state)
    state.journal.set(state.index, "limit_w", limit_w(state))


def _request_curtailment(state: State, event: CurtailmentRequested) -> None:
    payment = event.payment_usd_per_mwh
    if event.curtailment_id in state.curtailments:
        return
    curtailment = Curtailment(
        curtailment_id=event.curtailment_id,
        max_power_w=event.max_power_w,
        starts_at=event.starts_at,
        ends_at=event.starts_at + event.duration_s * MS_PER_S,
        payment_micros_per_mwh=0 if payment is None else micros(payment),
    )
    state.journal.put(state.curtailments, event.curtailment_id, curtailment)
    state.journal.set(state.index, "limit_w", limit_w(state))


def _lift_curtailment(state: State, event: CurtailmentLifted) -> None:
    if event.curtailment_id not in state.curtailments:
        return
    state.journal.set(state.curtailments[event.curtailment_id], "lifted", True)
    lifted = [known for known in state.curtailments.values() if known.lifted]
    if len(lifted) > MAX_LIFTED:
        oldest = min(lifted, key=lambda known: (known.ends_at, known.curtailment_id))
        state.journal.drop(state.curtailments, oldest.curtailment_id)
    state.journal.set(state.index, "limit_w", limit_w(state))


def _meet_curtailment(state: State, event: CurtailmentMet) -> None:
    if event.curtailment_id in state.curtailments:
        state.journal.set(state.curtailments[event.curtailment_id], "met", True)


def _price_power(state: State, event: PowerPricePublished) -> None:
    prices.remember(state, "power_prices", power_price(event))


def _price_hash(state: State, event: HashpricePublished) -> None:
    prices.remember(state, "hashprices", hashprice(event))


def _register(state: State, event: UnitRegistered) -> None:
    is_new = event.kind == GPU and event.unit_id not in state.units
    register(state, event)
    if is_new and state.now is not None:
        state.journal.set(state, "registered_at", state.now)
    _offer(state)


def _fail_unit(state: State, event: UnitFailed) -> None:
    if event.unit_id in state.units:
        change_unit(state, state.units[event.unit_id], failed=True)
        _offer(state)


def _recover_unit(state: State, event: UnitRecovered) -> None:
    """Ends a failure. A drain is the operator's and outlasts it; recovery ends the drain of a unit
    that has not failed, which is how it comes back from maintenance."""
    unit = state.units.get(event.unit_id)
    if unit is None:
        return
    drained = unit.drained and unit.failed
    change_unit(state, unit, failed=False, drained=drained, failed_switches=0)
    state.journal.set(unit, "failed_workloads", [])
    _offer(state)


def _drain_unit(state: State, event: UnitDrained) -> None:
    if event.unit_id in state.units:
        change_unit(state, state.units[event.unit_id], drained=True)
        _offer(state)


def _report_unit(state: State, event: UnitReported) -> None:
    if event.unit_id in state.units:
        state.journal.set(state.units[event.unit_id], "degraded", event.health == "degraded")


def _switch_unit(state: State, event: UnitSwitched) -> None:
    unit = state.units.get(event.unit_id)
    if unit is None:
        return
    if event.succeeded:
        if unit.failed_switches:
            change_unit(state, unit, failed_switches=0)
        return
    change_unit(state, unit, failed_switches=unit.failed_switches + 1)
    _offer(state)


def _assign_mode(state: State, event: UnitModeAssigned) -> None:
    unit = state.units.get(event.unit_id)
    if unit is None or event.mode not in unit.modes:
        return
    run_unit(
        state,
        unit,
        mode=event.mode,
        loads=unit.loads,
        used_milli=unit.used_milli,
        planned_w=event.power_w,
    )


def _raise_alert(state: State, event: AlertRaised) -> None:
    subject = event.workload_id or event.unit_id or event.site_id
    workload = state.workloads.get(event.workload_id or "")
    if event.kind == OVERDUE and workload is not None:
        lifecycle.unwatch(state, workload)
    state.journal.put(state.alerts, f"{event.kind}/{subject}", event.alert_id)
    unit = state.units.get(event.unit_id or "")
    if event.kind == SWITCH_FAILING and unit is not None:
        change_unit(state, unit, failed=True)


def _clear_alert(state: State, event: AlertCleared) -> None:
    for key, alert_id in sorted(state.alerts.items()):
        if alert_id == event.alert_id:
            state.journal.drop(state.alerts, key)


def _queue(state: State, event: WorkloadQueued) -> None:
    lifecycle.admit(state, event)
    _offer(state)


def _place(state: State, event: WorkloadPlaced) -> None:
    lifecycle.place(state, event)
    _offer(state)


def _requeue(state: State, event: WorkloadRequeued) -> None:
    lifecycle.requeue(state, event)
    _offer(state)


def _release(state: State, event: WorkloadReleased) -> None:
    lifecycle.release(state, event)
    _offer(state)


def _offer(state: State) -> None:
    if not state.offer_changed:
        state.journal.set(state, "offer_changed", True)


CHANGES: dict[type, Callable[..., None]] = {
    SiteConfigured: _configure,
    TimePassed: _tick,
    ClockCorrected: _correct_clock,
    CurtailmentRequested: _request_curtailment,
    CurtailmentLifted: _lift_curtailment,
    CurtailmentMet: _meet_curtailment,
    PowerPricePublished: _price_power,
    HashpricePublished: _price_hash,
    UnitRegistered: _register,
    UnitFailed: _fail_unit,
    UnitRecovered: _recover_unit,
    UnitDrained: _drain_unit,
    UnitReported: _report_unit,
    UnitSwitched: _switch_unit,
    UnitModeAssigned: _assign_mode,
    AlertRaised: _raise_alert,
    AlertCleared: _clear_alert,
    WorkloadQueued: _queue,
    WorkloadPlaced: _place,
    WorkloadRequeued: _requeue,
    WorkloadReleased: _release,
    WorkloadStarted: lifecycle.start,
}
