"""What the whole platform looks like from here: broker, registry, database, agents, projections.

Each part is asked at the same time and within a bound, so a part that hangs is down, not a hung
answer. What was found is kept for a moment, so that asking often costs the broker nothing. The
gateway asks by itself too, because whether a part moves is seen only by looking more than once.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Literal, ParamSpec, TypeVar

import httpx
import psycopg
from confluent_kafka import KafkaException
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests
from pydantic import BaseModel, Field

from gateway import alert_queries, dead_letter_queries, metrics, queries
from gateway.broker import ASK_S, Broker
from gateway.database import Database, Row
from gateway.progress import Progress
from gateway.settings import Settings
from gateway.standstill import Standstill, Standstills
from schemas import topics
from schemas.topics import Topic, Topics

log = logging.getLogger(__name__)

Status = Literal["ok", "degraded", "down"]
Ends = asyncio.Future[dict[tuple[str, int], int]]  # asked once for all that read
P = ParamSpec("P")
T = TypeVar("T")

PROJECTIONS = "projections"
TRANSACTIONS = "transactions"
DEAD_LETTERS = "dead letters"
COUNTED_LETTERS = 10_000
ALERTS = "alerts"
COUNTED_ALERTS = 10_000
READS = {
    "routing": topics.SITES,
    "optimization": topics.SITES,
    "metering": topics.SITES,
    "invoicing": topics.ACCOUNTS,
    "brokering": topics.INTAKE,
}
# Parts of the platform that this release does not have.
NOT_INSTALLED = ("identity", "websocket")
ASK_TIMEOUT_S = ASK_S + 0.5
KEPT_FOR_S = 2.0
WATCH_EVERY_S = 5.0
LOOK_EVERY_S = 1.0
# Further behind than this a part works, but what people see is old.
LAG_EVENTS = 5_000
# Agents commit with their checkpoints: each second, on a busy machine each ten.
STALLED_S = 15.0
DEAD_S = 45.0


class Component(BaseModel):
    """`degraded`: it works, and is behind; `not_installed`: this release does not have it."""

    name: str
    status: Literal["ok", "degraded", "down", "not_installed"]
    detail: str


class HealthReport(BaseModel):
    """`down` when nothing can be read or written, `degraded` when some part does not work.

    Parts that are not installed do not count.
    """

    status: Status
    components: list[Component] = Field(
        description=(
            "broker, transactions, registry, database, each agent, projections, dead letters, "
            "alerts, identity, websocket"
        )
    )
    standstills: list[Standstill] = Field(
        description="partitions that an open transaction holds back: an alert, until it ends or "
        "its time runs out"
    )


class Health:
    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._topics = Topics(settings.topic_prefix)
        self._groups = {
            part: topics.group_of(part, settings.topic_prefix) for part in (*READS, PROJECTIONS)
        }
        self._broker = Broker(settings.kafka, self._groups.values())
        self._progress = Progress()
        self._standstills = Standstills()
        self._standing: list[Standstill] = []
        self._lock = asyncio.Lock()
        self._kept: tuple[float, HealthReport] | None = None

    def open(self) -> None:
        self._broker.open()
        # Its own threads: those that wait for a dead broker must not keep a request from one.
        self._threads = ThreadPoolExecutor(len(self._groups) + 3, "hcp-health")

    def close(self) -> None:
        """Blocking, for as long as a broker that does not answer may take."""
        self._threads.shutdown(cancel_futures=True)
        self._broker.close()

    async def watch(self) -> None:
        """For as long as the gateway runs."""
        while True:
            try:
                await self.report()
            except Exception:  # the outermost loop: a report that fails must not be the last one
                log.exception("the platform's health could not be seen")
            await asyncio.sleep(WATCH_EVERY_S)

    async def watch_transactions(self) -> None:
        """For as long as the gateway runs."""
        while True:
            with suppress(KafkaException, KeyError):  # health says that the broker is away
                await self._look_for_standstills()
            await asyncio.sleep(LOOK_EVERY_S)

    async def report(self) -> HealthReport:
        async with self._lock:
            if self._kept is None or time.monotonic() - self._kept[0] > KEPT_FOR_S:
                self._kept = (time.monotonic(), await self._ask_all())
            return self._kept[1]

    async def broker_answers(self) -> bool:
        return (await self._asked("broker", self._broker_answers)).status == "ok"

    async def _ask_all(self) -> HealthReport:
        names = [self._topics.name_of(topic) for topic in topics.LOGS]
        ends: Ends = asyncio.ensure_future(self._in_thread(self._broker.ends, names))
        ends.add_done_callback(lambda done: done.cancelled() or done.exception())  # seen, if failed
        asked = await asyncio.gather(
            self._asked("broker", self._broker_answers),
            self._asked(TRANSACTIONS, self._transactions),
            self._asked("registry", self._registry),
            self._asked("database", self._database_answers),
            *(
                self._asked(agent, self._agent(agent, topic, ends))
                for agent, topic in READS.items()
            ),
            self._asked(PROJECTIONS, lambda: self._projections(ends)),
            self._asked(DEAD_LETTERS, self._dead_letters),
            self._asked(ALERTS, self._alerts),
        )
        ends.cancel()
        absent = [
            Component(name=name, status="not_installed", detail="not part of this release")
            for name in NOT_INSTALLED
        ]
        return HealthReport(
            status=overall(asked), components=[*asked, *absent], standstills=self._standing
        )

    async def _broker_answers(self) -> tuple[Status, str]:
        found, brokers = await self._in_thread(self._broker.topics)
        absent = sorted({self._topics.name_of(topic) for topic in topics.LOGS} - found)
        if absent:
            return "degraded", f"topics are missing: {', '.join(absent)}"
        return "ok", f"{brokers} broker(s)"

    async def _transactions(self) -> tuple[Status, str]:
        await self._look_for_standstills()
        if self._standing:
            return "degraded", "; ".join(standing.detail for standing in self._standing)
        return "ok", "every partition can be read to its end"

    async def _look_for_standstills(self) -> None:
        names = [self._topics.name_of(topic) for topic in topics.LOGS]
        try:
            ends = await self._in_thread(self._broker.both_ends, names)
        except (KafkaException, KeyError):
            self._standing = []  # for now: nobody knows
            raise
        now_s = time.time()
        before = {(was.log, was.partition) for was in self._standing}
        self._standing = self._standstills.see(ends, now_s)
        metrics.STANDSTILL.clear()
        for standing in self._standing:
            place = standing.log, standing.partition
            metrics.STANDSTILL.labels(*place).set(now_s - standing.since.timestamp())
            if place not in before:
                log.warning("%s", standing.detail)
            before.discard(place)
        for name, partition in sorted(before):
            log.warning("%s:%d moves again", name, partition)

    async def _registry(self) -> tuple[Status, str]:
        async with httpx.AsyncClient(timeout=ASK_S) as client:
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

    def _agent(
        self, agent: str, topic: Topic, ends: Ends
    ) -> Callable[[], Awaitable[tuple[Status, str]]]:
        """A group without a member is an agent that does not run."""
        name, group_name = self._topics.name_of(topic), self._groups[agent]

        async def ask() -> tuple[Status, str]:
            group = await self._in_thread(self._broker.group, group_name, name)
            positions = {(name, partition): at for partition, at in group.positions.items()}
            own_ends = {
                place: end
                for place, end in (await asyncio.shield(ends)).items()
                if place[0] == name
            }
            is_running = group.members > 0
            return self._judge(agent, positions, own_ends, is_running=is_running)

        return ask

    async def _projections(self, ends: Ends) -> tuple[Status, str]:
        rows = await queries.next_offsets(self._database)
        applied = {
            (self._topics.prefix + row["topic"], row["partition"]): row["next_offset"]
            for row in rows
        }
        if not applied:
            return "down", "has applied nothing yet"
        is_running = await queries.projections_connected(self._database)
        return self._judge(PROJECTIONS, applied, await asyncio.shield(ends), is_running=is_running)

    async def _dead_letters(self) -> tuple[Status, str]:
        """Somebody sends garbage: no part of the platform is unwell for that."""
        rows = await dead_letter_queries.newest_by_topic(self._database, COUNTED_LETTERS)
        return "ok", letters_said(rows)

    async def _alerts(self) -> tuple[Status, str]:
        """They are about sites and producers, not about the parts of the platform."""
        rows = await alert_queries.open_alerts(self._database, COUNTED_ALERTS)
        metrics.OPEN_ALERTS.clear()
        for row in rows:
            metrics.OPEN_ALERTS.labels(row["kind"], row["severity"]).set(row["count"])
        return "ok", alerts_said(rows)

    def _judge(
        self,
        part: str,
        at: Mapping[tuple[str, int], int],
        ends: Mapping[tuple[str, int], int],
        *,
        is_running: bool,
    ) -> tuple[Status, str]:
        lag = sum(max(0, end - at.get(place, 0)) for place, end in ends.items())
        stalled_s = self._progress.stalled_s(part, at, ends, time.monotonic())
        return verdict(lag, stalled_s, is_running=is_running)

    async def _in_thread(self, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: work(*arguments, **named))

    async def _asked(
        self, name: str, ask: Callable[[], Awaitable[tuple[Status, str]]]
    ) -> Component:
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
        else:
            return Component(name=name, status=status, detail=detail)
        self._progress.forget(name)
        return Component(name=name, status=status, detail=detail)


def verdict(lag: int, stalled_s: float, *, is_running: bool) -> tuple[Status, str]:
    """Of a reader of a log that is so many events behind, and took none of them for so long."""
    behind = f"{lag} events behind"
    if not is_running:
        return "down", f"does not run; {behind}"
    if stalled_s >= STALLED_S:
        stalled: Status = "down" if stalled_s >= DEAD_S else "degraded"
        return stalled, f"{behind}, and took none of them for {stalled_s:.0f} s"
    return ("ok" if lag <= LAG_EVENTS else "degraded"), behind


def letters_said(rows: Iterable[Row]) -> str:
    """Of the last day, by topic."""
    said = [f"{row['count']} of {row['topic']}, the last {row['reason']}" for row in rows]
    return "; ".join([*said, "see /api/v1/dead-letters"]) if said else "none in the last day"


def alerts_said(rows: Iterable[Row]) -> str:
    """Those that stand, by kind and severity, each with the newest of them."""
    said = [f"{row['count']} {row['severity']} {row['kind']}: {row['detail']}" for row in rows]
    return "; ".join([*said, "see /api/v1/alerts"]) if said else "none"


def overall(components: Iterable[Component]) -> Status:
    found = {component.name: component.status for component in components}
    if "down" in (found.get("broker"), found.get("database")):
        return "down"
    return "ok" if set(found.values()) <= {"ok", "not_installed"} else "degraded"
