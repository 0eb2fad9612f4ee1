"""What health says of parts that stand still, and that it outlives the broker it asks."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import pytest

from deploy.local import ports
from deploy.local.child import Child
from deploy.local.infrastructure import wait_ready
from deploy.local.kafka import Kafka
from gateway.health import Component, overall, verdict
from gateway.progress import Progress
from schemas.events import sites
from schemas.provisioning import provision
from schemas.topics import Topics
from tests.gateway.conftest import Platform
from tests.integration.processes import Process, wait_until
from tests.projections.story import START

HERE = ("hcp.sites.v1", 0)
THERE = ("hcp.sites.v1", 1)


def test_events_that_nobody_takes_age() -> None:
    progress = Progress()
    assert progress.stalled_s("routing", {HERE: 5}, {HERE: 6}, 100.0) == 0
    assert progress.stalled_s("routing", {HERE: 5}, {HERE: 9}, 130.0) == 30
    assert progress.stalled_s("metering", {HERE: 5}, {HERE: 9}, 130.0) == 0


def test_a_part_that_moves_is_not_stalled_however_far_behind() -> None:
    progress = Progress()
    for second in range(100):
        assert progress.stalled_s("routing", {HERE: second}, {HERE: 90_000}, second) == 0


def test_an_idle_hour_is_no_stall_when_the_next_event_comes() -> None:
    progress = Progress()
    progress.stalled_s("routing", {HERE: 5}, {HERE: 6}, 0.0)
    progress.stalled_s("routing", {HERE: 6}, {HERE: 6}, 1.0)
    assert progress.stalled_s("routing", {HERE: 6}, {HERE: 7}, 3600.0) == 0


def test_one_partition_that_stands_still_is_seen_beside_one_that_moves() -> None:
    progress = Progress()
    ends = {HERE: 100, THERE: 100}
    progress.stalled_s("routing", {HERE: 1}, ends, 0.0)
    assert progress.stalled_s("routing", {HERE: 2}, ends, 20.0) == 20


def test_nothing_is_held_against_a_part_that_could_not_be_seen() -> None:
    progress = Progress()
    progress.stalled_s("routing", {HERE: 1}, {HERE: 2}, 0.0)
    progress.forget("routing")
    assert progress.stalled_s("routing", {HERE: 1}, {HERE: 2}, 60.0) == 0


@pytest.mark.parametrize(
    ("lag", "stalled_s", "is_running", "status"),
    [
        (0, 0, True, "ok"),
        (5_000, 14, True, "ok"),
        (5_001, 0, True, "degraded"),
        (1, 16, True, "degraded"),
        (1, 46, True, "down"),
        (0, 0, False, "down"),
    ],
)
def test_a_reader_is_judged_by_how_long_it_took_nothing(
    lag: int, stalled_s: float, is_running: bool, status: str
) -> None:
    assert verdict(lag, stalled_s, is_running=is_running)[0] == status


def test_what_is_not_installed_does_not_count() -> None:
    well = [Component(name=name, status="ok", detail="") for name in ("broker", "database")]
    absent = Component(name="identity", status="not_installed", detail="")
    assert overall(well) == "ok"
    assert overall([*well, absent]) == "ok"
    assert overall([*well, Component(name="routing", status="down", detail="")]) == "degraded"


def test_projections_that_stand_still_are_not_well(
    platform: Platform, client: httpx.Client
) -> None:
    def status() -> str:
        parts = client.get("/api/v1/health").json()["components"]
        return str({part["name"]: part["status"] for part in parts}["projections"])

    wait_until(lambda: status() == "ok", 30, "projections are well")
    platform.projections.send_signal(signal.SIGSTOP)
    try:
        platform.story.report(sites.TimePassed(site_id="delta", at=START))
        platform.write()
        wait_until(lambda: status() == "degraded", 40, "stopped projections are seen")
    finally:
        platform.projections.send_signal(signal.SIGCONT)
    wait_until(lambda: status() == "ok", 30, "projections are well again")


class OwnBroker:
    """A broker that may be killed, and started again with what it held."""

    def __init__(self, directory: Path) -> None:
        self._kafka = Kafka(directory / "kafka", *ports.choose_free(2))
        self._log = directory / "kafka.log"
        self._kafka.prepare(print, self._log)
        self.bootstrap = self._kafka.bootstrap
        self.child = Child(self._kafka.command(), self._log)

    def start_again(self) -> None:
        self.child = Child(self._kafka.command(), self._log)
        wait_ready(self.child)

    def fall_silent(self) -> None:
        """Requests under way hang, as on a machine that is gone."""
        self.child.process.send_signal(signal.SIGSTOP)

    def die(self) -> None:
        os.killpg(self.child.pid, signal.SIGKILL)
        self.child.process.wait()


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[OwnBroker]:
    broker = OwnBroker(tmp_path)
    wait_ready(broker.child)
    yield broker
    broker.child.stop()


def test_polled_through_the_death_of_its_broker_it_lives_and_recovers(
    own_broker: OwnBroker, registry: str, database: str, tmp_path: Path
) -> None:
    prefix = f"gh{secrets.token_hex(4)}."
    provision(own_broker.bootstrap, Topics(prefix))
    (port,) = ports.choose_free(1)
    environment = {
        "HCP_KAFKA": own_broker.bootstrap,
        "HCP_SCHEMA_REGISTRY": registry,
        "HCP_DATABASE": database,
        "HCP_TOPIC_PREFIX": prefix,
        "HCP_GATEWAY_PORT": str(port),
    }
    gateway = Process("gateway", ("gateway",), environment, tmp_path)
    gateway.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=20) as client:

            def parts() -> dict[str, str]:
                assert gateway.running is not None
                assert gateway.running.poll() is None, gateway.said()
                try:
                    components = client.get("/health").json()["components"]
                except httpx.ConnectError:  # not listening yet
                    return {}
                return {part["name"]: part["detail"] for part in components}

            def sees_the_group() -> bool:
                return parts().get("routing") == "does not run; 0 events behind"

            wait_until(sees_the_group, 60, "it sees the consumer groups")
            for _ in range(2):
                own_broker.fall_silent()
                wait_until(lambda: not sees_the_group(), 30, "a silent broker is seen")
                own_broker.die()
                wait_until(lambda: parts()["broker"] != "1 broker(s)", 30, "its death is seen")
                for _ in range(4):
                    parts()
                own_broker.start_again()
                wait_until(sees_the_group, 60, "it sees the consumer groups again")
    finally:
        gateway.end()
