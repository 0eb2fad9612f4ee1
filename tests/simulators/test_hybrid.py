from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any, cast

import pytest
from starlette.requests import Request
from starlette.testclient import TestClient

from gateway.commands import WorkloadSubmission
from schemas.events import intake, sites
from schemas.topics import Event
from simulators import hybrid
from simulators import scenario as scenarios
from simulators.hybrid import Submission, application
from simulators.settings import Settings
from simulators.simulation import Position, Simulation, Status
from simulators.switching import Switching
from streams import site_inputs

GOOD: dict[str, Any] = {"name": "x", "kind": "batch", "gpu_count": 1, "duration_s": 60}


HERE = "http://127.0.0.1"


@pytest.fixture
def simulation() -> Simulation:
    found = Simulation(scenarios.load("seed"), Settings(), 300.0)
    found.status = Status("running", found.scenario.starts_ms)
    return found


@pytest.fixture
def client(simulation: Simulation) -> Iterator[TestClient]:
    with TestClient(application(simulation), base_url=HERE) as client:
        yield client


@pytest.fixture
def taken(simulation: Simulation) -> Iterator[list[Event]]:
    """What a loop at event time 1,000 would write; its position is always the same."""
    events: list[Event] = []
    over = threading.Event()

    def take() -> None:
        while not over.is_set():
            if simulation.inbox.empty():
                over.wait(0.005)
                continue
            request = simulation.inbox.get_nowait()
            events.append(request.build(1_000))
            request.answer.set_result(Position("hcp.sites.v1", 0, 42))

    thread = threading.Thread(target=take)
    thread.start()
    yield events
    over.set()
    thread.join()


def test_a_submission_names_its_workload_and_position(
    client: TestClient, taken: list[Event]
) -> None:
    answer = client.post("/submit", json={**GOOD, "site_id": "seed", "workload_id": "w-1"})
    assert answer.status_code == 202
    assert answer.json() == {"workload_id": "w-1", "position": "hcp.sites.v1:0:42"}
    assert taken == [
        sites.WorkloadSubmitted(
            site_id="seed", at=1_000, workload_id="w-1", customer_id="seed-lab", name="x",
            kind="batch", gpu_count=1, duration_s=60,
        )
    ]  # fmt: skip


def test_without_a_site_brokering_is_asked(client: TestClient, taken: list[Event]) -> None:
    body = {**GOOD, "deadline": "2024-05-07T00:00:00Z", "max_price_usd_per_gpu_hour": "2.5"}
    answer = client.post("/submit", json=body)
    assert answer.status_code == 202
    (event,) = taken
    assert isinstance(event, intake.WorkloadSubmitted)
    assert event.pool == "default"
    assert event.deadline == 1_715_040_000_000
    assert str(event.max_price_usd_per_gpu_hour) == "2.5"
    assert event.workload_id == answer.json()["workload_id"]


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"kind": "mining"}, 422, "kind"),
        ({"gpu_count": 0}, 422, "gpu_count"),
        ({"duration_s": 0}, 422, "duration_s"),
        ({"gpu_milli": 500, "gpu_count": 2}, 422, "gpu_count must be 1"),
        ({"site_id": "nowhere"}, 422, "there are: seed"),
        ({"colour": "red"}, 422, "colour"),
        ({"deadline": "9999-12-31T23:59:59-12:00"}, 422, "from 1970 to 2099"),
        ({"deadline": "1970-01-01T00:00:00+14:00"}, 422, "from 1970 to 2099"),
        ({"max_price_usd_per_gpu_hour": "-1"}, 422, "max_price_usd_per_gpu_hour"),
        ({"duration_s": 366 * 86_400 + 1}, 422, "duration_s"),
        ({"name": "two\nlines"}, 422, "name"),
        ({"gpu_model": "H100\x00"}, 422, "gpu_model"),
        ({"workload_id": "w\x1b[31m"}, 422, "workload_id"),
        ({"customer_id": "a b"}, 422, "customer_id"),
    ],
)
def test_bad_submissions_are_refused_with_reasons(
    client: TestClient, change: dict[str, Any], status: int, words: str
) -> None:
    answer = client.post("/submit", json={**GOOD, **change})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert words in answer.text


def test_every_fault_is_named(client: TestClient) -> None:
    answer = client.post("/submit", json={**GOOD, "kind": "mining", "gpu_count": 0})
    assert [fault["field"] for fault in answer.json()["errors"]] == ["kind", "gpu_count"]


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost:8090", 200), ("[::1]:8090", 200), ("evil.example:8090", 421), ("[::1", 421)],
)
def test_another_host_is_refused(client: TestClient, host: str, status: int) -> None:
    assert client.get("/status", headers={"Host": host}).status_code == status


def test_not_json_and_too_large(client: TestClient) -> None:
    assert client.post("/submit", content=b"{").status_code == 400
    assert client.post("/submit", content=b"\xff").status_code == 400
    assert client.post("/submit", content=b" " * 70_000).status_code == 413


