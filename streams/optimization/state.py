"""What the adviser knows of one site: a fold of its log."""

from __future__ import annotations

from dataclasses import dataclass, field

from streams.prices import Price

OFF = "off"


@dataclass(frozen=True, slots=True)
class Curtailment:
    """lifted: remembered until it would have ended, so that no repeated request brings it back."""

    max_power_w: int
    starts_at: int
    ends_at: int
    lifted: bool = False


@dataclass(frozen=True, slots=True)
class Asic:
    """profile: its modes, as `profiles.py` writes them; mode: what routing assigned last;
    failed_switches: since it last ran, came back or was recovered."""

    feeder_id: str
    profile: str
    mode: str = OFF
    failed: bool = False
    drained: bool = False
    failed_switches: int = 0

    @property
    def usable(self) -> bool:
        return not self.failed and not self.drained


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU that computes. workloads: how many share it."""

    power_w: int
    workloads: int


@dataclass(frozen=True, slots=True)
class Basis:
    """What the last plan was made for: micro-dollar prices in force and the curtailment's level."""

    power_price: int
    hashprice: int
    curtailed_w: int | None


@dataclass(slots=True)
class State:
    """
    doubted: the time of a refused jump of the clock, see `streams.site_inputs.Tick`
    configured_at: what the first tick is compared with, None in a state that is older than that
    power_cap_w: None until the site is configured; until then nothing else is kept
    gpu_feeders: the feeder of every GPU
    gpus: those that compute now
    placements: the GPUs of every placement that holds some
    pending_w: power of capacity that came, went or was taken by AI since `basis`
    outstanding: digest of the last plan proposed, until routing has answered it
    plans: how many were proposed
    """

    site_id: str
    now: int | None = None
    doubted: int | None = None
    configured_at: int | None = None
    power_cap_w: int | None = None
    feeder_caps_w: dict[str, int] = field(default_factory=dict)
    power_prices: list[Price] = field(default_factory=list)
    hashprices: list[Price] = field(default_factory=list)
    curtailments: dict[str, Curtailment] = field(default_factory=dict)
    asics: dict[str, Asic] = field(default_factory=dict)
    gpu_feeders: dict[str, str] = field(default_factory=dict)
    gpus: dict[str, Gpu] = field(default_factory=dict)
    placements: dict[str, tuple[str, ...]] = field(default_factory=dict)
    pending_w: int = 0
    basis: Basis | None = None
    outstanding: str | None = None
    outstanding_plan: str | None = None
    plans: int = 0
