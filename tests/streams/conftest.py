"""Where a log lives: in memory, or on a real broker. One contract for both."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import pytest

from tests.streams.substrates import KafkaSubstrate, MemorySubstrate, Substrate

OpenSubstrate = Callable[..., Substrate]


@pytest.fixture(params=["memory", "kafka"])
def open_substrate(request: pytest.FixtureRequest) -> OpenSubstrate:
    if request.param == "memory":
        return MemorySubstrate
    kafka = request.getfixturevalue("kafka")

    def on_kafka(partitions: int = 1) -> Substrate:
        return KafkaSubstrate(kafka, f"t{secrets.token_hex(4)}.", partitions)

    return on_kafka


@pytest.fixture
def substrate(open_substrate: OpenSubstrate) -> Substrate:
    return open_substrate()
