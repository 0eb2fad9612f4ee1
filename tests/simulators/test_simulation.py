"""The whole simulator, as a process, on real Kafka: what it writes, and what a kill does to it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from deploy.local.ports import choose_free
from schemas import provisioning
from schemas.codec import Codec
from schemas.events import sites
from schemas.registry import RegistryIds, register
from schemas.topics import ACCOUNTS, INTAKE, SITES, Topic, Topics
from simulators import scenario as scenarios
from simulators import schedule
from simulators.reader import Found, LogReader
from simulators.workloads import arrivals

SEED = scenarios.load("seed")
SITE = SEED.sites[0]
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def topics(kafka: str, registry: str, topic_prefix: str) -> Topics:
    names = Topics(topic_prefix)
    register(registry, names)
    provisioning.provision(kafka, names, partitions=1, replication=1)
    return names


@contextmanager
def simulator(
    kafka: str, registry: str, topics: Topics, log_file: Path, *, pace: str, speed: int
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The process and its address; killed at the end if it still runs."""
    (port,) = choose_free(1)
    environment = {
        **os.environ,
        "HCP_KAFKA": kafka,
        "HCP_SCHEMA_REGISTRY": registry,
        "HCP_TOPIC_PREFIX": topics.prefix,
        "HCP_SIMULATOR_PACE": pace,
    }
    arguments = ("run", "--scenario", "seed", "--speed", str(speed), "--port", str(port))
    with log_file.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "simulators", *arguments],
            env=environment,
            stdout=out,
            stderr=out,
        )
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def event_time(url: str) -> str:
    try:
        return str(httpx.get(f"{url}/status").json()["event_time"] or "")
    except httpx.TransportError:
        return ""


def wait_until_past(url: str, moment: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while event_time(url) < moment:
        assert time.monotonic() < deadline, f"event time stands at {event_time(url)!r}"
        time.sleep(0.05)


def read(kafka: str, registry: str, topics: Topics, topic: Topic) -> list[Found]:
    keys = {SITE.site_id, SITE.pool, *(customer.customer_id for customer in SEED.customers)}
    codec = Codec(RegistryIds(registry, topics))
    reader = LogReader(kafka, topics, codec, logs=(topic,), keys=keys, types=topic.events)
    try:
        return list(reader.history())
    finally:
        reader.close()


def test_killed_twice_it_publishes_each_event_once(
    kafka: str, registry: str, topics: Topics, tmp_path: Path
) -> None:
    log_file = tmp_path / "simulator.log"
    for moment in ("2024-05-06T03", "2024-05-06T06"):
        with simulator(kafka, registry, topics, log_file, pace="free", speed=3_600) as (_, url):
            wait_until_past(url, moment)
    with simulator(kafka, registry, topics, log_file, pace="free", speed=3_600) as (last, url):
        wait_until_past(url, "2024-05-06T08")
        last.terminate()
        assert last.wait(timeout=20) == 0, log_file.read_text()

    log = read(kafka, registry, topics, SITES)
    assert max(Counter(found.envelope.id for found in log).values()) == 1
    events = [found.event for found in log]
    ticks = [event.at for event in events if isinstance(event, sites.TimePassed)]
    assert ticks == sorted(set(ticks)), "time neither repeats nor goes back"
    now = ticks[-1]
    submitted = [e.workload_id for e in events if isinstance(e, sites.WorkloadSubmitted)]
    assert submitted == [a.workload_id for a in arrivals(SEED) if a.at <= now]
    prices = [
        found.envelope.id for found in log if isinstance(found.event, sites.PowerPricePublished)
    ]
    planned = [p for p in schedule.site_feed(SEED, SITE) if p.at <= now]
    assert prices == [
        p.envelope.id for p in planned if isinstance(p.event, sites.PowerPricePublished)
    ]
    customers = read(kafka, registry, topics, ACCOUNTS)
    assert [f.envelope.id for f in customers] == [
        p.envelope.id for p in schedule.customer_events(SEED)
    ]
    assert log_file.read_text().count("resumed seed at 2024-05-06T") == 2


def test_without_routing_time_stands_still_and_submissions_are_taken(
    kafka: str, registry: str, topics: Topics, tmp_path: Path
) -> None:
    """After the test above: hours of ticks and workloads that no routing has read."""
    log_file = tmp_path / "simulator.log"
    with simulator(kafka, registry, topics, log_file, pace="routing", speed=3_600) as (_, url):
        wait_until_past(url, "2024-05-06T08")
        stood = event_time(url)
        body = {"name": "x", "kind": "batch", "gpu_count": 1, "duration_s": 60}
        to_site = httpx.post(f"{url}/submit", json={**body, "site_id": "seed"}).json()
        to_pool = httpx.post(f"{url}/submit", json=body).json()
        assert to_site["position"].startswith("hcp.sites.v1:0:")
        assert to_pool["position"].startswith("hcp.intake.v1:0:")
        deadline = time.monotonic() + PATIENCE_S
        while httpx.get(f"{url}/status").json()["state"] != "waiting":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert event_time(url) == stood
    assert f"time stands still at {stood}: waiting for routing to read" in log_file.read_text()
    (asked,) = read(kafka, registry, topics, INTAKE)
    assert asked.envelope.subject == to_pool["workload_id"]


def test_after_the_last_billing_period_time_goes_on_at_the_walls_pace(
    kafka: str, registry: str, topics: Topics, tmp_path: Path
) -> None:
    log_file = tmp_path / "simulator.log"
    with simulator(kafka, registry, topics, log_file, pace="free", speed=1_000_000) as (_, url):
        wait_until_past(url, "2024-05-10T03:00:00.000Z")
        status = httpx.get(f"{url}/status").json()
        assert (status["finished"], status["state"]) == (True, "finished")
        body = {"name": "x", "kind": "batch", "gpu_count": 1, "duration_s": 60, "site_id": "seed"}
        assert httpx.post(f"{url}/submit", json=body).status_code == 202
    events = [found.event for found in read(kafka, registry, topics, SITES)]
    last = max(event.at for event in events if isinstance(event, sites.TimePassed))
    assert 0 <= last - SEED.closes_ms < PATIENCE_S * 1000, "no faster than the wall"
    submitted = [event for event in events if isinstance(event, sites.WorkloadSubmitted)]
    assert len(submitted) == len(list(arrivals(SEED))) + 2, "and the one of the test above"
    prices = sum(isinstance(event, sites.PowerPricePublished) for event in events)
    assert prices == (SEED.closes_ms - SEED.starts_ms) // 900_000 + 1, "the last one is held"


def test_without_topics_it_says_what_to_do(kafka: str, registry: str, tmp_path: Path) -> None:
    log_file = tmp_path / "simulator.log"
    nowhere = Topics("nowhere.")
    with simulator(kafka, registry, nowhere, log_file, pace="free", speed=1) as (process, _):
        assert process.wait(timeout=PATIENCE_S) == 1
    told = log_file.read_text()
    assert "Traceback" not in told
    assert "run `python -m schemas register`" in told
