"""What brokering knows of one pool: a fold of its part of the intake log."""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_REMEMBERED = 10_000  # submissions; an older one sent again would be brokered again


@dataclass(slots=True)
class Stock:
    """GPUs of one model on one site. free: by the last summary, less what was sent there since."""

    total: int
    free: int


@dataclass(slots=True)
class Site:
    """queued: by the last summary, and what was sent there since. headroom_w: by the last summary;
    what a GPU draws is not known here."""

    gpus: dict[str, Stock]
    queued: int
    headroom_w: int


@dataclass(slots=True)
class Forwarded:
    """digest: of what was asked for"""

    site_id: str
    digest: str


@dataclass(slots=True)
class State:
    """
    sites: those of the pool that have GPUs
    forwarded: each submission sent to a site, by workload id, the oldest first
    """

    pool: str
    sites: dict[str, Site] = field(default_factory=dict)
    forwarded: dict[str, Forwarded] = field(default_factory=dict)