def test_its_bounds_are_the_gateways_and_routings() -> None:
    gateways = WorkloadSubmission.model_json_schema()["properties"]
    ours = Submission.model_json_schema()["properties"]
    limits = ("minimum", "maximum", "minLength", "maxLength", "pattern")
    for name in set(gateways) & set(ours):
        one, other = _bounded(ours[name]), _bounded(gateways[name])
        assert [one.get(limit) for limit in limits] == [other.get(limit) for limit in limits], name
    assert hybrid.MAX_DURATION_S == site_inputs.MAX_DURATION_S
    assert hybrid.LAST_MS == site_inputs.MAX_TIME_MS


def _bounded(schema: dict[str, Any]) -> dict[str, Any]:
    """Of what may be null: the schema of the rest."""
    found = schema.get("anyOf", [schema])[0]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nope", 404), ("GET", "/submit", 405)]
)
def test_what_is_not_there_is_a_problem_too(
    client: TestClient, method: str, path: str, status: int
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == answer.json()["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert "POST /submit" in answer.json()["detail"]
    assert answer.headers.get("allow") == ("POST" if status == 405 else None)


def test_an_unforeseen_error_is_a_problem_without_its_trace(simulation: Simulation) -> None:
    simulation.switches = cast(Any, None)
    with TestClient(
        application(simulation), base_url=HERE, raise_server_exceptions=False
    ) as client:
        answer = client.get("/switching")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "Traceback" not in answer.text


def test_no_more_of_a_body_is_read_than_shows_that_it_is_too_large() -> None:
    given = 0

    async def receive() -> dict[str, Any]:
        nonlocal given
        given += 1
        return {"type": "http.request", "body": b" " * 10_000, "more_body": True}

    def request(headers: list[tuple[bytes, bytes]]) -> Request:
        return Request({"type": "http", "method": "POST", "headers": headers}, receive)

    assert asyncio.run(hybrid._body(request([]))) is None
    assert given == 7
    assert asyncio.run(hybrid._body(request([(b"content-length", b"65537")]))) is None
    assert given == 7, "nothing at all"


def test_after_the_end_it_is_taken_too(
    client: TestClient, simulation: Simulation, taken: list[Event]
) -> None:
    simulation.status = Status("finished", simulation.scenario.closes_ms)
    assert client.post("/submit", json=GOOD).status_code == 202
    assert len(taken) == 1
    assert client.get("/status").json()["finished"] is True
    simulation.status = Status("waiting", simulation.scenario.closes_ms + 1)
    assert client.get("/status").json()["finished"] is True, "routing away changes nothing there"


def test_status(client: TestClient, simulation: Simulation) -> None:
    assert client.get("/status").json() == {
        "scenario": "seed",
        "starts_at": "2024-05-06T00:00:00.000Z",
        "event_time": "2024-05-06T00:00:00.000Z",
        "ends_at": "2024-05-10T03:00:00.000Z",
        "arrivals_end_at": "2024-05-10T00:00:00.000Z",
        "speed": 300.0,
        "state": "running",
        "waits_for": None,
        "finished": False,
    }
    simulation.status = Status()
    assert client.get("/status").json()["event_time"] is None


def test_switching_and_metrics(client: TestClient, simulation: Simulation) -> None:
    assert client.get("/switching").json()["success_rate"] is None
    switching = Switching(1, 0)
    for number in range(200):
        switch = switching.attempt("h1", str(number), 1)
        simulation.switches.add(
            sites.UnitSwitched(
                site_id="seed", at=number, unit_id="h1", mode="compute", workload_id=None,
                save_ms=switch.save_ms, clear_ms=switch.clear_ms, load_ms=switch.load_ms,
                initialise_ms=switch.initialise_ms, succeeded=number != 7,
            )
        )  # fmt: skip
    answer = client.get("/switching").json()
    outcomes = {"switches": 200, "succeeded": 199, "failed": 1, "success_rate": 0.995}
    none = {"switches": 0, "succeeded": 0, "failed": 0, "success_rate": None}
    assert answer["by_kind"] == {"gpu": outcomes, "asic": none}
    assert answer.items() >= outcomes.items()
    about_ms = {"save": 50, "clear": 80, "load": 120, "initialise": 150}
    means = {phase: taken["mean"] for phase, taken in answer["phases_ms"].items()}
    assert means == pytest.approx(about_ms, rel=0.06)
    assert answer["total_ms"]["mean"] == pytest.approx(sum(means.values()), abs=0.3)
    assert answer["total_ms"]["p99"] <= answer["total_ms"]["max"] <= 480
    assert 350 <= answer["total_ms"]["min"] <= answer["total_ms"]["p50"] <= 480
    assert len(answer["recent"]) == 100
    assert answer["recent"][0]["at"] == "1970-01-01T00:00:00.199Z", "the newest first"
    phases = ("save_ms", "clear_ms", "load_ms", "initialise_ms")
    assert answer["recent"][0]["total_ms"] == sum(answer["recent"][0][name] for name in phases)
    metrics = client.get("/metrics").text
    for phase in (*about_ms, "total"):
        assert f'hcp_simulators_switch_seconds_count{{phase="{phase}"}}' in metrics
    assert 'hcp_simulators_switches_total{succeeded="false",unit_kind="gpu"}' in metrics
    assert client.get("/healthz").json() == {"status": "ok"}
