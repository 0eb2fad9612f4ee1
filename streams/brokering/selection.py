"""Which site of a pool gets a submission: most free GPUs, then fewest waiting, then by id."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.events.intake import WorkloadSubmitted
from streams.brokering.state import Site, State, Stock


@dataclass(frozen=True, slots=True)
class Choice:
    site_id: str
    gpu_model: str


@dataclass(frozen=True, slots=True)
class Impossible:
    """reason: a code; detail: a sentence for people"""

    reason: str
    detail: str


def choose(state: State, event: WorkloadSubmitted) -> Choice | Impossible:
    """All GPUs of a workload are of one model on one site."""
    candidates = [
        (-stock.free, site.queued, site_id, model)
        for site_id, site in state.sites.items()
        for model, stock in _offered(site, event)
        if stock.total >= event.gpu_count
    ]
    if candidates:
        _, _, site_id, model = min(candidates)
        return Choice(site_id, model)
    return _why_not(state, event)


def _offered(site: Site, event: WorkloadSubmitted) -> list[tuple[str, Stock]]:
    return [
        (model, stock)
        for model, stock in site.gpus.items()
        if event.gpu_model in (None, model) and stock.total > 0
    ]


def _why_not(state: State, event: WorkloadSubmitted) -> Impossible:
    if not state.sites:
        return Impossible("no_site", f"No site serves the pool {event.pool!r}.")
    offered = [stock.total for site in state.sites.values() for _, stock in _offered(site, event)]
    model = event.gpu_model or "GPU"
    if not offered:
        return Impossible("no_such_model", f"No site of the pool has a healthy {model}.")
    return Impossible(
        "too_many_gpus",
        f"{event.gpu_count} GPUs of one model asked for; the largest site has {max(offered)}.",
    )
