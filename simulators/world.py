"""The hardware of one site: a fold of the site log, and what the hardware has to report next.

It obeys routing (`WorkloadPlaced`, `WorkloadReleased`, `WorkloadRequeued`, `UnitModeAssigned`) and
remembers its own reports, so folding the log from the start gives the state to go on from. What is
due waits in a heap by event time; an entry counts only while the state still says so. Pure: no
clock, no I/O; chance comes from the seed and names.
"""

from __future__ import annotations

import bisect
import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from schemas.events.sites import (
    ClockCorrected,
    EnergyMetered,
    MeterReading,
    SiteConfigured,
    SitesEvent,
    UnitFailed,
    UnitModeAssigned,
    UnitRecovered,
    UnitRegistered,
    UnitSwitched,
    WorkloadCompleted,
    WorkloadPlaced,
    WorkloadReleased,
    WorkloadRequeued,
    WorkloadStarted,
)
from simulators import seeded
from simulators.asic import OFF, Asic
from simulators.gpu import Gpu, Placement
from simulators.meters import Meter
from simulators.scenario import HardwareFaults
from simulators.switching import PendingSwitch, Switching

BROKEN_SWITCH = "switching failed three times in a row"
UNDER_REPAIR = "under repair"
_WEAR = "hardware fault"
_HOUR_MS = 3_600_000
MAX_OFFERS = 16
"""Registrations of one unit that are remembered until routing uses it; the oldest goes first."""


@dataclass(frozen=True, slots=True)
class Report:
    """What the hardware says, and the names that make its id the same in every run."""

    event: SitesEvent
    names: tuple[str | int, ...]


@dataclass(slots=True)
class _Health:
    """fails_at: next fault by wear; recovers_at: end of the repair under way."""

    fails_at: int
    recovers_at: int | None = None


