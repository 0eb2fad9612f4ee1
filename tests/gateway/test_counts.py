"""What the report counts of workloads that did not go straight through. Site delta is its own."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import httpx2 as httpx

from schemas.events import sites
from tests.gateway.conftest import Platform
from tests.projections.story import START, Story

SITE = "delta"
RUN: dict[str, Any] = {
    "site_id": SITE,
    "at": START,
    "workload_id": "delta-w1",
    "placement_id": "delta-p1",
    "customer_id": "delta-c1",
}


def requeue(story: Story) -> None:
    """Placed on a unit that fails, and waiting since."""
    spec: dict[str, Any] = {
        "workload_id": "delta-w1",
        "customer_id": "delta-c1",
        "name": "job",
        "kind": "batch",
        "gpu_model": "H100",
        "gpu_count": 1,
        "duration_s": 60,
    }
    site = sites.SiteConfigured(
        site_id=SITE, at=START, name="D", pool="p", power_cap_w=1, feeders=(), gpu_prices=()
    )
    story.report(site)
    submitted = story.report(sites.WorkloadSubmitted(site_id=SITE, at=START, **spec))
    queued = sites.WorkloadQueued(site_id=SITE, at=START, submitted_at=START, reason="", **spec)
    placed = sites.WorkloadPlaced(
        gpu_model="H100",
        gpu_milli=1000,
        units=(sites.UnitShare(unit_id="g1", gpu_milli=1000, power_w=700),),
        duration_s=60,
        attempt=1,
        price_usd_per_gpu_hour=Decimal("2.35"),
        decision_id="delta-d1",
        **RUN,
    )
    story.answer("routing", submitted, queued, placed)
    failed = sites.UnitFailed(site_id=SITE, at=START, unit_id="g1", reason="fan")
    requeued = sites.WorkloadRequeued(reason="unit_failed", **RUN)
    story.answer("routing", story.report(failed), requeued)


def test_a_workload_that_waits_again_was_placed_all_the_same(
    platform: Platform, client: httpx.Client
) -> None:
    requeue(platform.story)
    query = {"site_id": SITE, "min_position": platform.write()}
    counts = client.get("/api/v1/report", params=query).json()["workloads"]
    assert (counts["submitted"], counts["placed"], counts["queued"]) == (1, 1, 1)
