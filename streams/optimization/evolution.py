"""How each event changes what the adviser knows, and which changes ask for a new plan.

What runs where follows from routing's events only. Inputs that routing refuses move nothing: they
come as `RefusedInput`, and nothing is judged here.
"""

from __future__ import annotations

from dataclasses import replace

from schemas.events.sites import (
    AlertRaised,
    ClockCorrected,
    CurtailmentLifted,
    CurtailmentRequested,
    HashpricePublished,
    PowerPlanApplied,
    PowerPlanProposed,
    PowerPricePublished,
    SiteConfigured,
    SitesEvent,
    TimePassed,
    UnitDrained,
    UnitFailed,
    UnitModeAssigned,
    UnitRecovered,
    UnitRegistered,
    UnitSwitched,
    WorkloadPlaced,
    WorkloadReleased,
    WorkloadRequeued,
)
from streams.optimization.market import basis_of, open_curtailments
from streams.optimization.planning import digest_of
from streams.optimization.profiles import modes_of, most_power_w, profile_of
from streams.optimization.state import (
    OFF,
    Asic,
    Curtailment,
    Gpu,
    State,
)
from streams.prices import hashprice, power_price, without_past
from streams.quantities import MS_PER_S
from streams.refusal import CLOCK_JUMP, RefusedInput
from streams.site_memory import MAX_LIFTED, with_price

SWITCH_FAILING = "switch_failing"  # routing's alert that it takes a unit for failed
FAILED = "failed"
PLANNED = ("plan", "displaced", "curtailment")  # reasons of a mode that a plan allowed for
MAX_RETRIES = 2
"""Plans made because a unit did not switch, until it does. Routing takes a unit for failed after
three failures in a row, but a switch to off that works ends its row; this one goes on."""
MATERIAL_PERCENT = 5  # of the site's cap: a smaller change waits for the next tick of the clock

UnitChange = UnitRegistered | UnitFailed | UnitDrained | UnitRecovered | AlertRaised
AiChange = WorkloadPlaced | WorkloadReleased | WorkloadRequeued
MarketChange = (
    TimePassed
    | ClockCorrected
    | PowerPricePublished
    | HashpricePublished
    | CurtailmentRequested
    | CurtailmentLifted
    | SiteConfigured
)


def evolve(state: State, event: SitesEvent | RefusedInput[SitesEvent]) -> State:
    if not isinstance(event, RefusedInput):
        apply(state, event)
    elif event.reason == CLOCK_JUMP:
        state.doubted = event.input.at
    return state


def apply(state: State, event: SitesEvent) -> str | None:  # noqa: PLR0912 - one row a type
    """Change the state in place; returns what asks for a plan now: price, hashprice, curtailment or
    capacity; None for nothing."""
    if state.power_cap_w is None and not isinstance(event, SiteConfigured):
        return None
    match event:
        case TimePassed():
            _pass_time(state, event.at)
        case ClockCorrected():
            _pass_time(state, event.now)
        case PowerPricePublished():
            state.power_prices = with_price(state.power_prices, power_price(event), state.now)
        case HashpricePublished():
            state.hashprices = with_price(state.hashprices, hashprice(event), state.now)
        case CurtailmentRequested():
            _curtail(state, event)
        case CurtailmentLifted():
            _lift(state, event)
        case SiteConfigured():
            _configure(state, event)
        case UnitRegistered() | UnitFailed() | UnitDrained() | UnitRecovered() | AlertRaised():
            state.pending_w += changed_w(state, event)
            _change_unit(state, event)
        case WorkloadPlaced() | WorkloadReleased() | WorkloadRequeued():
            state.pending_w += changed_w(state, event)
            _change_ai(state, event)
        case UnitModeAssigned():
            _assign(state, event)
        case UnitSwitched():
            _switch(state, event)
        case PowerPlanProposed():
            state.plans += 1
            state.outstanding = digest_of(event.assignments)
            state.outstanding_plan = event.plan_id
            state.basis, state.pending_w = basis_of(state), 0  # what a plan has considered
        case PowerPlanApplied():
            if event.plan_id == state.outstanding_plan:
                state.outstanding = state.outstanding_plan = None
        case _:  # health, progress, meters: nothing a plan depends on
            pass
    return _trigger(state, event)


def is_material(state: State, changed_w: int) -> bool:
    return (state.pending_w + changed_w) * 100 >= (state.power_cap_w or 0) * MATERIAL_PERCENT


def changed_w(state: State, event: UnitChange | AiChange) -> int:
    """How much power can be planned otherwise because of the event."""
    match event:
        case UnitRegistered():
            return _registered_w(state, event)
        case UnitFailed() | UnitDrained() | UnitRecovered() | AlertRaised():
            known = state.asics.get(event.unit_id or "")
            if isinstance(event, AlertRaised) and event.kind != SWITCH_FAILING:
                return 0
            back = isinstance(event, UnitRecovered)
            if known is None or known.usable is back or (back and known.failed and known.drained):
                return 0
            return most_power_w(known.profile)
        case WorkloadPlaced():
            return sum(u.power_w for u in event.units if u.unit_id not in state.gpus)
        case WorkloadReleased() | WorkloadRequeued():
            units = state.placements.get(event.placement_id or "", ())
            gpus = [state.gpus[unit_id] for unit_id in units if unit_id in state.gpus]
            return sum(gpu.power_w for gpu in gpus if gpu.workloads == 1)


