"""The queue as routing looks at it: by priority, then in the order of the site's log."""

from __future__ import annotations

from typing import Any

import httpx2 as httpx

from schemas.events import intake, sites
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


def test_what_waits_for_a_site_is_seen_and_can_be_cancelled(
    platform: Platform, client: httpx.Client
) -> None:
    # Given two that no site of their pool can take yet
    story = platform.story
    for rank, workload_id in enumerate(("siteless-b", "siteless-a")):
        spec: dict[str, Any] = {
            "pool": "siteless",
            "at": START,
            "workload_id": workload_id,
            "customer_id": "siteless-c1",
            "name": "run",
            "kind": "training",
            "gpu_count": 1,
            "duration_s": 60,
        }
        queued = intake.WorkloadQueued(
            submitted_at=START, rank=rank, reason="no_site", detail="No site yet.", **spec
        )
        story.answer("brokering", story.report(intake.WorkloadSubmitted(**spec)), queued)
    position = platform.write()
    # Then each list shows them, with the reason
    waiting = [
        row
        for row in every_page(client, "/queue", limit=1, min_position=position)
        if row["site_id"] is None and row["customer_id"] == "siteless-c1"
    ]
    assert [row["workload_id"] for row in waiting] == ["siteless-b", "siteless-a"]
    assert [row["queue_position"] for row in waiting] == [1, 2]
    assert {(row["state"], row["reason"], row["detail"]) for row in waiting} == {
        ("queued", "no_site", "No site yet.")
    }
    explained = client.get("/api/v1/workloads/siteless-a/explain").json()
    assert explained["pending_because"] == "No site yet."
    assert explained["queue_position"] == 2
    # And a cancellation goes where they wait
    cancelled = client.delete("/api/v1/workloads/siteless-a")
    assert cancelled.status_code == 202, cancelled.text
    assert cancelled.json()["position"].startswith("hcp.intake.v1:")
    path = f"/api/v1/workloads/siteless-a/events?min_position={cancelled.json()['position']}"
    (event,) = [
        item
        for item in client.get(path).json()["items"]
        if item["type"] == intake.WorkloadCancelled.FULL_NAME
    ]
    assert event["data"]["pool"] == "siteless"


def test_an_alert_about_a_workload_is_listed_and_explains_it(
    platform: Platform, client: httpx.Client
) -> None:
    story = platform.story
    spec: dict[str, Any] = {
        "site_id": SITE,
        "at": START,
        "workload_id": "queueing-late",
        "customer_id": "queueing-c1",
        "name": "run",
        "kind": "training",
        "gpu_count": 1,
        "duration_s": 60,
    }
    story.report(sites.WorkloadSubmitted(**spec))
    alert = sites.AlertRaised(
        site_id=SITE,
        at=START,
        alert_id="late-1",
        kind="workload_overdue",
        severity="warning",
        workload_id="queueing-late",
        detail="It should have ended.",
    )
    story.answer("routing", story.report(sites.TimePassed(site_id=SITE, at=START)), alert)
    path = f"/api/v1/workloads/queueing-late/explain?min_position={platform.write()}"
    (told,) = client.get(path).json()["alerts"]
    assert (told["kind"], told["unit_id"], told["detail"]) == (
        "workload_overdue",
        None,
        "It should have ended.",
    )
    (listed,) = client.get(f"/api/v1/alerts?site_id={SITE}&active=true").json()["items"]
    assert (listed["alert_id"], listed["workload_id"]) == ("late-1", "queueing-late")
