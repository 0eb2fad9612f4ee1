"""Meters: exact integration of power and hashrate over event time, in integers."""

from __future__ import annotations

from dataclasses import dataclass

_W_MS_PER_WH = 3_600_000
_THS_MS_PER_TH = 1_000


@dataclass(slots=True)
class Meter:
    """One unit's counters. Between changes power and hashrate are constant.

    energy_w_ms, work_ths_ms: counted until `changed_at`, in watt- and (TH/s)-milliseconds
    metered_wh, metered_th: already reported, in whole units; fractions wait for the next reading
    """

    changed_at: int
    power_w: int = 0
    hashrate_ths: int = 0
    energy_w_ms: int = 0
    work_ths_ms: int = 0
    metered_wh: int = 0
    metered_th: int = 0

    def change(self, at: int, power_w: int, hashrate_ths: int = 0) -> None:
        """From `at` on; told late, it counts from the change before it at the earliest."""
        at = max(at, self.changed_at)
        self.energy_w_ms += self.power_w * (at - self.changed_at)
        self.work_ths_ms += self.hashrate_ths * (at - self.changed_at)
        self.changed_at, self.power_w, self.hashrate_ths = at, power_w, hashrate_ths

    def unmetered(self, until: int) -> tuple[int, int]:
        """Whole watt-hours and terahashes up to `until` that no reading has reported.

        What becomes known after its interval was read is in the next reading. When less ran than
        was reported, the readings are zero until the counters have caught up.
        """
        since = max(0, until - self.changed_at)
        energy_wh = (self.energy_w_ms + self.power_w * since) // _W_MS_PER_WH
        work_th = (self.work_ths_ms + self.hashrate_ths * since) // _THS_MS_PER_TH
        return max(0, energy_wh - self.metered_wh), max(0, work_th - self.metered_th)

    def report(self, energy_wh: int, work_th: int) -> None:
        self.metered_wh += energy_wh
        self.metered_th += work_th
