"""When `hcp up` counts as up."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from deploy import readiness
from deploy.gateway import Gateway
from deploy.local.plan import scenario_sites, scenarios

WELL = {"components": [{"name": "routing", "status": "ok", "detail": "0 events behind"}]}


@pytest.fixture
def answers() -> dict[str, dict[str, Any]]:
    """What the gateway says, by path; a path that is missing is 404."""
    return {}


@pytest.fixture
def gateway(answers: dict[str, dict[str, Any]]) -> Iterator[Gateway]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = answers.get(self.path.removeprefix("/api/v1"))
            self.send_response(404 if answer is None else 200)
            self.end_headers()
            self.wfile.write(json.dumps(answer or {"title": "Not found"}).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Gateway(f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        ({}, ["Not found"]),
        ({"/health": {"components": [{"name": "routing", "status": "down"}]}}, ["routing: down"]),
        ({"/health": WELL}, ["site a: Not found", "site b: Not found"]),
        (
            {
                "/health": WELL,
                "/sites/a": {"now": "2024-05-01T00:00:00Z"},
                "/sites/b": {"now": None},
            },
            ["site b: its clock has not ticked yet"],
        ),
        (
            {
                "/health": WELL,
                "/sites/a": {"now": "2024-05-01T00:00:00Z"},
                "/sites/b": {"now": "2024-05-01T00:00:00Z"},
            },
            [],
        ),
    ],
)
def test_it_is_up_when_every_site_of_the_scenario_has_a_clock(
    gateway: Gateway,
    answers: dict[str, dict[str, Any]],
    said: dict[str, dict[str, Any]],
    missing: list[str],
) -> None:
    answers.update(said)
    assert readiness.missing(gateway, ("a", "b")) == missing


def test_without_sites_nothing_but_health_is_waited_for(
    gateway: Gateway, answers: dict[str, dict[str, Any]]
) -> None:
    answers["/health"] = WELL
    assert readiness.missing(gateway, ()) == []


def test_every_scenario_names_its_sites() -> None:
    assert all(scenario_sites(name) for name in scenarios())
    assert scenario_sites("fleet") == ("fleet-north", "fleet-south", "fleet-west")
