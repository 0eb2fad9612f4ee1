"""The same three services from containers, in the versions that the embedded stack pins."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import psycopg
from psycopg import sql
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed
from testcontainers.core.container import DockerContainer

from deploy.local import kafka, postgres, registry
from deploy.local.artifacts import pinned
from deploy.local.infrastructure import Addresses
from deploy.local.ports import choose_free

USER = PASSWORD = "test"


def start_containers(stack: ExitStack) -> Addresses:
    """Started here, stopped when the stack unwinds."""
    versions = {name: artifact.version for name, artifact in pinned().items()}
    # Kafka's clients are told its address by Kafka itself, so the port is fixed beforehand.
    kafka_port, postgres_port, registry_port = choose_free(3)
    broker = (
        DockerContainer(f"apache/kafka:{versions['kafka']}")
        .with_bind_ports(9092, kafka_port)
        .with_envs(
            KAFKA_NODE_ID="1",
            KAFKA_PROCESS_ROLES="broker,controller",
            KAFKA_LISTENERS="PLAINTEXT://:9092,CONTROLLER://:9093",
            KAFKA_ADVERTISED_LISTENERS=f"PLAINTEXT://127.0.0.1:{kafka_port}",
            KAFKA_LISTENER_SECURITY_PROTOCOL_MAP="CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            KAFKA_CONTROLLER_LISTENER_NAMES="CONTROLLER",
            KAFKA_CONTROLLER_QUORUM_VOTERS="1@localhost:9093",
            KAFKA_AUTO_CREATE_TOPICS_ENABLE="false",
            KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR="1",
            KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR="1",
            KAFKA_TRANSACTION_STATE_LOG_MIN_ISR="1",
            KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS="0",
        )
    )
    database = (
        DockerContainer(f"postgres:{postgres.MAJOR}")
        .with_bind_ports(5432, postgres_port)
        .with_envs(POSTGRES_USER=USER, POSTGRES_PASSWORD=PASSWORD, POSTGRES_DB="hcp")
    )
    dsn = f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{postgres_port}/hcp"
    stack.enter_context(broker)
    stack.enter_context(database)
    until(lambda: postgres.answers(dsn), "PostgreSQL")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE registry"))
    schemas = (
        DockerContainer(f"apicurio/apicurio-registry:{versions['registry']}")
        .with_bind_ports(8080, registry_port)
        .with_kwargs(extra_hosts={"host.docker.internal": "host-gateway"})
        .with_envs(
            **registry.SETTINGS,
            APICURIO_DATASOURCE_URL=(
                f"jdbc:postgresql://host.docker.internal:{postgres_port}/registry"
            ),
            APICURIO_DATASOURCE_USERNAME=USER,
            APICURIO_DATASOURCE_PASSWORD=PASSWORD,
        )
    )
    stack.enter_context(schemas)
    url = f"http://127.0.0.1:{registry_port}{registry.API}"
    bootstrap = f"127.0.0.1:{kafka_port}"
    until(lambda: kafka.answers(bootstrap), "Kafka")
    until(lambda: registry.answers(url), "the registry")
    return Addresses(bootstrap, url, dsn)


def until(ready: Callable[[], bool], what: str) -> None:
    attempts = Retrying(
        retry=retry_if_result(lambda answer: not answer),
        stop=stop_after_delay(120),
        wait=wait_fixed(0.2),
        retry_error_callback=lambda _: None,
    )
    assert attempts(ready), f"{what} did not answer within 120 s"
