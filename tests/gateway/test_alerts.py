"""Alerts where operators look: the list, the health report that `hcp status` shows, the metrics."""

from __future__ import annotations

import httpx2 as httpx
import psycopg

from gateway.health import alerts_said
from tests.gateway.conftest import Platform
from tests.integration.processes import wait_until

TOPIC = "hcp.flooded.v1"


def test_a_flood_of_dead_letters_is_seen_wherever_operators_look(
    platform: Platform, client: httpx.Client
) -> None:
    def listed() -> list[str]:
        items = client.get("/api/v1/alerts?active=true&limit=200").json()["items"]
        return [item["detail"] for item in items if item["alert_id"] == f"dead_letters/{TOPIC}"]

    def in_health() -> str:
        components = client.get("/api/v1/health").json()["components"]
        return str({part["name"]: part["detail"] for part in components}["alerts"])

    metric = 'hcp_gateway_open_alerts{kind="dead_letters",severity="warning"} 1.0'
    assert not listed()
    with psycopg.connect(platform.settings.database, autocommit=True) as connection:
        try:
            connection.execute(
                "INSERT INTO dead_letters SELECT 'flood' || i, %s, 0, i, 'routing', "
                "'malformed_body', 'No.', now(), 0, NULL, 0, NULL, 0, '[]', 0 "
                "FROM generate_series(1, 101) i",
                (TOPIC,),
            )
            (detail,) = listed()
            assert detail.startswith(f"101 records of {TOPIC} were refused within 5 minutes")
            wait_until(lambda: detail in in_health(), 20, "health tells of the alert")
            assert metric in client.get("/metrics").text
        finally:
            connection.execute("DELETE FROM dead_letters WHERE topic = %s", (TOPIC,))
    assert not listed()
    wait_until(lambda: detail not in in_health(), 20, "health knows that it is over")
    assert metric not in client.get("/metrics").text


def test_health_says_how_many_stand_and_what_the_newest_is() -> None:
    assert alerts_said([]) == "none"
    row = {"kind": "site_silent", "severity": "critical", "count": 2, "detail": "Nothing came."}
    assert alerts_said([row]) == "2 critical site_silent: Nothing came.; see /api/v1/alerts"
