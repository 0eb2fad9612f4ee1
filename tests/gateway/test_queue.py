"""The queue as routing looks at it: by priority, then in the order of the site's log."""

from __future__ import annotations

from typing import Any

import httpx2 as httpx

from schemas.events import sites
from tests.gateway.conftest import Platform
from tests.gateway.test_reads import every_page

SITE = "queueing"
START = 1_725_148_800_000


def test_the_queue_is_in_the_order_of_the_log(platform: Platform, client: httpx.Client) -> None:
    # Given three that wait, whose producers claim times in another order
    story = platform.story
    for workload_id, priority, claimed in (("b", 0, START), ("a", 0, START - 9), ("c", 5, START)):
        spec: dict[str, Any] = {
            "workload_id": f"queueing-{workload_id}",
            "customer_id": "queueing-c1",
            "name": "run",
            "kind": "training",
            "gpu_count": 1,
            "duration_s": 60,
            "priority": priority,
        }
        event = sites.WorkloadSubmitted(site_id=SITE, at=claimed, **spec)
        queued = sites.WorkloadQueued(
            site_id=SITE, at=START, submitted_at=claimed, reason="Waits.", **spec
        )
        story.answer("routing", story.report(event), queued)
    position = platform.write()
    # When read page by page
    waiting = every_page(client, "/queue", site_id=SITE, limit=1, min_position=position)
    # Then
    assert [row["workload_id"] for row in waiting] == ["queueing-c", "queueing-b", "queueing-a"]
    assert [row["queue_position"] for row in waiting] == [1, 2, 3]
