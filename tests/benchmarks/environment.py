"""A place of its own on real services: topics with a prefix, an empty database, our processes."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import IO, Any, cast

import psutil
import psycopg
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from psycopg import sql

from deploy.local.infrastructure import Addresses, ThrowawayInfrastructure
from projections.migrating import migrate
from schemas import provisioning, registry
from schemas.codec import Codec, OutRecord, record_for
from schemas.envelope import Cause, answered, produced
from schemas.isolation import READ_COMMITTED
from schemas.registry import RegistryIds
from schemas.topics import Event, Topic, Topics, home_partition, topic_of
from tests.conftest import with_database

STOP_S = 30


@dataclass(frozen=True)
class Environment:
    addresses: Addresses
    topics: Topics
    codec: Codec
    directory: Path
    partitions: int = 1
    forged: Iterator[int] = field(default_factory=count)

    @property
    def variables(self) -> dict[str, str]:
        return {**self.addresses.variables(), "HCP_TOPIC_PREFIX": self.topics.prefix}

    def name_of(self, topic: Topic) -> str:
        return self.topics.name_of(topic)

    def producer(self) -> Producer:
        return Producer(
            {
                "bootstrap.servers": self.addresses.kafka,
                "enable.idempotence": True,
                "linger.ms": 2,
                "queue.buffering.max.messages": 1_000_000,
                "log_level": 2,
            }
        )

    def consumer(self, *places: TopicPartition) -> Consumer:
        """An independent reader: no group, nothing committed."""
        consumer = Consumer(
            {
                **READ_COMMITTED,
                "bootstrap.servers": self.addresses.kafka,
                "group.id": f"{self.topics.prefix}bench",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 5,
                "log_level": 2,
            }
        )
        consumer.assign(list(places))
        return consumer

    def create_topic(self, name: str) -> str:
        """A topic of one partition beside ours; its full name."""
        full_name = f"{self.topics.prefix}{name}"
        admin = AdminClient({"bootstrap.servers": self.addresses.kafka})
        for done in admin.create_topics([NewTopic(full_name, 1, 1)]).values():
            done.result(timeout=30)
        return full_name

    def end_of(self, topic: Topic) -> int:
        place = TopicPartition(self.name_of(topic), 0)
        consumer = self.consumer(place)
        try:
            return consumer.get_watermark_offsets(place, timeout=10)[1]
        finally:
            consumer.close()

    def record(self, event: Event) -> OutRecord:
        """As a producer writes it; what only optimization may write as if it had."""
        log, envelope = topic_of(type(event)), produced(event, source="/bench")
        if not log.may_write(type(event), "producer"):
            index = next(self.forged)
            partition = home_partition(getattr(event, log.key_field).encode(), self.partitions)
            cause = Cause("optimization", log.name, partition, 0, index, index + 1)
            envelope = answered(
                event, agent="optimization", version="bench", input=envelope, cause=cause
            )
        return record_for(log, event, envelope, self.codec)

    def send(self, producer: Producer, record: OutRecord, **also: Any) -> None:  # noqa: ANN401
        producer.produce(
            self.name_of(record.topic),
            key=record.key,
            value=record.value,
            headers=cast(Any, record.headers),
            **also,
        )

    @contextmanager
    def process(self, module: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """`python -m module ...`, stopped as a supervisor would: asked first, then killed."""
        log = self.directory / f"{module}-{'-'.join(arguments)}.log"
        with log.open("wb") as output:
            child = self._start(module, arguments, output)
            try:
                yield child
            except TimeoutError as error:
                state = "runs" if child.poll() is None else f"ended with {child.returncode}"
                last_words = log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{error}; {module} {state}: {last_words}") from error
            finally:
                _stop(child)

    def _start(
        self, module: str, arguments: tuple[str, ...], output: IO[bytes]
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env={**os.environ, **self.variables},
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def cpu_s(child: subprocess.Popen[bytes]) -> float:
    """CPU time a running process has used, all threads: what a busy machine does not change."""
    times = psutil.Process(child.pid).cpu_times()
    return times.user + times.system


def _stop(child: subprocess.Popen[bytes]) -> None:
    child.send_signal(signal.SIGTERM)
    try:
        child.wait(STOP_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


@contextmanager
def environment(partitions: int = 1) -> Iterator[Environment]:
    """Everything in it is gone afterwards. partitions: of each log"""
    prefix = f"bench{secrets.token_hex(3)}."
    with (
        tempfile.TemporaryDirectory(prefix="hcp-bench-") as directory,
        _services(Path(directory)) as given,
        _database(given, prefix) as addresses,
    ):
        topics = Topics(prefix)
        provisioning.provision(addresses.kafka, topics, partitions=partitions)
        registry.register(addresses.registry, topics)
        migrate(addresses.database)
        codec = Codec(RegistryIds(addresses.registry, topics))
        try:
            yield Environment(addresses, topics, codec, Path(directory), partitions)
        finally:
            _delete_topics(addresses.kafka, prefix)


@contextmanager
def _services(directory: Path) -> Iterator[Addresses]:
    given = [os.environ.get(name) for name in ("HCP_KAFKA", "HCP_SCHEMA_REGISTRY", "HCP_DATABASE")]
    if all(given):
        yield Addresses(*(value for value in given if value))
        return
    infrastructure = ThrowawayInfrastructure(directory, lambda _: None)
    try:
        yield infrastructure.start()
    finally:
        infrastructure.stop()


@contextmanager
def _database(addresses: Addresses, prefix: str) -> Iterator[Addresses]:
    name = prefix.removesuffix(".")
    with psycopg.connect(addresses.database, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        dsn = with_database(addresses.database, name)
        yield Addresses(addresses.kafka, addresses.registry, dsn)
    finally:
        with psycopg.connect(addresses.database, autocommit=True) as connection:
            drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            connection.execute(drop)


def _delete_topics(kafka: str, prefix: str) -> None:
    admin = AdminClient({"bootstrap.servers": kafka})
    names = [name for name in admin.list_topics(timeout=10).topics if name.startswith(prefix)]
    for done in admin.delete_topics(names).values():
        done.result(timeout=30)
