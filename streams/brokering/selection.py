"""Which site of a pool gets a submission.

Sites that could start it now come first: enough free GPUs, and power left for AI. Then most free
GPUs, fewest waiting, most power, and by id. Power is a preference and no condition: a summary
tells neither what a GPU draws nor how long a curtailment lasts. Prices it does not tell at all:
whether a submission pays the list price, its site judges.
"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.events.intake import WorkloadSubmitted
from streams.brokering.state import Site, State, Stock
from streams.refusal import Refusal


@dataclass(frozen=True, slots=True)
class Choice:
    site_id: str
    gpu_model: str


def choose(state: State, event: WorkloadSubmitted) -> Choice | Refusal:
    """All GPUs of a workload are of one model on one site."""
    candidates = [
        (
            _starts_now(site, stock, event),
            -stock.free,
            site.queued,
            -site.headroom_w,
            site_id,
            model,
        )
        for site_id, site in state.sites.items()
        for model, stock in _offered(site, event)
        if stock.total >= event.gpu_count
    ]
    if candidates:
        *_, site_id, model = min(candidates)
        return Choice(site_id, model)
    return _why_not(state, event)


def _starts_now(site: Site, stock: Stock, event: WorkloadSubmitted) -> int:
    """0 when it does, so that it sorts first."""
    return 0 if site.headroom_w > 0 and stock.free >= event.gpu_count else 1


def _offered(site: Site, event: WorkloadSubmitted) -> list[tuple[str, Stock]]:
    return [
        (model, stock)
        for model, stock in site.gpus.items()
        if event.gpu_model in (None, model) and stock.total > 0
    ]


def _why_not(state: State, event: WorkloadSubmitted) -> Refusal:
    if not state.sites:
        return Refusal("no_site", f"No site with GPUs serves the pool {event.pool!r}.")
    offered = [stock.total for site in state.sites.values() for _, stock in _offered(site, event)]
    model = event.gpu_model or "GPU"
    if not offered:
        return Refusal("no_such_model", f"No site of the pool has a healthy {model}.")
    return Refusal(
        "too_many_gpus",
        f"{event.gpu_count} GPUs of one model asked for; the largest site has {max(offered)}.",
    )
