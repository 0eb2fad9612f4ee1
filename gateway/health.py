"""What the whole platform looks like from here: broker, registry, database, agents, projections.

Each part is asked at the same time and within a bound, so a part that hangs is down, not a hung
answer. What was found is kept for a moment, so that asking often costs the broker nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

import httpx
import psycopg
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests
from pydantic import BaseModel, Field

from gateway import queries
from gateway.database import Database
from gateway.publisher import librdkafka
from gateway.settings import Settings
from schemas import topics
from schemas.topics import Topic, Topics

Status = Literal["ok", "degraded", "down"]

READS = {
    "routing": topics.SITES,
    "optimization": topics.SITES,
    "metering": topics.SITES,
    "invoicing": topics.ACCOUNTS,
    "brokering": topics.INTAKE,
}
ASK_TIMEOUT_S = 2.5
KEPT_FOR_S = 2.0
# Further behind than this a part works, but what people see is old.
LAG_EVENTS = 5_000


class Component(BaseModel):
    name: str
    status: Status
    detail: str


class HealthReport(BaseModel):
    """`down` when nothing can be read or written, `degraded` when some part does not work."""

    status: Status
    components: list[Component] = Field(description="broker, registry, database, agents, ...")


class Health:
    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._topics = Topics(settings.topic_prefix)
        self._admin: AdminClient
        self._groups_unanswered = False
        self._lock = asyncio.Lock()
        self._kept: tuple[float, HealthReport] | None = None

    def open(self) -> None:
        settings: dict[str, Any] = {
            "bootstrap.servers": self._settings.kafka,
            "client.id": "hcp-gateway-health",
        }
        self._admin = AdminClient(settings, logger=librdkafka)

    async def report(self) -> HealthReport:
        async with self._lock:
            if self._kept is None or time.monotonic() - self._kept[0] > KEPT_FOR_S:
                self._kept = (time.monotonic(), await self._ask_all())
            return self._kept[1]

    async def broker_answers(self) -> bool:
        return (await _asked("broker", self._broker)).status == "ok"

    async def _ask_all(self) -> HealthReport:
        asked = await asyncio.gather(
            _asked("broker", self._broker),
            _asked("registry", self._registry),
            _asked("database", self._database_answers),
            *(_asked(agent, self._agent(agent, topic)) for agent, topic in READS.items()),
            _asked("projections", self._projections),
        )
        components = list(asked)
        if self._groups_unanswered and components[0].status == "ok":
            # After a broker's restart librdkafka may ask for group coordinators in vain for
            # minutes, on connections that a new client does not inherit.
            self._groups_unanswered = False
            await asyncio.to_thread(self.open)
        return HealthReport(status=overall(components), components=components)

    async def _broker(self) -> tuple[Status, str]:
        metadata = await asyncio.to_thread(self._admin.list_topics, timeout=ASK_TIMEOUT_S - 0.5)
        names = {self._topics.name_of(topic) for topic in topics.LOGS}
        absent = sorted(names - set(metadata.topics))
        if absent:
            return "degraded", f"topics are missing: {', '.join(absent)}"
        return "ok", f"{len(metadata.brokers)} broker(s)"

    async def _registry(self) -> tuple[Status, str]:
        async with httpx.AsyncClient(timeout=ASK_TIMEOUT_S - 0.5) as client:
            answer = await client.get(f"{self._settings.schema_registry.rstrip('/')}/subjects")
        if answer.status_code != 200:
            return "down", f"answers {answer.status_code}"
        try:
            return "ok", f"{len(answer.json())} subjects"
        except ValueError:
            return "down", "answers, but not as a schema registry"

    async def _database_answers(self) -> tuple[Status, str]:
        await queries.ping(self._database)
        return "ok", "answers"

    def _agent(self, agent: str, topic: Topic) -> Callable[[], Awaitable[tuple[Status, str]]]:
        group = topics.group_of(agent, self._settings.topic_prefix)

        async def ask() -> tuple[Status, str]:
            try:
                name = self._topics.name_of(topic)
                return await asyncio.to_thread(self._group_health, group, name)
            except (KafkaException, TimeoutError, asyncio.CancelledError):
                self._groups_unanswered = True
                raise

        return ask

    def _group_health(self, group: str, topic: str) -> tuple[Status, str]:
        """Blocking. A group without a member is an agent that does not run."""
        described = self._admin.describe_consumer_groups([group], request_timeout=2.0)[group]
        members = len(described.result(timeout=2.0).members)
        wanted = [ConsumerGroupTopicPartitions(group)]
        committed = self._admin.list_consumer_group_offsets(wanted, request_timeout=2.0)[group]
        found = committed.result(timeout=2.0).topic_partitions or []
        positions = {
            partition.partition: partition.offset
            for partition in found
            if partition.topic == topic and partition.offset >= 0
        }
        ends = self._end_offsets(topic)
        lag = sum(max(0, end - positions.get(partition, 0)) for partition, end in ends.items())
        if members == 0:
            return "down", f"does not run; {lag} events behind"
        status: Status = "ok" if lag <= LAG_EVENTS else "degraded"
        return status, f"{members} worker(s), {lag} events behind"

    async def _projections(self) -> tuple[Status, str]:
        rows = await queries.next_offsets(self._database)
        applied = {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
        if not applied:
            return "down", "has applied nothing yet"
        lag = await asyncio.to_thread(self._lag_behind, applied)
        return ("ok" if lag <= LAG_EVENTS else "degraded"), f"{lag} events behind"

    def _lag_behind(self, applied: Mapping[tuple[str, int], int]) -> int:
        """Blocking."""
        ends = {
            (topic.name, partition): end
            for topic in topics.LOGS
            for partition, end in self._end_offsets(self._topics.name_of(topic)).items()
        }
        return sum(max(0, end - applied.get(where, 0)) for where, end in ends.items())

    def _end_offsets(self, topic: str) -> dict[int, int]:
        """Blocking."""
        metadata = self._admin.list_topics(topic, timeout=2.0).topics[topic]
        wanted = {
            TopicPartition(topic, partition): OffsetSpec.latest()  # type: ignore[no-untyped-call]
            for partition in metadata.partitions
        }
        if not wanted:
            return {}
        asked = self._admin.list_offsets(wanted, request_timeout=2.0)
        return {where.partition: end.result(timeout=2.0).offset for where, end in asked.items()}


def overall(components: list[Component]) -> Status:
    found = {component.name: component.status for component in components}
    if "down" in (found.get("broker"), found.get("database")):
        return "down"
    return "ok" if set(found.values()) == {"ok"} else "degraded"


async def _asked(name: str, ask: Callable[[], Awaitable[tuple[Status, str]]]) -> Component:
    try:
        async with asyncio.timeout(ASK_TIMEOUT_S):
            status, detail = await ask()
    except TimeoutError:
        status, detail = "down", f"did not answer within {ASK_TIMEOUT_S:g} s"
    except psycopg.errors.UndefinedTable:
        status, detail = "down", "the read models are not there yet"
    except (psycopg.Error, PoolTimeout, PoolClosed, TooManyRequests):
        status, detail = "down", "the database does not answer"
    except (KafkaException, KeyError):
        status, detail = "down", "the broker does not answer"
    except httpx.HTTPError:
        status, detail = "down", "does not answer"
    return Component(name=name, status=status, detail=detail)
