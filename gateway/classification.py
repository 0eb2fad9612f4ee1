"""A dry run of a submission: which class of work it is, and where it could ever run. Pure.

The agents decide for real, at their time and with their state; this is what the read models say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, Field

from gateway.values import Number

Row = Mapping[str, Any]
WorkloadClass = Literal["interactive", "deadline", "flexible", "standard"]


class SiteFeasibility(BaseModel):
    site_id: str
    feasible: bool = Field(description="Whether the site could ever run it")
    fits_now: bool = Field(description="Whether that many GPUs are free at this moment")
    gpu_model: str | None = Field(description="The model it would get")
    price_usd_per_gpu_hour: Number | None
    reason: str


class Classification(BaseModel):
    workload_class: WorkloadClass
    feasible: bool
    reason: str
    sites: list[SiteFeasibility]


def workload_class(kind: str, *, preemptible: bool, deadline: object | None) -> WorkloadClass:
    if kind in {"interactive", "inference"}:
        return "interactive"
    if deadline is not None:
        return "deadline"
    return "flexible" if preemptible else "standard"


def site_feasibility(
    site: Row,
    capacity: Iterable[Row],
    *,
    gpu_model: str | None,
    gpu_count: int,
    gpu_milli: int,
    max_price: Decimal | None,
) -> SiteFeasibility:
    """The cheapest model that could run it; one that fits now before one that does not."""
    prices = {
        row["gpu_model"]: Decimal(row["price_usd_per_gpu_hour"]) for row in site["gpu_prices"]
    }
    models = [row for row in capacity if gpu_model in {None, row["model"]}]
    if not models:
        return _no(site, f"has no {gpu_model or 'GPU'}")
    large = [row for row in models if row["total"] - row["out_of_service"] >= gpu_count]
    if not large:
        return _no(site, f"has fewer than {gpu_count} working GPUs of one model")
    affordable = [
        row
        for row in large
        if max_price is None or prices.get(row["model"], Decimal(0)) <= max_price
    ]
    if not affordable:
        return _no(site, "asks more than the highest price allowed")

    def fits(row: Row) -> bool:
        free: int = row["free_gpu_milli"] if gpu_milli < 1000 else row["free"] * 1000
        return free >= gpu_count * gpu_milli

    best = min(
        affordable,
        key=lambda row: (not fits(row), prices.get(row["model"], Decimal(0)), row["model"]),
    )
    return SiteFeasibility(
        site_id=site["site_id"],
        feasible=True,
        fits_now=fits(best),
        gpu_model=best["model"],
        price_usd_per_gpu_hour=prices.get(best["model"]),
        reason="free now" if fits(best) else "would wait for GPUs",
    )


def _no(site: Row, reason: str) -> SiteFeasibility:
    return SiteFeasibility(
        site_id=site["site_id"],
        feasible=False,
        fits_now=False,
        gpu_model=None,
        price_usd_per_gpu_hour=None,
        reason=reason,
    )
