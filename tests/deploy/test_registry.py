"""The registry that we start, cold: that is when it loses answers, if it does."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from deploy.local.child import Child
from deploy.local.infrastructure import ThrowawayInfrastructure, wait_ready

CLIENTS = 4
QUESTIONS = 700
SILENCE_S = 20
# What Confluent's deserializers ask before the first record of a topic.
ASSOCIATIONS = "/associations/resources/-/hcp.sites.v1?resourceType=topic&associationType=value"


@pytest.fixture
def infrastructure(tmp_path: Path) -> Iterator[ThrowawayInfrastructure]:
    infrastructure = ThrowawayInfrastructure(tmp_path, print)
    try:
        yield infrastructure
    finally:
        infrastructure.stop()


def test_a_cold_registry_answers_every_question_and_so_it_does_after_its_database_died(
    infrastructure: ThrowawayInfrastructure,
) -> None:
    url = infrastructure.start().registry
    with ThreadPoolExecutor(CLIENTS) as pool:
        statuses = list(pool.map(ask, [url] * CLIENTS))
    assert statuses == [[404, 200] * (QUESTIONS // 2)] * CLIENTS
    restart_postgres(infrastructure)
    assert ask(url, questions=40) == [404, 200] * 20


def restart_postgres(infrastructure: ThrowawayInfrastructure) -> None:
    (at,) = (i for i, c in enumerate(infrastructure.children) if c.command.name == "postgres")
    killed = infrastructure.children[at]
    killed.process.kill()
    killed.process.wait()
    infrastructure.children[at] = Child(killed.command, killed.log)
    wait_ready(infrastructure.children[at])


def ask(url: str, questions: int = QUESTIONS) -> list[int]:
    """Status of each answer, one question after the other; TimeoutError when none comes."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=SILENCE_S)
    statuses = []
    for path in [ASSOCIATIONS, "/subjects"] * (questions // 2):
        connection.request("GET", parts.path + path)
        with connection.getresponse() as response:
            response.read()
            statuses.append(response.status)
    connection.close()
    return statuses
