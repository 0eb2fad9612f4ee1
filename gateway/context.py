"""What every route works with: one object made at start, closed at the end.

The gateway comes up without waiting for anything: it answers /healthz at once, /readyz 503 until
the database, its own table, the registry and the broker have each answered, and any request that
needs one of them 503 meanwhile. Each of them is tried again until it answers.
"""

from __future__ import annotations

import asyncio
import logging
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
    # What is still missing before the gateway is ready; nothing: ready.
    missing: dict[str, str] = field(default_factory=dict)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def ready(self) -> bool:
        return not self.missing

    async def open(self) -> None:
        await self.database.open()
        self.publisher.open()
        self.health.open()
        self._tasks = [
            asyncio.create_task(self._prepare_database(), name="prepare-database"),
            asyncio.create_task(self._prepare_codec(), name="prepare-codec"),
            asyncio.create_task(
                self.positions.listen(self.settings.database), name="listen-positions"
            ),
            asyncio.create_task(self.positions.watch(), name="watch-positions"),
            asyncio.create_task(self.health.watch(), name="watch-health"),
        ]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self.publisher.close)
        await asyncio.to_thread(self.health.close)
        await self.database.close()

    async def _prepare_database(self) -> None:
        async for attempt in _until_answered(psycopg.OperationalError):
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
        async for attempt in _until_answered(RegistryUnavailable, SchemaNotRegistered):
            with attempt:
                await asyncio.to_thread(self.codec.warm, topics.SITES, topics.INTAKE)
        self.missing.pop("registry", None)


def build(settings: Settings) -> Gateway:
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
        reports=Reports(database),
        codec=codec,
        slots=slots,
        missing={"database": STARTING, "registry": STARTING},
    )


def _until_answered(*errors: type[Exception]) -> AsyncRetrying:
    """Without an end: the supervisor decides when to give up on the whole process."""
    return AsyncRetrying(
        retry=retry_if_exception_type(errors),
        wait=wait_exponential(multiplier=0.2, max=5),
        before_sleep=_say_what_is_missing,
    )


def _say_what_is_missing(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    if error is not None:
        log.warning("not ready yet: %s", str(error).splitlines()[0])
