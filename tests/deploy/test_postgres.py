"""The embedded PostgreSQL bounds every login but our own user's, however the directory was made."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from deploy.local import ports
from deploy.local.child import Child
from deploy.local.infrastructure import wait_ready
from deploy.local.postgres import LIMITS, PRIVATE, Postgres
from projections.migrating import migrate


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A directory of an earlier version: its databases are there, its limits are not."""
    directory = tmp_path_factory.mktemp("postgres")
    (port,) = ports.choose_free(1)
    postgres = Postgres(directory / "postgres", port, "secret", durable=False)
    postgres.prepare(directory / "initdb.log")
    child = Child(postgres.command(), directory / "postgres.log")
    try:
        wait_ready(child)
        with psycopg.connect(postgres.dsn("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE hcp")
            connection.execute("CREATE DATABASE registry")
        postgres.create_databases()
        migrate(postgres.dsn("hcp"))
        with psycopg.connect(postgres.dsn("hcp"), autocommit=True) as connection:
            connection.execute("CREATE ROLE ana LOGIN PASSWORD 'hers' IN ROLE hcp_analyst")
        yield postgres
    finally:
        child.stop()


def of_ana(postgres: Postgres, database: str) -> str:
    return make_conninfo(postgres.dsn(database), user="ana", password="hers")


def test_a_login_of_a_persons_own_is_bounded(postgres: Postgres) -> None:
    with psycopg.connect(of_ana(postgres, "hcp")) as connection:
        for name, value in LIMITS.items():
            assert connection.execute(f"SHOW {name}".encode()).fetchone() in [
                (value,),
                (value.replace("60s", "1min").replace("120s", "2min"),),
            ]
        assert connection.execute("SELECT count(*) FROM analytics.sites").fetchone() == (0,)


def test_our_own_user_is_not(postgres: Postgres) -> None:
    with psycopg.connect(postgres.dsn("hcp")) as connection:
        found = [connection.execute(f"SHOW {name}".encode()).fetchone() for name in LIMITS]
    assert found == [("0",), ("0",), ("0",), ("-1",)]


@pytest.mark.parametrize("database", PRIVATE)
def test_other_databases_are_closed(postgres: Postgres, database: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(of_ana(postgres, database))


def test_a_sort_does_not_fill_the_disk(postgres: Postgres) -> None:
    """Not even when its session takes away what it may take away."""
    with psycopg.connect(of_ana(postgres, "hcp")) as connection:
        connection.execute("SET statement_timeout = 0")
        with pytest.raises(psycopg.errors.ConfigurationLimitExceeded, match="temp_file_limit"):
            connection.execute(
                "SELECT count(*) FROM (SELECT repeat(md5(n::text), 8) AS one, n "
                "FROM generate_series(1, 3000000) n ORDER BY one DESC OFFSET 1) sorted"
            )
        connection.rollback()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SET temp_file_limit = -1")


def test_strangers_leave_us_room(postgres: Postgres) -> None:
    """However many log in, our own user still gets a connection."""
    theirs: list[psycopg.Connection[tuple[object, ...]]] = []
    try:
        with pytest.raises(psycopg.OperationalError, match="reserved"):
            theirs.extend(psycopg.connect(of_ana(postgres, "hcp")) for _ in range(120))
        with psycopg.connect(postgres.dsn("hcp")) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        for connection in theirs:
            connection.close()
