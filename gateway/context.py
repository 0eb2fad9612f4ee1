"""What every route works with: one object made at start, closed at the end.

The gateway comes up without waiting for anything: it answers /healthz at once, /readyz 503 until
the database, its own table, the registry and the broker have each answered, and any request that
needs one of them 503 meanwhile. Each of them is tried again until it answers, and why it does not
is logged and in the answer of /readyz. What nobody foresaw stops the process.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import psycopg
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential

from gateway import kept_answers, kept_queries
from gateway.database import Database, migrate
from gateway.health import Health
from gateway.middleware import Slots
from gateway.positions import Positions
from gateway.publisher import Publisher
from gateway.report import Reports
from gateway.settings import Settings
from schemas import topics
from schemas.codec import Codec
from schemas.errors import RegistryUnavailable, SchemaNotRegistered
from schemas.registry import RegistryIds
from schemas.topics import Topics

log = logging.getLogger(__name__)

FORGET_EVERY_S = 3600.0
STARTING = "starting"


@dataclass
class Gateway:
    settings: Settings
    database: Database
    positions: Positions
    publisher: Publisher
    health: Health
    reports: Reports
    codec: Codec
    slots: Slots
    stop: Callable[[], None]
    # What is still missing before the gateway is ready, and why; nothing: ready.
    missing: dict[str, str] = field(default_factory=dict)
    has_failed: bool = False
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def ready(self) -> bool:
        return not self.missing

    async def open(self) -> None:
        await self.database.open()
        self.publisher.open()
        self.health.open()
        works = {
            "prepare-database": self._prepare_database(),
            "prepare-codec": self._prepare_codec(),
            "watch-positions": self.positions.watch(),
            "listen-positions": self.positions.listen(self.settings.database),
            "watch-health": self.health.watch(),
            "watch-transactions": self.health.watch_transactions(),
        }
        self._tasks = [
            asyncio.create_task(self._guard(name, work), name=name) for name, work in works.items()
        ]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.reports.close()
        await asyncio.to_thread(self.publisher.close)
        await asyncio.to_thread(self.health.close)
        await self.database.close()

    async def _prepare_database(self) -> None:
        async for attempt in self._until_answered("database", psycopg.Error):
            with attempt:
                await asyncio.to_thread(migrate, self.settings.database)
        self.missing.pop("database", None)
        while True:
            try:
                await kept_queries.forget_answers(self.database, kept_answers.KEPT_FOR)
            except psycopg.Error as error:
                log.warning("old answers were not removed: %s", str(error).splitlines()[0])
            await asyncio.sleep(FORGET_EVERY_S)

    async def _prepare_codec(self) -> None:
        async for attempt in self._until_answered(
            "registry", RegistryUnavailable, SchemaNotRegistered
        ):
            with attempt:
                await asyncio.to_thread(self.codec.warm, topics.SITES, topics.INTAKE)
        self.missing.pop("registry", None)

    async def _guard(self, name: str, work: Awaitable[None]) -> None:
        """Without one of its tasks it would answer 503 for ever; started anew it may not."""
        try:
            await work
        except Exception:
            log.exception("stopping, because %s failed", name)
            self.has_failed = True
            self.stop()

    def _until_answered(self, part: str, *errors: type[Exception]) -> AsyncRetrying:
        """Without an end: the supervisor decides when to give up on the whole process."""

        def say(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            if error is not None:
                self.missing[part] = str(error).splitlines()[0]
                log.warning("not ready yet: %s: %s", part, self.missing[part])

        return AsyncRetrying(
            retry=retry_if_exception_type(errors),
            wait=wait_exponential(multiplier=0.2, max=5),
            before_sleep=say,
        )


def build(settings: Settings, stop: Callable[[], None]) -> Gateway:
    """Connects to nothing yet."""
    database = Database(settings)
    slots = Slots(settings.gateway_max_concurrent_requests)
    codec = Codec(RegistryIds(settings.schema_registry, Topics(settings.topic_prefix)))
    return Gateway(
        settings=settings,
        database=database,
        positions=Positions(
            database,
            wait_s=settings.gateway_position_wait_s,
            most=settings.gateway_max_waiting_reads,
            slots=slots,
        ),
        publisher=Publisher(settings, codec),
        health=Health(settings, database),
        reports=Reports(database, settings.gateway_request_timeout_s * 0.4),
        codec=codec,
        slots=slots,
        stop=stop,
        missing={"database": STARTING, "registry": STARTING},
    )
