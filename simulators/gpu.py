"""GPUs and the placements on them: loaded by switching each unit, run for their time, given back.

A GPU draws its compute power from the moment its first workload is placed until its last one has
completed or was taken away; shares of one GPU draw it once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from schemas.events.sites import UnitMode, UnitSwitched, WorkloadPlaced
from simulators.meters import Meter
from simulators.switching import PendingSwitch, Switching


@dataclass(slots=True)
class Gpu:
    """placements: ids of what is loaded, or being loaded."""

    unit_id: str
    feeder_id: str
    compute: UnitMode
    meter: Meter
    placements: set[str] = field(default_factory=set)
    failed: bool = False

    def occupy(self, at: int, placement_id: str) -> None:
        self.placements.add(placement_id)
        if not self.failed:
            self.meter.change(at, self.compute.power_w)

    def vacate(self, at: int, placement_id: str) -> None:
        self.placements.discard(placement_id)
        if not self.placements:
            self.meter.change(at, 0)

    def fail(self, at: int) -> None:
        self.failed = True
        self.meter.change(at, 0)

    def recover(self) -> None:
        """It comes back empty: routing has taken away, or will, what it held."""
        self.failed = False
        self.placements.clear()


@dataclass(slots=True)
class Placement:
    """One try to run a workload.

    pending: units that are still switching
    ready_at: when the last unit that is done was ready
    broken: a unit failed; it never completes and waits for routing to take it back
    """

    placement_id: str
    workload_id: str
    unit_ids: tuple[str, ...]
    placed_at: int
    duration_ms: int
    pending: dict[str, PendingSwitch]
    ready_at: int
    started_at: int | None = None
    completed: bool = False
    broken: bool = False

    @classmethod
    def of(cls, event: WorkloadPlaced, switching: Switching) -> Placement:
        unit_ids = tuple(share.unit_id for share in event.units)
        return cls(
            placement_id=event.placement_id,
            workload_id=event.workload_id,
            unit_ids=unit_ids,
            placed_at=event.at,
            duration_ms=event.duration_s * 1000,
            pending={
                unit_id: PendingSwitch.first(unit_id, event.placement_id, event.at, switching)
                for unit_id in unit_ids
            },
            ready_at=event.at,
        )

    @property
    def starts_at(self) -> int | None:
        """When it is to be reported as started; None when it already was, or cannot be."""
        if self.pending or self.broken or self.started_at is not None:
            return None
        return self.ready_at

    @property
    def completes_at(self) -> int | None:
        if self.started_at is None or self.broken or self.completed:
            return None
        return self.started_at + self.duration_ms

    def switched(self, event: UnitSwitched, switching: Switching) -> None:
        """A switch that ended; not a pending one: of an older placement, of no consequence."""
        pending = self.pending.get(event.unit_id)
        if pending is None or pending.ends_at != event.at:
            return
        if event.succeeded:
            del self.pending[event.unit_id]
            self.ready_at = max(self.ready_at, event.at)
        else:
            self.pending[event.unit_id] = pending.next(event.unit_id, event.at, switching)
