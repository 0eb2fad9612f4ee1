"""Reads that wait for a position: woken together, bounded apart, never in anybody's way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from tenacity import AsyncRetrying, stop_after_delay, wait_fixed

from gateway.app import create_app
from schemas.events import sites
from schemas.topics import SITES
from tests.gateway.conftest import HERE, Platform
from tests.projections.story import START

LIMIT = 4
WAITERS = 60


@asynccontextmanager
async def served(platform: Platform, wait_s: float) -> AsyncIterator[httpx.AsyncClient]:
    settings = platform.settings.model_copy(
        update={
            "gateway_max_concurrent_requests": LIMIT,
            "gateway_max_waiting_reads": WAITERS,
            "gateway_position_wait_s": wait_s,
        }
    )
    app = create_app(settings)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HERE, timeout=60) as client,
    ):
        async for attempt in AsyncRetrying(stop=stop_after_delay(30), wait=wait_fixed(0.1)):
            with attempt:
                (await client.get("/readyz")).raise_for_status()
        yield client


async def all_wait(client: httpx.AsyncClient, position: str) -> list[asyncio.Task[httpx.Response]]:
    """As many as may, a few at a time: each takes a place until it waits."""
    positions = client._transport.app.state.gateway.positions  # type: ignore[attr-defined]
    waiting: list[asyncio.Task[httpx.Response]] = []
    for _ in range(WAITERS // LIMIT):
        waiting += [
            asyncio.create_task(client.get("/api/v1/sites", params={"min_position": position}))
            for _ in range(LIMIT)
        ]
        async for attempt in AsyncRetrying(stop=stop_after_delay(30), wait=wait_fixed(0.01)):
            with attempt:
                assert len(positions._waiters) == len(waiting)
    return waiting


def ahead(platform: Platform, events: int) -> str:
    """A position so many events after what the story has written."""
    return f"{SITES.name}:0:{platform.story._next[SITES.name, 0] + events}"


def test_many_waiting_reads_leave_the_others_alone(platform: Platform) -> None:
    async def scene() -> None:
        async with served(platform, wait_s=10) as client:
            waiting = await all_wait(client, ahead(platform, 1000))
            for _ in range(10):
                assert (await client.get("/api/v1/sites")).status_code == 200
            one_more = await client.get(
                "/api/v1/sites", params={"min_position": ahead(platform, 1000)}
            )
            assert one_more.status_code == 503
            assert "waiting" in one_more.json()["detail"]
            assert {answer.status_code for answer in await asyncio.gather(*waiting)} == {504}

    asyncio.run(scene())


def test_all_that_wait_are_woken_by_one_commit(platform: Platform) -> None:
    async def scene() -> None:
        async with served(platform, wait_s=30) as client:
            waiting = await all_wait(client, ahead(platform, 3))
            assert not any(task.done() for task in waiting)
            for number in range(4):
                platform.story.report(sites.TimePassed(site_id="zeta", at=START + number))
            await asyncio.to_thread(platform.write)
            answers = await asyncio.gather(*waiting)
            assert {answer.status_code for answer in answers} == {200}

    asyncio.run(scene())


def test_a_position_that_cannot_be_applied_in_time_is_504_at_once(platform: Platform) -> None:
    async def scene() -> None:
        async with served(platform, wait_s=10) as client:
            started = time.monotonic()
            answer = await client.get(
                "/api/v1/sites", headers={"HCP-Min-Position": "hcp.sites.v1:0:999999999"}
            )
            assert time.monotonic() - started < 5
            assert answer.status_code == 504
            assert answer.json()["type"] == "urn:hcp:problem:position-not-applied"
            assert answer.headers["retry-after"]

    asyncio.run(scene())


def test_probes_and_health_answer_however_busy_it_is(platform: Platform) -> None:
    async def scene() -> None:
        async with served(platform, wait_s=3) as client:
            app = client._transport.app  # type: ignore[attr-defined]
            app.state.gateway.slots.taken = LIMIT
            for path in ("/healthz", "/readyz", "/metrics", "/api/v1/health"):
                assert (await client.get(path)).status_code == 200, path
            assert (await client.get("/api/v1/sites")).status_code == 503

    asyncio.run(scene())
