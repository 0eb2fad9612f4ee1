"""One gateway on a real log and real read models, kept up by the real projections.

Every module writes to a site of its own: test_reads to alpha, test_writes to beta, test_report to
gamma, test_counts to delta and epsilon.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import httpx2 as httpx
import psycopg
import pytest
from confluent_kafka import Producer
from psycopg import sql
from starlette.testclient import TestClient
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from gateway.app import create_app
from gateway.settings import Settings
from schemas.codec import Codec
from schemas.provisioning import provision
from schemas.registry import RegistryIds, register
from schemas.topics import Topics
from tests.conftest import delete_topics, with_database
from tests.projections.story import Story

HERE = "http://127.0.0.1"  # a Host that the gateway serves


@dataclass
class Platform:
    """Everything a gateway needs, and one story for all tests: causes on a log only ever rise."""

    settings: Settings
    codec: Codec
    topics: Topics
    story: Story
    projections: subprocess.Popen[bytes]
    written: int = 0

    def write(self) -> str:
        """What the story has grown by since; the positions to wait for."""
        records, self.written = self.story.records[self.written :], len(self.story.records)
        producer = Producer({"bootstrap.servers": self.settings.kafka, "linger.ms": 1})
        ends: dict[tuple[str, int], int] = {}

        def delivered(error: object, message: object) -> None:
            assert error is None, error
            name = message.topic().removeprefix(self.topics.prefix)  # type: ignore[attr-defined]
            where = name, message.partition()  # type: ignore[attr-defined]
            ends[where] = max(ends.get(where, 0), message.offset())  # type: ignore[attr-defined]

        for record in records:
            producer.produce(
                self.topics.name_of(record.topic),
                value=record.value,
                key=record.key,
                headers=record.headers,
                on_delivery=delivered,
            )
        assert producer.flush(30) == 0
        return ",".join(f"{name}:{partition}:{at}" for (name, partition), at in ends.items())


@pytest.fixture(scope="session")
def own_database(postgres: str) -> Iterator[str]:
    name = sql.Identifier(f"test_gateway_{secrets.token_hex(4)}")
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
    yield with_database(postgres, name.as_string(None).strip('"'))
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@pytest.fixture(scope="session")
def platform(kafka: str, registry: str, own_database: str) -> Iterator[Platform]:
    topic_prefix = f"gw{secrets.token_hex(4)}."
    topics = Topics(topic_prefix)
    register(registry, topics)
    provision(kafka, topics)
    settings = Settings(
        kafka=kafka,
        schema_registry=registry,
        database=own_database,
        topic_prefix=topic_prefix,
        gateway_position_wait_s=20,
        gateway_request_timeout_s=30,
    )
    environment = {
        **os.environ,
        "HCP_KAFKA": kafka,
        "HCP_SCHEMA_REGISTRY": registry,
        "HCP_DATABASE": own_database,
        "HCP_TOPIC_PREFIX": topic_prefix,
        "HCP_METRICS_PORT": "0",
    }
    command = [sys.executable, "-m", "projections"]
    subprocess.run([*command, "migrate"], env=environment, check=True, stdout=subprocess.DEVNULL)
    running = subprocess.Popen([*command, "run"], env=environment, stderr=subprocess.DEVNULL)
    try:
        codec = Codec(RegistryIds(registry, topics))
        yield Platform(settings, codec, topics, Story(codec), running)
    finally:
        running.terminate()
        running.wait(30)
        delete_topics(kafka, topic_prefix)


@pytest.fixture(scope="session")
def client(platform: Platform) -> Iterator[httpx.Client]:
    with TestClient(
        create_app(platform.settings), raise_server_exceptions=False, base_url=HERE
    ) as client:
        attempts = Retrying(
            retry=retry_if_result(lambda answer: answer.status_code != 200),
            stop=stop_after_delay(60),
            wait=wait_fixed(0.1),
        )
        attempts(client.get, "/readyz")
        yield client