def _registered_w(state: State, event: UnitRegistered) -> int:
    known = state.asics.get(event.unit_id)
    if event.kind != "asic":
        return 0
    if known is not None and _is_same(known, event):
        return 0
    return max(mode.power_w for mode in event.modes)


def _is_same(known: Asic, event: UnitRegistered) -> bool:
    return (known.feeder_id, known.profile) == (event.feeder_id, profile_of(event.modes))


def _trigger(state: State, event: SitesEvent) -> str | None:
    """Also takes note that the change has been considered, whatever comes of it."""
    if not isinstance(event, UnitChange | AiChange | MarketChange):
        return None
    basis, before = basis_of(state), state.basis
    if basis is None:
        return None
    if before is not None and basis.curtailed_w != before.curtailed_w:
        trigger = "curtailment"
    elif before is None or basis.power_price != before.power_price:
        trigger = "price"
    elif basis.hashprice != before.hashprice:
        trigger = "hashprice"
    elif state.pending_w and (isinstance(event, TimePassed) or is_material(state, 0)):
        trigger = "capacity"
    else:
        return None
    state.basis = basis
    state.pending_w = 0
    return trigger


def _pass_time(state: State, now: int) -> None:
    state.now, state.doubted = now, None
    state.power_prices = without_past(state.power_prices, now)
    state.hashprices = without_past(state.hashprices, now)
    if state.curtailments:
        state.curtailments = open_curtailments(state.curtailments, now)


def _assign(state: State, event: UnitModeAssigned) -> None:
    """What nobody planned is planned anew at the next tick: not at once, because a unit that fails
    fails again; and after `MAX_RETRIES` failures not for this unit's sake."""
    asic = state.asics.get(event.unit_id)
    if asic is None:
        return
    failed = asic.failed_switches + (event.reason == FAILED)
    if asic.usable and event.reason not in PLANNED and failed <= MAX_RETRIES:
        state.pending_w += most_power_w(asic.profile)
    state.asics[event.unit_id] = replace(asic, mode=event.mode, failed_switches=failed)


def _switch(state: State, event: UnitSwitched) -> None:
    """Off always works: only a mode that draws power shows that a unit can switch again."""
    asic = state.asics.get(event.unit_id)
    if asic is None or not asic.failed_switches or not event.succeeded:
        return
    if any(mode.name == event.mode and mode.power_w for mode in modes_of(asic.profile)):
        state.asics[event.unit_id] = replace(asic, failed_switches=0)


def _configure(state: State, event: SiteConfigured) -> None:
    caps_w = {feeder.feeder_id: feeder.power_cap_w for feeder in event.feeders}
    if (state.power_cap_w, state.feeder_caps_w) != (event.power_cap_w, caps_w):
        state.pending_w += max(event.power_cap_w, 1)
    state.configured_at = event.at
    state.power_cap_w = event.power_cap_w
    state.feeder_caps_w = caps_w


def _curtail(state: State, event: CurtailmentRequested) -> None:
    if event.curtailment_id in state.curtailments:
        return  # repeated
    ends_at = event.starts_at + event.duration_s * MS_PER_S
    asked = Curtailment(event.max_power_w, event.starts_at, ends_at)
    state.curtailments = {**state.curtailments, event.curtailment_id: asked}


def _lift(state: State, event: CurtailmentLifted) -> None:
    known = state.curtailments.get(event.curtailment_id)
    if known is None:
        return
    after = {**state.curtailments, event.curtailment_id: replace(known, lifted=True)}
    lifted = [(asked.ends_at, name) for name, asked in after.items() if asked.lifted]
    if len(lifted) > MAX_LIFTED:
        del after[min(lifted)[1]]
    state.curtailments = after


def _change_unit(state: State, event: UnitChange) -> None:
    if isinstance(event, UnitRegistered):
        _register(state, event)
        return
    unit_id = event.unit_id or ""
    known = state.asics.get(unit_id)
    if known is None:
        return
    match event:
        case UnitFailed():
            state.asics[unit_id] = replace(known, failed=True)
        case UnitDrained():
            state.asics[unit_id] = replace(known, drained=True)
        case UnitRecovered():
            drained = known.drained and known.failed  # a drain outlasts a failure
            state.asics[unit_id] = replace(known, failed=False, drained=drained, failed_switches=0)
        case AlertRaised() if event.kind == SWITCH_FAILING:
            state.asics[unit_id] = replace(known, failed=True)
        case AlertRaised():
            pass


def _register(state: State, event: UnitRegistered) -> None:
    if event.kind == "gpu":
        state.gpu_feeders[event.unit_id] = event.feeder_id
        return
    profile = profile_of(event.modes)
    known = state.asics.get(event.unit_id)
    if known is None:
        state.asics[event.unit_id] = Asic(event.feeder_id, profile)
    elif not _is_same(known, event):
        state.asics[event.unit_id] = replace(
            known, feeder_id=event.feeder_id, profile=profile, mode=OFF, failed_switches=0
        )


def _change_ai(state: State, event: AiChange) -> None:
    if isinstance(event, WorkloadPlaced):
        state.placements[event.placement_id] = tuple(share.unit_id for share in event.units)
        for share in event.units:
            busy = state.gpus.get(share.unit_id)
            workloads = 1 if busy is None else busy.workloads + 1
            state.gpus[share.unit_id] = Gpu(share.power_w, workloads)
        return
    for unit_id in state.placements.pop(event.placement_id or "", ()):
        busy = state.gpus.pop(unit_id, None)
        if busy is not None and busy.workloads > 1:
            state.gpus[unit_id] = Gpu(busy.power_w, busy.workloads - 1)
