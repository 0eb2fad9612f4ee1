"""A mining machine: runs the mode that routing assigned, after switching to it.

While it switches it does not hash, and draws no more than the lower of the two modes: mining that
makes room gives its power back at once, mining that comes back draws power once it runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.events.sites import UnitMode, UnitModeAssigned, UnitSwitched
from simulators.meters import Meter
from simulators.switching import PendingSwitch, Switching

OFF = "off"


@dataclass(slots=True)
class Asic:
    """wanted: the mode assigned last; pending: the switch to it that is under way."""

    unit_id: str
    feeder_id: str
    modes: Mapping[str, UnitMode]
    meter: Meter
    wanted: str = OFF
    pending: PendingSwitch | None = None
    failed: bool = False

    def assign(self, event: UnitModeAssigned, switching: Switching) -> None:
        if self.failed or event.mode == self.wanted or event.mode not in self.modes:
            return
        self.wanted = event.mode
        self.meter.change(event.at, min(self.meter.power_w, self.modes[event.mode].power_w))
        self.pending = PendingSwitch.first(self.unit_id, event.decision_id, event.at, switching)

    def switched(self, event: UnitSwitched, switching: Switching) -> None:
        """A switch that ended; not the pending one: an older one, of no consequence."""
        pending = self.pending
        if pending is None or pending.ends_at != event.at or event.mode != self.wanted:
            return
        if event.succeeded:
            mode = self.modes[self.wanted]
            self.meter.change(event.at, mode.power_w, mode.hashrate_ths)
            self.pending = None
        else:
            self.meter.change(event.at, 0)
            self.pending = pending.next(self.unit_id, event.at, switching)

    def fail(self, at: int) -> None:
        self.failed = True
        self.meter.change(at, 0)
        self.wanted, self.pending = OFF, None

    def recover(self) -> None:
        self.failed = False
