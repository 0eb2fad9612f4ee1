"""What routing knows of one site: a fold of the site log, in integers (W, ms, micro-dollars).

Only declared fields are stored in snapshots. `index` and `journal` are made again on load; every
number in the index can be computed from the fields, and a test does.

Bounds: `MAX_*` here, in `admission` and in `streams.site_inputs`. Finished workloads are remembered
for the last `MAX_FINISHED`, so a repeated submission of one of those is recognised; an older one
would be taken for a new workload, and its placements would be numbered from 1 again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from schemas.events.sites import WorkloadQueued, WorkloadSubmitted
from streams.prices import Price
from streams.quantities import WHOLE_MILLI
from streams.routing.journal import Journal

if TYPE_CHECKING:
    from streams.routing.index import Index

OFF = "off"
COMPUTE = "compute"
GPU = "gpu"
ASIC = "asic"

REJECTED = "rejected"
"""Outcome of what waited for a site to register its GPUs and is not to be had there. As with every
rejection its id is not remembered, and it is judged anew when it is sent again."""

MAX_FINISHED = 10_000
MAX_FAILED_WORKLOADS = 3
"""Different workloads failing on a unit, none completing in between, after which it is suspect."""


@dataclass(slots=True)
class Mode:
    power_w: int
    hashrate_ths: int


@dataclass(slots=True)
class Unit:
    """A GPU or an ASIC. `planned_w` is what counts against the caps; `loads` are milli-GPUs by
    workload; `failed_workloads` the last ones that failed on it since one completed, at most
    `MAX_FAILED_WORKLOADS`."""

    unit_id: str
    feeder_id: str
    kind: str
    model: str
    memory_gb: int
    modes: dict[str, Mode]
    mode: str = OFF
    planned_w: int = 0
    failed: bool = False
    drained: bool = False
    degraded: bool = False
    failed_switches: int = 0
    used_milli: int = 0
    loads: dict[str, int] = field(default_factory=dict)
    failed_workloads: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Workload:
    """A workload that waits or runs. `attempt` counts placements; `rank` is its place in the log,
    kept when it is requeued; `queued_at` is the site's clock when it last began to wait and
    `placed_at` when it was last placed, None until the first tick. `started`: its hardware has said
    so of this placement. `losses` and `lost_units` count against it, see `retries`."""

    workload_id: str
    customer_id: str
    digest: str
    gpu_model: str | None
    gpu_count: int
    gpu_milli: int
    duration_s: int
    priority: int
    deadline: int | None
    max_price_micros: int | None
    rank: int
    queued_at: int | None
    attempt: int = 0
    switch_failures: int = 0
    placed: bool = False
    model: str = ""
    price_micros: int = 0
    units: list[str] = field(default_factory=list)
    placed_at: int | None = None
    started: bool = False
    losses: int = 0
    lost_units: list[str] = field(default_factory=list)

    @property
    def placement_id(self) -> str:
        return placement_id(self.workload_id, self.attempt)

    @property
    def queue_key(self) -> tuple[int, int, str]:
        """Most urgent first, then in the order of the log, then by id."""
        return (-self.priority, self.rank, self.workload_id)

    @property
    def revenue_micros_per_hour(self) -> int:
        return revenue_micros(self.price_micros, self.gpu_count, self.gpu_milli)


@dataclass(slots=True)
class Finished:
    workload_id: str
    digest: str
    attempt: int


@dataclass(slots=True)
class Curtailment:
    curtailment_id: str
    max_power_w: int
    starts_at: int
    ends_at: int
    payment_micros_per_mwh: int
    lifted: bool = False
    met: bool = False

    def in_force(self, now: int | None) -> bool:
        return now is not None and not self.lifted and self.starts_at <= now < self.ends_at


@dataclass
class State:
    """One site. `sequence` counts inputs, so that ids of decisions differ; `offer_changed` says
    that free GPUs, the queue or AI power changed since the last tick of the clock; `configured_at`
    is what the first tick is compared with, None in a state older than that; `doubted` is the time
    of a refused jump of the clock, see `streams.site_inputs.Tick`; `ticks` counts the moves of
    the clock, by which bounded passes over the queue take turns; `registered_at` is what
    `registering` counts from, None where the first tick found GPUs and no new one came since."""

    site_id: str
    configured: bool = False
    configured_at: int | None = None
    registered_at: int | None = None
    pool: str = "default"
    power_cap_w: int = 0
    feeder_caps_w: dict[str, int] = field(default_factory=dict)
    gpu_prices_micros: dict[str, int] = field(default_factory=dict)
    now: int | None = None
    doubted: int | None = None
    ticks: int = 0
    sequence: int = 0
    offer_changed: bool = False
    units: dict[str, Unit] = field(default_factory=dict)
    workloads: dict[str, Workload] = field(default_factory=dict)
    finished: list[Finished] = field(default_factory=list)
    finished_next: int = 0
    power_prices: list[Price] = field(default_factory=list)
    hashprices: list[Price] = field(default_factory=list)
    power_price_micros: int | None = None
    hashprice_micros: int | None = None
    curtailments: dict[str, Curtailment] = field(default_factory=dict)
    alerts: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        from streams.routing.index import Index  # noqa: PLC0415 - the index is made from the state

        self.journal = Journal()
        self.index: Index = Index(self)


def revenue_micros(price_micros: int, count: int, milli: int) -> int:
    """What so many GPUs, or a share of one, pay an hour."""
    return price_micros * count * milli // WHOLE_MILLI


def placement_id(workload_id: str, attempt: int) -> str:
    return f"{workload_id}/{attempt}"


def micros(usd: Decimal) -> int:
    """Micro-dollars; prices carry at most six decimals."""
    return int(usd.scaleb(6))


def usd(amount_micros: int) -> Decimal:
    return Decimal(amount_micros).scaleb(-6)


def digest_of(event: WorkloadSubmitted | WorkloadQueued) -> str:
    """Names what was asked for, whichever event says it. Not `at`: a retry may have another."""
    price = event.max_price_usd_per_gpu_hour
    content = (
        event.customer_id,
        event.name,
        event.kind,
        event.gpu_model,
        event.gpu_count,
        event.gpu_milli,
        event.duration_s,
        event.priority,
        event.preemptible,
        event.deadline,
        None if price is None else micros(price),
    )
    return hashlib.blake2b(repr(content).encode(), digest_size=12).hexdigest()
