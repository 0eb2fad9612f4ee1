"""Which site of a pool gets a submission, or what it waits for.

Sites that could start it now come first: enough free GPUs, and power left for AI. Then most free
GPUs, fewest waiting, most power, and by id. Power is a preference and no condition: a summary
tells neither what a GPU draws nor how long a curtailment lasts. Prices it does not tell at all:
whether a submission pays the list price, its site judges.

What no site can take waits while that may change by itself: no site has reported, one is still
registering its units, or enough GPUs are registered and some are out of service. It is refused only
when every site of the pool has told what it has, and none has enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from schemas.events.intake import WorkloadSubmitted
from streams.brokering.state import PREPARING, Site, Stock
from streams.refusal import Refusal


@dataclass(frozen=True, slots=True)
class Choice:
    site_id: str
    gpu_model: str


@dataclass(frozen=True, slots=True)
class Wait:
    """reason: a code; detail: a sentence for people"""

    reason: str
    detail: str


class Shape(NamedTuple):
    """All that a choice depends on: submissions of one shape are taken or wait together."""

    gpu_model: str | None
    gpu_count: int


def shape_of(event: WorkloadSubmitted) -> Shape:
    return Shape(event.gpu_model, event.gpu_count)


def choose(pool: str, sites: Mapping[str, Site], shape: Shape) -> Choice | Wait | Refusal:
    """All GPUs of a workload are of one model on one site."""
    candidates = [
        (
            _starts_now(site, stock, shape),
            -stock.free,
            site.queued,
            -site.headroom_w,
            site_id,
            model,
        )
        for site_id, site in sites.items()
        for model, stock in _offered(site, shape)
        if stock.total >= shape.gpu_count
    ]
    if candidates:
        *_, site_id, model = min(candidates)
        return Choice(site_id, model)
    return _why_not(pool, sites, shape)


def take(sites: Mapping[str, Site], choice: Choice, gpu_count: int) -> None:
    """What goes to a site is gone from its stock until the site itself says what it has left."""
    site = sites.get(choice.site_id)
    if site is not None:
        site.queued += 1
        if choice.gpu_model in site.gpus:
            site.gpus[choice.gpu_model].free -= gpu_count


def _starts_now(site: Site, stock: Stock, shape: Shape) -> int:
    """0 when it does, so that it sorts first."""
    return 0 if site.headroom_w > 0 and stock.free >= shape.gpu_count else 1


def _offered(site: Site, shape: Shape) -> list[tuple[str, Stock]]:
    return [
        (model, stock)
        for model, stock in site.gpus.items()
        if shape.gpu_model in (None, model) and stock.registered > 0
    ]


def _why_not(pool: str, sites: Mapping[str, Site], shape: Shape) -> Wait | Refusal:
    if not sites:
        return Wait("no_site", f"No site with GPUs has reported to the pool {pool!r} yet.")
    preparing = sorted(site_id for site_id, site in sites.items() if site.phase == PREPARING)
    if preparing:
        told = f"{preparing[0]} is still registering what it has"
        others = len(preparing) - 1
        more = f", and {others} more sites are" if others else ""
        return Wait("site_preparing", f"{told}{more}.")
    most = max((s.registered for x in sites.values() for _, s in _offered(x, shape)), default=0)
    model = shape.gpu_model or "GPU"
    if most >= shape.gpu_count:
        told = f"{shape.gpu_count} healthy GPUs of one model asked for; some are out of service."
        return Wait("gpus_out_of_service", told)
    if not most:
        return Refusal("no_such_model", f"No site of the pool has a {model}.")
    return Refusal(
        "too_many_gpus",
        f"{shape.gpu_count} GPUs of one model asked for; the largest site has {most}.",
    )
