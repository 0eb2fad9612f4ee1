"""Given a consumer that gives up, the process ends and says why."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import faust
import pytest
from aiokafka.errors import CommitFailedError

from streams.errors import ConsumerStopped, LogUnavailable, StreamError
from streams.runtime import Runtime
from streams.settings import Settings
from tests.streams.ledger import LEDGER

SETTINGS = Settings(kafka="127.0.0.1:1", schema_registry="http://127.0.0.1:1", metrics_port=0)


def run_until_it_ends(
    monkeypatch: pytest.MonkeyPatch, start: Callable[[faust.App], object], told: list[str]
) -> None:
    async def run() -> None:
        runtime = Runtime(
            LEDGER,
            SETTINGS,
            ready=lambda: told.append("ready"),
            stopping=lambda: told.append("stopping"),
        )
        monkeypatch.setattr(faust.App, "start", start)
        async with asyncio.timeout(15):
            await runtime.run()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("reason", "kind", "sentence"),
    [
        (ValueError("no offset"), ConsumerStopped, "the consumer stopped: ValueError: no offset"),
        (CommitFailedError("rebalanced"), LogUnavailable, "Kafka at 127.0.0.1:1: .*rebalanced"),
    ],
)
def test_a_crash_inside_faust_ends_the_run(
    monkeypatch: pytest.MonkeyPatch, reason: Exception, kind: type[StreamError], sentence: str
) -> None:
    async def crash(app: faust.App) -> None:
        with suppress(Exception):
            raise reason
        await app.crash(reason)

    told: list[str] = []
    with pytest.raises(kind, match=sentence):
        run_until_it_ends(monkeypatch, crash, told)
    assert told == ["stopping"]
