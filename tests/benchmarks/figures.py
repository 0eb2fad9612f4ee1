"""A measured number, and what to compare it with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """peer: what was measured in the same run to compare with. bar: what the project asks for."""

    benchmark: str
    name: str
    value: float
    unit: str
    better: Literal["higher", "lower"] = "higher"
    bar: float | None = None
    peer: str = ""
    peer_value: float | None = None

    @property
    def ratio(self) -> float | None:
        """The value in terms of the peer's."""
        return self.value / self.peer_value if self.peer_value else None

    @property
    def meets_bar(self) -> bool | None:
        if self.bar is None:
            return None
        return self.value >= self.bar if self.better == "higher" else self.value <= self.bar


def percentile(values: Sequence[float], percent: float) -> float:
    """By nearest rank. values: at least one."""
    ordered = sorted(values)
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(0, min(len(ordered), int(rank)) - 1)]
