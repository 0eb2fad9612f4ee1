"""Kafka, PostgreSQL and the registry, as one thing with three addresses.

The supervisor of `hcp up` starts each part under its own watch; tests start all three at once.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import StartError
from deploy.local import ports
from deploy.local.child import Child, Command, last_words
from deploy.local.kafka import Kafka
from deploy.local.postgres import Postgres
from deploy.local.registry import Registry

POLL_S = 0.1


@dataclass(frozen=True)
class Addresses:
    """Where the three are, embedded or not."""

    kafka: str  # bootstrap servers
    registry: str  # base URL of the Confluent-compatible API, version 7
    database: str  # DSN of the database that holds our tables

    def variables(self) -> dict[str, str]:
        return {
            "HCP_KAFKA": self.kafka,
            "HCP_SCHEMA_REGISTRY": self.registry,
            "HCP_DATABASE": self.database,
        }


class ThrowawayInfrastructure:
    """The three embedded services for a test run: nothing kept, nothing supervised."""

    def __init__(self, directory: Path, progress: Callable[[str], None]) -> None:
        kafka_port, controller_port, postgres_port, registry_port = ports.choose_free(4)
        self._directory = directory
        self._progress = progress
        self._kafka = Kafka(directory / "kafka", kafka_port, controller_port)
        password = secrets.token_urlsafe(18)
        self._postgres = Postgres(directory / "postgres", postgres_port, password, durable=False)
        self._registry = Registry(registry_port, self._postgres)
        self.children: list[Child] = []

    def start(self) -> Addresses:
        self._kafka.prepare(self._progress, self._log("kafka"))
        self._registry.prepare(self._progress)
        self._postgres.prepare(self._log("postgres"))
        self._spawn(self._kafka.command())
        wait_ready(self._spawn(self._postgres.command()))
        self._postgres.create_databases()
        self._spawn(self._registry.command())
        for child in self.children:
            wait_ready(child)
        return Addresses(self._kafka.bootstrap, self._registry.url, self._postgres.dsn("hcp"))

    def stop(self) -> None:
        for child in reversed(self.children):
            child.stop()
        self.children.clear()

    def _spawn(self, command: Command) -> Child:
        child = Child(command, self._log(command.name))
        self.children.append(child)
        return child

    def _log(self, name: str) -> Path:
        return self._directory / "logs" / f"{name}.log"


def wait_ready(child: Child) -> None:
    """Return when the child serves; StartError with its last words when it ended or is too slow."""
    command = child.command
    deadline = time.monotonic() + command.start_timeout_s
    while not command.ready():
        ended = child.ended()
        if ended is None and time.monotonic() < deadline:
            time.sleep(POLL_S)
            continue
        late = f"was not ready after {command.start_timeout_s:.0f} s"
        why = f"ended ({ended})" if ended else late
        raise StartError(f"{command.name} {why}: {last_words(child.log)} (see {child.log})")
