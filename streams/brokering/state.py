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
    """queued: by the last summary, and what was sent there since."""

    gpus: dict[str, Stock]
    queued: int


@dataclass(slots=True)
class State:
    """answered: digest of each submission sent to a site by workload id, the oldest first"""

    pool: str
    sites: dict[str, Site] = field(default_factory=dict)
    answered: dict[str, str] = field(default_factory=dict)
