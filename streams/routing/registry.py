"""Units: what they are, how they change, and the index kept in step."""

from __future__ import annotations

from schemas.events.sites import UnitRegistered
from streams.routing.index import idle_key, is_free, is_idle, usable
from streams.routing.state import COMPUTE, GPU, OFF, Mode, State, Unit


def register(state: State, event: UnitRegistered) -> None:
    """Add a unit, or give a known one its new definition. What it runs, and the power planned for
    that, stays counted until routing's answer takes it back."""
    unit = _unit_of(event)
    known = state.units.get(event.unit_id)
    if known is None:
        state.journal.put(state.units, event.unit_id, unit)
        _count(state, unit, 1)
    elif _differs(known, unit):
        change_unit(
            state,
            known,
            feeder_id=unit.feeder_id,
            kind=unit.kind,
            model=unit.model,
            memory_gb=unit.memory_gb,
            modes=unit.modes,
            mode=OFF,
        )


def comes_back_different(state: State, event: UnitRegistered) -> bool:
    known = state.units.get(event.unit_id)
    return known is not None and _differs(known, _unit_of(event))


def run_unit(
    state: State, unit: Unit, *, mode: str, loads: dict[str, int], used_milli: int, planned_w: int
) -> None:
    """Change only what a unit runs: the frequent case of `change_unit`, at half its cost."""
    journal, index = state.journal, state.index
    place, was_free, was_idle = (
        index.place_of(state, unit),
        is_free(state, unit),
        is_idle(state, unit),
    )
    if place is not None:
        journal.remove(*place)
    added_w = planned_w - unit.planned_w
    if mode != unit.mode:
        journal.set(unit, "mode", mode)
    if used_milli != unit.used_milli:
        journal.set(unit, "loads", loads)
        journal.set(unit, "used_milli", used_milli)
    if added_w:
        journal.set(unit, "planned_w", planned_w)
        _add_power(state, unit, added_w)
    free, idle = is_free(state, unit), is_idle(state, unit)
    if free != was_free:
        journal.add(index.free_count, unit.model, free - was_free)
    if idle != was_idle:
        (journal.insert if idle else journal.remove)(index.idle, idle_key(unit))
    place = index.place_of(state, unit)
    if place is not None:
        journal.insert(*place)


def change_unit(state: State, unit: Unit, **changes: object) -> None:
    """Change fields of a unit and everything in the index that follows from them."""
    _count(state, unit, -1)
    for name, value in changes.items():
        state.journal.set(unit, name, value)
    _count(state, unit, 1)


def _unit_of(event: UnitRegistered) -> Unit:
    modes = {
        mode.mode: Mode(power_w=mode.power_w, hashrate_ths=mode.hashrate_ths)
        for mode in event.modes
    }
    return Unit(
        unit_id=event.unit_id,
        feeder_id=event.feeder_id,
        kind=event.kind,
        model=event.model,
        memory_gb=event.memory_gb,
        modes=modes,
    )


def _differs(known: Unit, unit: Unit) -> bool:
    return (known.feeder_id, known.kind, known.model, known.memory_gb, known.modes) != (
        unit.feeder_id,
        unit.kind,
        unit.model,
        unit.memory_gb,
        unit.modes,
    )


def _count(state: State, unit: Unit, sign: int) -> None:
    """Add the unit to every derived number (sign 1), or take it out (-1)."""
    journal, index = state.journal, state.index
    if unit.planned_w:
        _add_power(state, unit, sign * unit.planned_w)
    if unit.kind == GPU:
        by_power = index.fleet.setdefault(unit.model, {}).setdefault(unit.feeder_id, {})
        journal.add(by_power, unit.modes[COMPUTE].power_w, sign)
        ready = index.ready.setdefault(unit.model, {}).setdefault(unit.feeder_id, {})
        journal.add(ready, unit.modes[COMPUTE].power_w, sign * usable(state, unit))
        journal.add(index.registered, unit.model, sign)
        journal.add(index.healthy, unit.model, sign * usable(state, unit))
        journal.add(index.free_count, unit.model, sign * is_free(state, unit))
    elif is_idle(state, unit):
        (journal.insert if sign > 0 else journal.remove)(index.idle, idle_key(unit))
    place = index.place_of(state, unit)
    if place is not None:
        (journal.insert if sign > 0 else journal.remove)(*place)


def _add_power(state: State, unit: Unit, added_w: int) -> None:
    journal, index = state.journal, state.index
    journal.add(index.feeder_w, unit.feeder_id, added_w)
    journal.set(index, "site_w", index.site_w + added_w)
    if unit.kind == GPU:
        journal.add(index.feeder_ai_w, unit.feeder_id, added_w)
        journal.set(index, "site_ai_w", index.site_ai_w + added_w)
