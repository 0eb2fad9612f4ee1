"""What metering remembers of one site.

The bounds below are the state's, and no rule of what a site takes: a change of one is a change of
the state's shape (`Agent.state_version`). Placements are forgotten when the hour they ended in is
collected, readings and prices when theirs is, customers after IDLE_MS without a workload.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from streams.prices import Price
from streams.quantities import DAY_MS, HOUR_MS

GPU = "gpu"

ALLOWANCE_MS = HOUR_MS // 2
"""How long after its end an hour waits for meters and prices."""

IDLE_MS = (31 + 30 + 7) * DAY_MS
"""A customer without workloads gets watermarks this long: its last month must be closed, and the
longest grace that invoicing allows must end, with a week to spare."""

MAX_READINGS = 2_000
"""Readings waiting per unit, a week of five-minute ones; further ones are left out."""

MAX_READING_MS = DAY_MS
"""A longer reading is left out: most of its hours were collected before it came."""

MAX_AHEAD_MS = 31 * DAY_MS
"""How far before the clock a reading may be, and is held until the clock gets there: as long as the
clock may stand still."""

MAX_WAITING_PRICES = 10_000
"""Prices waiting: a month of five-minute ones, or the hours that wait at one a second. Further ones
are left out of account."""

MAX_PRICE_LENGTHS = 16
"""Lengths of prices that are remembered at once, of those that differ in when they were last heard
of; of more the longest give way."""

MAX_BILLED = 1_000
"""Pieces of billed time, and prices of it, that a late price is compared with: ten days of quarters
of an hour, three and a half of five minutes."""

MAX_FORGOTTEN_PRICES = 4_000
"""Prices of bills that are forgotten, so that a repeat is told from a correction: two weeks of
five-minute ones. An older one is counted, and nothing is said of it."""


@dataclass(slots=True, kw_only=True)
class Placement:
    """A workload on its units.

    units: gpu_milli by unit
    feeders: those that its units were on when it was placed; a unit that moves is emptied first
    list_price: dollars for a GPU-hour, as quoted when it was placed
    billed: False after a failed switch
    recorded_until: where a clock that was wrong had stood: GPU time before is recorded already
    """

    workload_id: str
    customer_id: str
    gpu_model: str
    units: dict[str, int]
    feeders: dict[str, None]
    list_price: Decimal
    starts_at: int
    ends_at: int | None = None
    billed: bool = True
    recorded_until: int = 0

    @property
    def gpu_milli(self) -> int:
        return sum(self.units.values())

    def within(self, start: int, end: int) -> tuple[int, int]:
        """When it was on its units in [start, end); it ends before it starts if it was not."""
        ends_at = end if self.ends_at is None else min(self.ends_at, end)
        return max(self.starts_at, start), ends_at


class Unit(NamedTuple):
    """kind: gpu or asic"""

    kind: str
    feeder_id: str


class Reading(NamedTuple):
    """What a GPU drew in an interval within one hour."""

    ends_at: int
    energy_wh: int


class Billed(NamedTuple):
    """Energy that was recorded, of all placements.

    start, end: the time that its price is of
    micros: a MWh, as billed or as told since
    """

    start: int
    end: int
    micros: int | None
    energy_wh: int


@dataclass(slots=True, kw_only=True)
class Customer:
    """admitted: workloads queued or placed; active_at: when one last was queued, placed, ended."""

    admitted: int = 0
    active_at: int = 0


@dataclass(slots=True, kw_only=True)
class State:
    """A site.

    feeders: those of its configuration; none before it was configured
    configured_at: what the first tick is compared with, None in a state that is older than that
    now, doubted: the clock, None before its first tick, as in `streams.site_inputs.Tick`
    closed_until: routing has answered everything before; GPU time is recorded up to here
    collected_until: everything before is recorded and the customers were told
    units: every one that was registered
    metered: the end of each feeder's meters, by feeder and start; readings: by unit and start
    prices: of what is billed or not collected yet, with the last that may be carried into it
    price_lengths: when a price as long was last heard of, by length, ms; see `collection`
    kept_prices: those that routing keeps, see `streams.site_memory`
    billed: what was recorded of energy, in ascending order; before forgotten_until nobody knows
    forgotten_prices: those that are in `prices` no longer, in ascending order
    refused: inputs that concern metering and were left out, in whole or in part
    left_out_wh: by reason, see `readings`
    left_out_gpu_us: of placements, beyond what one jump of the clock is billed for
    left_out_prices: too_many of them waiting; too_old to tell whether they say anything new
    """

    site_id: str
    feeders: dict[str, None] = field(default_factory=dict)
    configured_at: int | None = None
    now: int | None = None
    doubted: int | None = None
    closed_until: int = 0
    collected_until: int = 0
    units: dict[str, Unit] = field(default_factory=dict)
    placements: dict[str, Placement] = field(default_factory=dict)
    customers: dict[str, Customer] = field(default_factory=dict)
    metered: dict[str, dict[int, int]] = field(default_factory=dict)
    readings: dict[str, dict[int, Reading]] = field(default_factory=dict)
    prices: list[Price] = field(default_factory=list)
    price_lengths: dict[int, int] = field(default_factory=dict)
    kept_prices: list[Price] = field(default_factory=list)
    billed: list[Billed] = field(default_factory=list)
    forgotten_until: int = 0
    forgotten_prices: list[Price] = field(default_factory=list)
    refused: int = 0
    left_out_wh: dict[str, int] = field(default_factory=dict)
    left_out_gpu_us: int = 0
    left_out_prices: dict[str, int] = field(default_factory=dict)
