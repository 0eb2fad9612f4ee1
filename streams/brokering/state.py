"""What brokering knows of one pool: a fold of its part of the intake log."""

from __future__ import annotations

from dataclasses import dataclass, field

from schemas.events.intake import WorkloadSubmitted

MAX_REMEMBERED = 10_000  # submissions; an older one sent again would be brokered again
MAX_WAITING = 10_000
"""Submissions that wait for a site of the pool. The next one is rejected with `queue_full`."""

PREPARING = "preparing"
OPEN = "open"
LEFT = "left"


@dataclass(slots=True)
class Stock:
    """GPUs of one model on one site. total: healthy ones; free: by the last summary, less what was
    sent there since; registered: healthy or not."""

    total: int
    free: int
    registered: int


@dataclass(slots=True)
class Site:
    """queued: by the last summary, and what was sent there since. headroom_w: by the last summary;
    what a GPU draws is not known here. phase: PREPARING, until its clock ticks, or OPEN. at: the
    site's time of that summary; None in what was stored before that was kept."""

    gpus: dict[str, Stock]
    queued: int
    headroom_w: int
    phase: str
    at: int | None


@dataclass(slots=True)
class Forwarded:
    """site_id: None for one that was cancelled before a site had it. digest: of what was asked
    for."""

    site_id: str | None
    digest: str


@dataclass(slots=True)
class Waiting:
    """A submission that no site can take yet. rank: its place in the order of arrival; reason: the
    code of what it waits for."""

    asked: WorkloadSubmitted
    rank: int
    reason: str

    @property
    def queue_key(self) -> tuple[int, int, str]:
        """Most urgent first, then by arrival, then by id: as routing looks at its queue."""
        return (-self.asked.priority, self.rank, self.asked.workload_id)


@dataclass(slots=True)
class State:
    """
    sites: those of the pool that have GPUs, or may still register some
    now: the time that the pool's sites last told; None before any did
    arrivals: how many submissions have waited
    waiting: by workload id
    forwarded: each submission sent to a site, or cancelled, by workload id, the oldest first
    """

    pool: str
    sites: dict[str, Site] = field(default_factory=dict)
    now: int | None = None
    arrivals: int = 0
    waiting: dict[str, Waiting] = field(default_factory=dict)
    forwarded: dict[str, Forwarded] = field(default_factory=dict)
