"""A gateway whose services are all away: it lives, says so, and turns nobody away with a 500."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import httpx2 as httpx
import pytest
from starlette.testclient import TestClient

from gateway.app import create_app
from gateway.settings import Settings
from tests.gateway.conftest import HERE


@pytest.fixture(scope="module")
def alone() -> Iterator[httpx.Client]:
    nowhere = Settings(
        kafka="127.0.0.1:9",
        schema_registry="http://127.0.0.1:9",
        database="postgresql://nobody@127.0.0.1:9/none",
        gateway_publish_timeout_s=0.5,
    )
    with TestClient(create_app(nowhere), raise_server_exceptions=False, base_url=HERE) as client:
        yield client


def test_it_lives(alone: httpx.Client) -> None:
    assert alone.get("/healthz").status_code == 200
    assert alone.get("/openapi.json").json()["openapi"] == "3.1.0"
    assert alone.get("/docs").status_code == 200


@pytest.mark.parametrize("path", ["/readyz", "/api/v1/workloads", "/api/v1/report"])
def test_reads_are_503_and_say_when_to_retry(alone: httpx.Client, path: str) -> None:
    answer = alone.get(path)
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "2"


def test_a_write_is_503(alone: httpx.Client) -> None:
    body = {"name": "n", "customer_id": "c", "kind": "batch", "gpu_count": 1, "duration_s": 1}
    answer = alone.post("/api/v1/workloads", json=body)
    assert answer.status_code == 503


def test_health_says_what_is_down(alone: httpx.Client) -> None:
    health = alone.get("/api/v1/health").json()
    assert health["status"] == "down"
    assert {part["status"] for part in health["components"]} == {"down", "not_installed"}
    installed = [part for part in health["components"] if part["status"] == "down"]
    assert len(installed) == len(health["components"]) - 2


def test_where_the_logs_end_is_asked_once_for_many_positions(
    alone: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    positions = ",".join(f"hcp.{log}.v1:0:1" for log in ("sites", "intake", "accounts"))
    answer = alone.get("/api/v1/workloads", params={"min_position": positions})
    assert answer.status_code == 503
    asked = [record for record in caplog.records if "partitions of logs" in record.getMessage()]
    assert len(asked) == 1
