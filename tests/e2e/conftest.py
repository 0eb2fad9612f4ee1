"""One whole stack for the end-to-end tests, started and stopped by `hcp` as a person would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka import KafkaError, Message, Producer
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from deploy.local.ports import choose_free
from schemas.codec import Codec, record_for
from schemas.envelope import Headers, produced
from schemas.registry import RegistryIds
from schemas.topics import Event, Topic, topic_of
from tests.e2e.stock_reader import StockReader

HCP = Path(sys.executable).parent / "hcp"
START_TIMEOUT_S = 180
SPEED = 1200  # event seconds a second: the billing day of the test closes in 72 s


class NotYet(AssertionError):
    """What the test waits for has not happened; `eventually` asks again."""


@dataclass(frozen=True)
class Stack:
    data_dir: Path
    environment: dict[str, str]

    def hcp(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(HCP), *arguments, "--data-dir", str(self.data_dir)],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=START_TIMEOUT_S,
            check=False,
        )

    def status(self) -> dict[str, Any]:
        done = self.hcp("status", "--json")
        assert done.returncode == 0, done.stderr
        status: dict[str, Any] = json.loads(done.stdout)
        return status

    def endpoint(self, name: str) -> str:
        found = {item["name"]: item["address"] for item in self.status()["endpoints"]}
        return str(found[name])

    def api(self) -> httpx.Client:
        return httpx.Client(base_url=f"{self.endpoint('gateway')}/api/v1", timeout=15)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    gateway, simulator = choose_free(2)
    external = ("HCP_KAFKA", "HCP_SCHEMA_REGISTRY", "HCP_DATABASE")
    environment = {
        **{name: value for name, value in os.environ.items() if name not in external},
        "HCP_GATEWAY_PORT": str(gateway),
        "HCP_SIMULATOR_PORT": str(simulator),
    }
    stack = Stack(tmp_path_factory.mktemp("stack"), environment)
    up = stack.hcp("up", "--detach", "--scenario", "seed", "--speed", str(SPEED))
    try:
        assert up.returncode == 0, up.stdout + up.stderr
        yield stack
    finally:
        down = stack.hcp("down")
    assert down.returncode == 0, down.stdout + down.stderr


class Reporter:
    """A producer outside HCP: what it sends passes no gateway."""

    def __init__(self, stack: Stack) -> None:
        self._codec = Codec(RegistryIds(stack.endpoint("registry")))
        self._producer = Producer({"bootstrap.servers": stack.endpoint("kafka")})

    def send(self, *events: Event, id: str | None = None) -> None:
        for event in events:
            topic = topic_of(type(event))
            record = record_for(topic, event, produced(event, source="/tests", id=id), self._codec)
            self.send_raw(topic, record.key, record.value, record.headers)

    def send_raw(
        self, topic: Topic, key: bytes, value: bytes, headers: Headers | None = None
    ) -> int:
        """The offset it got."""
        offsets: list[int] = []

        def delivered(error: KafkaError | None, message: Message) -> None:
            assert error is None, error
            offset = message.offset()
            assert offset is not None
            offsets.append(offset)

        self._producer.produce(topic.name, value, key, headers=headers, on_delivery=delivered)
        assert self._producer.flush(20) == 0
        return offsets[0]


@pytest.fixture(scope="session")
def reporter(stack: Stack) -> Reporter:
    return Reporter(stack)


@pytest.fixture
def reader(stack: Stack) -> Iterator[StockReader]:
    reader = StockReader(stack.endpoint("kafka"), stack.endpoint("registry"))
    yield reader
    reader.close()


def eventually(timeout_s: float = 60.0) -> Retrying:
    """For `for attempt in eventually(): with attempt: ...`: until no NotYet is raised."""
    return Retrying(
        stop=stop_after_delay(timeout_s),
        wait=wait_fixed(0.5),
        retry=retry_if_exception_type(NotYet),
        reraise=True,
    )
