"""Counts of workloads that did not go straight through. Sites delta and epsilon are its own."""

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


def wait_in_line(story: Story, site_id: str, *priorities: int) -> None:
    for number, priority in enumerate(priorities):
        spec: dict[str, Any] = {
            "site_id": site_id,
            "at": START + number,
            "workload_id": f"{site_id}-q{number}",
            "customer_id": "c",
            "name": "job",
            "kind": "batch",
            "gpu_model": None,
            "gpu_count": 1,
            "duration_s": 60,
            "priority": priority,
        }
        submitted = story.report(sites.WorkloadSubmitted(**spec))
        queued = sites.WorkloadQueued(submitted_at=START + number, reason="", **spec)
        story.answer("routing", submitted, queued)


def test_places_in_the_queue_go_on_from_page_to_page(
    platform: Platform, client: httpx.Client
) -> None:
    wait_in_line(platform.story, "epsilon", 1, 5, 1)
    wait_in_line(platform.story, "epsilon-2", 0, 0)
    query: dict[str, Any] = {"limit": 2, "min_position": platform.write()}
    found, cursor = [], True
    while cursor:
        page = client.get("/api/v1/queue", params=query).json()
        found += [(item["workload_id"], item["queue_position"]) for item in page["items"]]
        cursor = query["cursor"] = page["next_cursor"]
    assert [item for item in found if item[0].startswith("epsilon")] == [
        *(("epsilon-q1", 1), ("epsilon-q0", 2), ("epsilon-q2", 3)),
        *(("epsilon-2-q0", 1), ("epsilon-2-q1", 2)),
    ]