@dataclass(slots=True)
class World:
    """feeders: until when each has been metered.

    _offered: by unit, by the id of the registration: what operators registered and routing neither
        refused nor used
    _refusals: (what for, unit): orders to units under repair that were not answered yet
    """

    site_id: str
    seed: int
    faults: HardwareFaults
    feeders: dict[str, int] = field(default_factory=dict)
    gpus: dict[str, Gpu] = field(default_factory=dict)
    asics: dict[str, Asic] = field(default_factory=dict)
    placements: dict[str, Placement] = field(default_factory=dict)
    _units_of: dict[str, list[str]] = field(default_factory=dict)
    _health: dict[str, _Health] = field(default_factory=dict)
    _by_workload: dict[str, str] = field(default_factory=dict)
    _offered: dict[str, dict[str, UnitRegistered]] = field(default_factory=dict)
    _refusals: set[tuple[str, str]] = field(default_factory=set)
    _due: list[tuple[int, str, str, str]] = field(default_factory=list)

    @property
    def switching(self) -> Switching:
        return Switching(self.seed, self.faults.switch_failures_per_million)

    def next_due(self) -> int | None:
        """When the hardware next has something to report."""
        while self._due and not self._holds(*self._due[0]):
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    def take_due(self) -> Report:
        """The next report; the world has already taken it in. Only after `next_due` gave a time."""
        at, kind, name, unit_id = heapq.heappop(self._due)
        report = self._report(at, kind, name, unit_id)
        self.apply(report.event)
        return report

    def read_meters(self, feeder_id: str, start: int, end: int) -> Report:
        """The feeder's reading for [start, end); the world has already taken it in."""
        event = EnergyMetered(
            site_id=self.site_id,
            at=end,
            feeder_id=feeder_id,
            interval_start=start,
            interval_end=end,
            readings=tuple(self._readings(feeder_id, end)),
        )
        self.apply(event)
        return Report(event, (feeder_id, start))

    def apply(self, event: SitesEvent) -> None:
        """Fold one event of this site's log; a report of its own that it knows changes nothing."""
        fold = _FOLDS.get(type(event))
        if fold is not None:
            fold(self, event)

    def offer(self, event: UnitRegistered, input_id: str) -> None:
        """A unit that an operator registered; routing has not said yet what it thinks of it."""
        offers = self._offered.setdefault(event.unit_id, {})
        offers[input_id] = event
        if len(offers) > MAX_OFFERS:
            del offers[next(iter(offers))]

    def withdraw(self, unit_id: str, input_id: str) -> None:
        """Routing refused an input; it may have been that."""
        offers = self._offered.get(unit_id, {})
        offers.pop(input_id, None)
        if not offers:
            self._offered.pop(unit_id, None)

    def _install(self, unit_id: str, at: int) -> None:
        """Routing uses the unit, so the newest registration that stands is the metal's."""
        offers = self._offered.pop(unit_id, None)
        if not offers:
            return
        *_, newest = offers.values()
        asic = self.asics.get(unit_id)
        if asic is not None:  # a mode that it is in stays, until routing has taken it out of it
            asic.modes = {**asic.modes, **{mode.mode: mode for mode in newest.modes}}
        self._register(replace(newest, at=at))

    def _configure(self, event: SiteConfigured) -> None:
        for feeder in event.feeders:
            self.feeders.setdefault(feeder.feeder_id, event.at)

    def _register(self, event: UnitRegistered) -> None:
        modes = {mode.mode: mode for mode in event.modes}
        known: Gpu | Asic | None = self.gpus.get(event.unit_id) or self.asics.get(event.unit_id)
        if known is not None:
            return  # registered again: the same metal
        meter = Meter(changed_at=event.at)
        if event.kind == "gpu" and "compute" in modes:
            self.gpus[event.unit_id] = Gpu(event.unit_id, event.feeder_id, modes["compute"], meter)
        elif event.kind == "asic":
            self.asics[event.unit_id] = Asic(event.unit_id, event.feeder_id, modes, meter)
        else:
            return
        bisect.insort(self._units_of.setdefault(event.feeder_id, []), event.unit_id)
        self._plan_wear(event.unit_id, event.at)

    def _place(self, event: WorkloadPlaced) -> None:
        if event.placement_id in self.placements:
            return
        unit_ids = [share.unit_id for share in event.units]
        for unit_id in unit_ids:
            self._install(unit_id, event.at)
        if any(unit_id not in self.gpus for unit_id in unit_ids):
            return
        placement = Placement.of(event, self.switching)
        self.placements[event.placement_id] = placement
        self._by_workload[event.workload_id] = event.placement_id
        for unit_id, pending in placement.pending.items():
            self.gpus[unit_id].occupy(event.at, event.placement_id)
            if self.gpus[unit_id].failed:
                placement.broken = True
                self._refuse(event.at, event.placement_id, unit_id)
            self._push(pending.ends_at, "switch", event.placement_id, unit_id)

    def _take_back(self, event: WorkloadReleased | WorkloadRequeued) -> None:
        placement_id = event.placement_id or ""  # without one it never had a unit
        placement = self.placements.pop(placement_id, None)
        if placement is None:
            return
        if self._by_workload.get(placement.workload_id) == placement_id:
            del self._by_workload[placement.workload_id]
        for unit_id in placement.unit_ids:
            if placement_id in self.gpus[unit_id].placements:
                self.gpus[unit_id].vacate(event.at, placement_id)

    def _assign(self, event: UnitModeAssigned) -> None:
        self._install(event.unit_id, event.at)
        asic = self.asics.get(event.unit_id)
        if asic is None:
            return
        asic.assign(event, self.switching)
        self._push_switch(asic)
        if asic.failed and event.mode != OFF:
            self._refuse(event.at, event.decision_id, event.unit_id)

    def _refuse(self, at: int, purpose: str, unit_id: str) -> None:
        """Somebody else said that it is well; routing has to hear again that it is not, or it would
        wait for ever."""
        self._refusals.add((purpose, unit_id))
        self._push(at, "refuse", purpose, unit_id)

    def _switched(self, event: UnitSwitched) -> None:
        asic = self.asics.get(event.unit_id)
        if asic is not None:
            asic.switched(event, self.switching)
            self._push_switch(asic)
            return
        placement = self._placement_of(event.workload_id)
        if placement is None:
            return
        placement.switched(event, self.switching)
        again = placement.pending.get(event.unit_id)
        if again is not None:
            self._push(again.ends_at, "switch", placement.placement_id, event.unit_id)
        if placement.starts_at is not None:
            self._push(placement.starts_at, "start", placement.placement_id)

    def _started(self, event: WorkloadStarted) -> None:
        placement = self.placements.get(event.placement_id)
        if placement is not None and placement.started_at is None:
            placement.started_at = event.at
            placement.pending.clear()
            if placement.completes_at is not None:
                self._push(placement.completes_at, "complete", event.placement_id)

    def _completed(self, event: WorkloadCompleted) -> None:
        placement = self.placements.get(event.placement_id)
        if placement is not None and not placement.completed:
            placement.completed = True
            for unit_id in placement.unit_ids:
                self.gpus[unit_id].vacate(event.at, event.placement_id)

    def _failed(self, event: UnitFailed) -> None:
        self._refusals = {order for order in self._refusals if order[1] != event.unit_id}
        health = self._health.get(event.unit_id)
        if health is None or health.recovers_at is not None:
            return
        repair_ms = self.faults.repair_s * 1000
        took_ms = seeded.between(
            repair_ms // 2, repair_ms * 3 // 2, self.seed, "repair", event.unit_id, event.at
        )
        health.recovers_at = event.at + took_ms
        self._push(health.recovers_at, "recover", event.unit_id)
        if event.unit_id in self.asics:
            self.asics[event.unit_id].fail(event.at)
            return
        gpu = self.gpus[event.unit_id]
        gpu.fail(event.at)
        for placement_id in gpu.placements:
            self.placements[placement_id].broken = True

    def _recovered(self, event: UnitRecovered) -> None:
        health = self._health.get(event.unit_id)
        if health is None or health.recovers_at is None:
            return
        health.recovers_at = None
        unit = self.asics.get(event.unit_id) or self.gpus[event.unit_id]
        unit.recover()
        self._plan_wear(event.unit_id, event.at)

    def _metered(self, event: EnergyMetered) -> None:
        if event.interval_end <= self.feeders.get(event.feeder_id, event.interval_end):
            return
        self.feeders[event.feeder_id] = event.interval_end
        for reading in event.readings:
            unit = self.asics.get(reading.unit_id) or self.gpus.get(reading.unit_id)
            if unit is not None:
                unit.meter.report(reading.energy_wh, reading.work_th)

    def _correct_clock(self, event: ClockCorrected) -> None:
        """Hardware runs on by the corrected clock; what was read ahead of it stays read."""
        for feeder_id, until in self.feeders.items():
            self.feeders[feeder_id] = min(until, event.now)
        meters = [
            *(asic.meter for asic in self.asics.values()),
            *(gpu.meter for gpu in self.gpus.values()),
        ]
        for meter in meters:
            meter.changed_at = min(meter.changed_at, event.now)

    def _readings(self, feeder_id: str, until: int) -> Iterator[MeterReading]:
        for unit_id in self._units_of.get(feeder_id, ()):
            unit = self.asics.get(unit_id) or self.gpus[unit_id]
            energy_wh, work_th = unit.meter.unmetered(until)
            if energy_wh or work_th:
                yield MeterReading(unit_id=unit_id, energy_wh=energy_wh, work_th=work_th)

    def _plan_wear(self, unit_id: str, since: int) -> None:
        mean_ms = self.faults.unit_mtbf_h * _HOUR_MS
        fails_at = since + seeded.between(1, 2 * mean_ms, self.seed, "wear", unit_id, since)
        self._health[unit_id] = _Health(fails_at)
        self._push(fails_at, "fail", unit_id)

    def _placement_of(self, workload_id: str | None) -> Placement | None:
        return self.placements.get(self._by_workload.get(workload_id or "", ""))

    def _push_switch(self, asic: Asic) -> None:
        if asic.pending is not None:
            self._push(asic.pending.ends_at, "switch", asic.pending.purpose, asic.unit_id)

    def _push(self, at: int, kind: str, name: str, unit_id: str = "") -> None:
        heapq.heappush(self._due, (at, kind, name, unit_id))

    def _pending(self, purpose: str, unit_id: str) -> PendingSwitch | None:
        asic = self.asics.get(unit_id)
        if asic is not None:
            return asic.pending if asic.pending and asic.pending.purpose == purpose else None
        placement = self.placements.get(purpose)
        return None if placement is None or placement.broken else placement.pending.get(unit_id)

    def _holds(self, at: int, kind: str, name: str, unit_id: str) -> bool:
        """Whether what was expected when the entry was made is still to come."""
        if kind == "switch":
            pending = self._pending(name, unit_id)
            return pending is not None and pending.ends_at == at
        if kind in ("start", "complete"):
            placement = self.placements.get(name)
            if placement is None:
                return False
            return at == (placement.starts_at if kind == "start" else placement.completes_at)
        if kind == "refuse":
            return (name, unit_id) in self._refusals
        health = self._health[name]
        if kind == "recover":
            return health.recovers_at == at
        return health.recovers_at is None and health.fails_at == at

    def _report(self, at: int, kind: str, name: str, unit_id: str) -> Report:
        if kind == "switch":
            return self._switch_report(at, name, unit_id)
        if kind == "refuse":
            again = UnitFailed(site_id=self.site_id, at=at, unit_id=unit_id, reason=UNDER_REPAIR)
            return Report(again, (unit_id, name))
        if kind == "fail":
            wear = UnitFailed(site_id=self.site_id, at=at, unit_id=name, reason=_WEAR)
            return Report(wear, (name, at))
        if kind == "recover":
            return Report(UnitRecovered(site_id=self.site_id, at=at, unit_id=name), (name, at))
        told = WorkloadStarted if kind == "start" else WorkloadCompleted
        event = told(
            site_id=self.site_id,
            at=at,
            workload_id=self.placements[name].workload_id,
            placement_id=name,
        )
        return Report(event, (name,))

    def _switch_report(self, at: int, purpose: str, unit_id: str) -> Report:
        pending = self._pending(purpose, unit_id)
        assert pending is not None
        if pending.exhausted:
            broken = UnitFailed(site_id=self.site_id, at=at, unit_id=unit_id, reason=BROKEN_SWITCH)
            return Report(broken, (unit_id, at))
        switch = self.switching.attempt(unit_id, purpose, pending.attempt)
        asic = self.asics.get(unit_id)
        event = UnitSwitched(
            site_id=self.site_id,
            at=at,
            unit_id=unit_id,
            mode="compute" if asic is None else asic.wanted,
            workload_id=self.placements[purpose].workload_id if asic is None else None,
            save_ms=switch.save_ms,
            clear_ms=switch.clear_ms,
            load_ms=switch.load_ms,
            initialise_ms=switch.initialise_ms,
            succeeded=switch.succeeded,
            reason="" if switch.succeeded else "the unit did not initialise",
        )
        return Report(event, (unit_id, purpose, pending.attempt))


_FOLDS: dict[type[SitesEvent], Callable[[World, Any], None]] = {
    SiteConfigured: World._configure,
    UnitRegistered: World._register,
    WorkloadPlaced: World._place,
    WorkloadReleased: World._take_back,
    WorkloadRequeued: World._take_back,
    UnitModeAssigned: World._assign,
    UnitSwitched: World._switched,
    WorkloadStarted: World._started,
    WorkloadCompleted: World._completed,
    UnitFailed: World._failed,
    UnitRecovered: World._recovered,
    EnergyMetered: World._metered,
    ClockCorrected: World._correct_clock,
}
"""Everything else, such as prices, plans and the queue, is not the hardware's business."""

FOLDED = tuple(_FOLDS)
