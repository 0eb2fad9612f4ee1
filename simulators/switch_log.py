"""The switches of the hardware, for `GET /switching`: all of them counted, the latest kept."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from typing import Any

from schemas.envelope import rfc3339
from schemas.events.sites import UnitSwitched
from simulators import metrics

KEPT = 100
_PHASES = ("save_ms", "clear_ms", "load_ms", "initialise_ms")


@dataclass(slots=True)
class SwitchLog:
    """_took: by phase and in total, how many switches took so many milliseconds."""

    total: int = 0
    succeeded: int = 0
    _latest: deque[UnitSwitched] = field(default_factory=lambda: deque(maxlen=KEPT))
    _took: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, event: UnitSwitched) -> None:
        self.total += 1
        self.succeeded += event.succeeded
        self._latest.append(event)
        kind = "gpu" if event.mode == "compute" else "asic"
        metrics.SWITCHES.labels(kind, str(event.succeeded).lower()).inc()
        for phase in (*_PHASES, "total_ms"):
            took_ms = total_ms(event) if phase == "total_ms" else getattr(event, phase)
            self._took[phase][took_ms] += 1
            metrics.SWITCH_SECONDS.labels(phase.removesuffix("_ms")).observe(took_ms / 1000)

    def answer(self) -> dict[str, Any]:
        """Percentiles by nearest rank, over every switch in the log."""
        return {
            "switches": self.total,
            "succeeded": self.succeeded,
            "success_rate": round(self.succeeded / self.total, 6) if self.total else None,
            "total_ms": self._percentiles("total_ms"),
            "phases_ms": {phase.removesuffix("_ms"): self._percentiles(phase) for phase in _PHASES},
            "recent": [_shown(event) for event in reversed(tuple(self._latest))],
        }

    def _percentiles(self, phase: str) -> dict[str, int | None]:
        counts = sorted(self._took[phase].copy().items())
        return {name: _percentile(counts, part) for name, part in _PERCENTILES}


_PERCENTILES = (("min", 0), ("p50", 50), ("p95", 95), ("p99", 99), ("max", 100))


def total_ms(event: UnitSwitched) -> int:
    return event.save_ms + event.clear_ms + event.load_ms + event.initialise_ms


def _percentile(counts: list[tuple[int, int]], part: int) -> int | None:
    """counts: values in ascending order, each with its number of occurrences."""
    rank = max(1, -(-sum(count for _, count in counts) * part // 100))
    for value, count in counts:
        rank -= count
        if rank <= 0:
            return value
    return None


def _shown(event: UnitSwitched) -> dict[str, Any]:
    return {
        "site_id": event.site_id,
        "unit_id": event.unit_id,
        "at": rfc3339(event.at),
        "mode": event.mode,
        "workload_id": event.workload_id,
        **{phase: getattr(event, phase) for phase in _PHASES},
        "total_ms": total_ms(event),
        "succeeded": event.succeeded,
        "reason": event.reason,
    }
