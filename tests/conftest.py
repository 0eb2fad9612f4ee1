"""Fixtures for tests that need real services.

Where they come from, in this order: HCP_KAFKA, HCP_SCHEMA_REGISTRY and HCP_DATABASE where all three
are set; containers where a Docker engine answers; the embedded stack. Each is started once a run.
Tests never share topics or databases between modules.
"""

from __future__ import annotations

import os
import secrets
import warnings
from collections.abc import Iterator
from contextlib import ExitStack

import docker
import psycopg
import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from docker.errors import DockerException
from hypothesis import settings
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from deploy.local.infrastructure import Addresses, ThrowawayInfrastructure
from tests.containers import start_containers

KAFKA = pytest.StashKey[str]()  # set once a test has used it

# A busy machine is no failure: pytest's own timeout bounds every test.
settings.register_profile("hcp", deadline=None)
settings.load_profile("hcp")


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    given = [os.environ.get(name) for name in ("HCP_KAFKA", "HCP_SCHEMA_REGISTRY", "HCP_DATABASE")]
    if all(given):
        yield Addresses(*(value for value in given if value))
    elif docker_answers():
        with ExitStack() as stack:
            yield start_containers(stack)
    else:
        infrastructure = ThrowawayInfrastructure(tmp_path_factory.mktemp("services"), print)
        try:
            yield infrastructure.start()
        finally:
            infrastructure.stop()


@pytest.fixture(scope="session")
def kafka(services: Addresses, request: pytest.FixtureRequest) -> str:
    """Bootstrap servers."""
    request.config.stash[KAFKA] = services.kafka
    return services.kafka


@pytest.fixture(scope="session")
def registry(services: Addresses) -> str:
    """Base URL of the registry's Confluent-compatible API, version 7."""
    return services.registry


@pytest.fixture(scope="session")
def postgres(services: Addresses) -> str:
    """DSN of a server on which databases may be created."""
    return services.database


@pytest.fixture(scope="module")
def database(postgres: str) -> Iterator[str]:
    """DSN of an empty database of this module's own, dropped afterwards."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield with_database(postgres, name)
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def topic_prefix(request: pytest.FixtureRequest) -> Iterator[str]:
    """In front of every topic and consumer group of this module: "t3f2a9c." + "hcp.sites.v1".

    The topics are deleted afterwards: the cluster may be somebody's.
    """
    prefix = f"t{secrets.token_hex(4)}."
    yield prefix
    kafka = request.config.stash.get(KAFKA, None)
    if kafka is not None:
        delete_topics(kafka, prefix)


def with_database(dsn: str, name: str) -> str:
    parts = conninfo_to_dict(dsn)
    credentials = f"{parts['user']}:{parts['password']}" if parts.get("password") else parts["user"]
    return f"postgresql://{credentials}@{parts['host']}:{parts.get('port', 5432)}/{name}"


def delete_topics(kafka: str, prefix: str) -> None:
    """As far as the broker is still there."""
    client = AdminClient({"bootstrap.servers": kafka, "log_level": 0})
    try:
        names = [name for name in client.list_topics(timeout=10).topics if name.startswith(prefix)]
        for deleted in client.delete_topics(names, request_timeout=10).values() if names else ():
            deleted.result(timeout=20)
    except (KafkaException, TimeoutError) as error:
        warnings.warn(f"topics {prefix}* may be left on {kafka}: {error}", stacklevel=2)


def docker_answers() -> bool:
    try:
        client = docker.from_env(timeout=3)
    except DockerException:
        return False
    client.close()
    return True
