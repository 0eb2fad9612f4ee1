"""The switches of the hardware, for `GET /switching`: all of them counted, the latest kept."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.envelope import rfc3339
from schemas.events.sites import UnitSwitched
from simulators import metrics

KEPT = 100
_PHASES = ("save_ms", "clear_ms", "load_ms", "initialise_ms")


@dataclass(slots=True)
class SwitchLog:
    """_ended: by kind of unit and whether they succeeded, how many switches there were
    _took: by phase and in total, how many of them took so many milliseconds
    """

    _ended: Counter[tuple[str, bool]] = field(default_factory=Counter)
    _latest: deque[UnitSwitched] = field(default_factory=lambda: deque(maxlen=KEPT))
    _took: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, event: UnitSwitched) -> None:
        self._latest.append(event)
        kind = "gpu" if event.mode == "compute" else "asic"
        self._ended[kind, event.succeeded] += 1
        metrics.SWITCHES.labels(kind, str(event.succeeded).lower()).inc()
        for phase in (*_PHASES, "total_ms"):
            took_ms = total_ms(event) if phase == "total_ms" else getattr(event, phase)
            self._took[phase][took_ms] += 1
            metrics.SWITCH_SECONDS.labels(phase.removesuffix("_ms")).observe(took_ms / 1000)

    def answer(self) -> dict[str, Any]:
        """Over every switch in the log, failed ones too; percentiles by nearest rank."""
        ended = self._ended.copy()
        return {
            **_outcomes(ended),
            "by_kind": {
                kind: _outcomes({k: n for k, n in ended.items() if k[0] == kind})
                for kind in ("gpu", "asic")
            },
            "total_ms": self._statistics("total_ms"),
            "phases_ms": {phase.removesuffix("_ms"): self._statistics(phase) for phase in _PHASES},
            "recent": [_shown(event) for event in reversed(tuple(self._latest))],
        }

    def _statistics(self, phase: str) -> dict[str, float | None]:
        counts = sorted(self._took[phase].copy().items())
        return {
            "mean": _mean(counts),
            **{name: _percentile(counts, part) for name, part in _PERCENTILES},
        }


_PERCENTILES = (("min", 0), ("p50", 50), ("p95", 95), ("p99", 99), ("max", 100))


def total_ms(event: UnitSwitched) -> int:
    return event.save_ms + event.clear_ms + event.load_ms + event.initialise_ms


def _outcomes(ended: Mapping[tuple[str, bool], int]) -> dict[str, float | None]:
    switches = sum(ended.values())
    succeeded = sum(count for (_, succeeded), count in ended.items() if succeeded)
    return {
        "switches": switches,
        "succeeded": succeeded,
        "failed": switches - succeeded,
        "success_rate": round(succeeded / switches, 6) if switches else None,
    }


def _mean(counts: list[tuple[int, int]]) -> float | None:
    switches = sum(count for _, count in counts)
    if not switches:
        return None
    return round(sum(value * count for value, count in counts) / switches, 1)


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
