"""The registry that we start, cold: that is when it loses answers, if it does."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from deploy.local.infrastructure import ThrowawayInfrastructure

CLIENTS = 4
QUESTIONS = 700
SILENCE_S = 20
# What Confluent's deserializers ask before the first record of a topic.
ASSOCIATIONS = "/associations/resources/-/hcp.sites.v1?resourceType=topic&associationType=value"


@pytest.fixture
def cold_registry(tmp_path: Path) -> Iterator[str]:
    infrastructure = ThrowawayInfrastructure(tmp_path, print)
    try:
        yield infrastructure.start().registry
    finally:
        infrastructure.stop()


def test_a_cold_registry_answers_every_question(cold_registry: str) -> None:
    with ThreadPoolExecutor(CLIENTS) as pool:
        statuses = list(pool.map(ask, [cold_registry] * CLIENTS))
    assert statuses == [[404, 200] * (QUESTIONS // 2)] * CLIENTS


def ask(url: str) -> list[int]:
    """Status of each answer, one question after the other; TimeoutError when none comes."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=SILENCE_S)
    statuses = []
    for path in [ASSOCIATIONS, "/subjects"] * (QUESTIONS // 2):
        connection.request("GET", parts.path + path)
        with connection.getresponse() as response:
            response.read()
            statuses.append(response.status)
    connection.close()
    return statuses
