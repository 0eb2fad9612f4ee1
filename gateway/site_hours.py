"""One site over some hours, as the naive policies see it: units, limits, prices, submissions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from gateway.price_series import PriceSeries

Policy = Literal["always_mine", "ai_first", "strike_2_up_4_down"]
POLICIES: tuple[Policy, ...] = get_args(Policy)


@dataclass(frozen=True, slots=True, kw_only=True)
class AsicGroup:
    """ASICs of one kind on one feeder."""

    feeder_id: str
    count: int
    power_w: int
    hashrate_ths: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuGroup:
    """GPUs of one model on one feeder."""

    feeder_id: str
    model: str
    count: int
    power_w: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A submission as a customer made it, with what that customer pays.

    prices: micro-dollars a GPU-hour by the models the job may run on
    leaves_ms: when the customer cancelled it
    energy_adder_usd_micros_per_mwh: None: energy is not passed through
    """

    workload_id: str
    submitted_ms: int
    gpu_count: int
    gpu_milli: int
    duration_ms: int
    prices: Mapping[str, int]
    leaves_ms: int | None = None
    energy_adder_usd_micros_per_mwh: int | None = 0

    @property
    def order(self) -> tuple[int, str]:
        return self.submitted_ms, self.workload_id


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteHours:
    """One site over [start_ms, end_ms), of which [counts_from_ms, end_ms) is counted.

    curtailments: (from, until, power to stay at or below)
    """

    start_ms: int
    counts_from_ms: int
    end_ms: int
    power_cap_w: int
    feeder_caps_w: Mapping[str, int]
    asics: tuple[AsicGroup, ...]
    gpus: tuple[GpuGroup, ...]
    power_prices: PriceSeries
    hash_prices: PriceSeries
    jobs: tuple[Job, ...]
    curtailments: tuple[tuple[int, int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Micro-dollars."""

    ai_revenue: int = 0
    mining_revenue: int = 0
    power_cost: int = 0

    @property
    def profit(self) -> int:
        return self.ai_revenue + self.mining_revenue - self.power_cost

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(
            ai_revenue=self.ai_revenue + other.ai_revenue,
            mining_revenue=self.mining_revenue + other.mining_revenue,
            power_cost=self.power_cost + other.power_cost,
        )
