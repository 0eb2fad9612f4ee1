"""The documentation in the catalog and in the database is complete and true."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from projections.catalog import READ_MODELS
from projections.database import Connection, connect
from projections.migrating import migrate
from projections.operations import Table
from schemas.topics import DEAD_LETTERS, LOGS

README = Path(__file__).parents[2] / "README.md"
TABLES = [table for model in READ_MODELS for table in model.tables]


@pytest.fixture(scope="module")
def connection(database: str) -> Iterator[Connection]:
    migrate(database)
    with connect(database) as found:
        yield found


def test_every_read_model_says_what_it_holds_and_reads() -> None:
    for model in READ_MODELS:
        assert model.doc.endswith("."), model.name
        assert model.reads <= {event for topic in model.topics for event in topic.events}
        assert all(any(event in topic.writers for event in model.reads) for topic in model.topics)
        assert set(model.topics) <= {*LOGS, *DEAD_LETTERS}


def test_no_two_read_models_share_a_table_or_name() -> None:
    assert len({table.name for table in TABLES}) == len(TABLES)
    assert len({model.name for model in READ_MODELS}) == len(READ_MODELS)


@pytest.mark.parametrize("table", TABLES, ids=str)
def test_declared_tables_are_the_migrated_ones(connection: Connection, table: Table) -> None:
    columns = connection.execute(
        "SELECT column_name, data_type = 'jsonb' FROM information_schema.columns "
        "WHERE table_name = %s AND table_schema = 'public'",
        (table.name,),
    ).fetchall()
    key = connection.execute(
        "SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid "
        "AND a.attnum = ANY (i.indkey) WHERE i.indrelid = %s::regclass AND i.indisprimary",
        (table.name,),
    ).fetchall()
    assert {name for name, _ in columns} == {*table.columns, *table.derived}
    assert {name for name, is_json in columns if is_json} == table.json
    assert {name for (name,) in key} == set(table.key)


def test_every_table_belongs_to_a_read_model(connection: Connection) -> None:
    found = connection.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' "
        r"AND tablename NOT LIKE '%yoyo%' AND tablename NOT LIKE 'projection\_%'"
    ).fetchall()
    assert {name for (name,) in found} == {table.name for table in TABLES}


def test_every_analytics_view_and_column_is_explained(connection: Connection) -> None:
    rows = connection.execute(
        "SELECT c.relname, a.attname, col_description(c.oid, a.attnum), obj_description(c.oid) "
        "FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
        "WHERE c.relnamespace = 'analytics'::regnamespace AND a.attnum > 0"
    ).fetchall()
    assert len({view for view, *_ in rows}) > 15
    assert [(view, column) for view, column, *said in rows if not all(said)] == []


def test_analysts_read_analytics_and_nothing_else(connection: Connection) -> None:
    views = connection.execute(
        "SELECT viewname FROM pg_views WHERE schemaname = 'analytics'"
    ).fetchall()
    with connection.transaction():
        connection.execute("SET LOCAL ROLE hcp_analyst")
        for (view,) in views:
            connection.execute(f"SELECT * FROM analytics.{view}".encode())
    for forbidden in (b"SELECT * FROM workloads", b"DELETE FROM analytics.usage"):
        with connection.transaction(force_rollback=True):
            connection.execute("SET LOCAL ROLE hcp_analyst")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(forbidden)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TEMPORARY TABLE t (one integer)",
        "SELECT lo_from_bytea(0, '')",
        "SELECT pg_advisory_lock(1212366849)",
        "SELECT pg_try_advisory_xact_lock_shared(1, 2)",
        "CREATE TABLE public.t (one integer)",
    ],
)
def test_an_analyst_writes_and_locks_nothing(connection: Connection, statement: str) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL ROLE hcp_analyst")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.encode())


def test_the_example_of_the_readme_works(connection: Connection) -> None:
    (example,) = re.findall(r"^    (SELECT .*?;)$", README.read_text(), re.DOTALL | re.MULTILINE)
    with connection.transaction():
        connection.execute("SET LOCAL ROLE hcp_analyst")
        found = connection.execute(example.encode())
        assert [column.name for column in found.description or ()] == [
            *("day", "site_id", "profit_usd", "energy_mwh")
        ]


LIMITS = {
    "default_transaction_read_only=on",
    "statement_timeout=60s",
    "idle_in_transaction_session_timeout=60s",
    "transaction_timeout=120s",
    "temp_file_limit=256MB",
}


def test_an_analyst_who_logs_in_is_read_only_and_bounded(connection: Connection) -> None:
    """In every database of the cluster: the settings are of the role, not of one database."""
    found = connection.execute(
        "SELECT setdatabase = 0, unnest(setconfig) FROM pg_db_role_setting "
        "WHERE setrole = 'hcp_analyst'::regrole AND setdatabase IN "
        "(0, (SELECT oid FROM pg_database WHERE datname = current_database()))"
    ).fetchall()
    version = connection.info.server_version
    wanted = {limit for limit in LIMITS if version >= 170000 or "transaction_t" not in limit}
    assert {setting for everywhere, setting in found if everywhere} == wanted
    assert all(everywhere for everywhere, _ in found)
    limit = connection.execute(
        "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'hcp_analyst'"
    ).fetchone()
    assert limit == (10,)


def test_the_settings_of_an_earlier_version_give_way(database: str, connection: Connection) -> None:
    """It made them for one database, where they outrank those of the role."""
    name = connection.info.dbname
    connection.execute(
        f"ALTER ROLE hcp_analyst IN DATABASE {name} SET statement_timeout = '1h'".encode()
    )
    migrate(database)
    found = connection.execute(
        "SELECT 1 FROM pg_db_role_setting WHERE setrole = 'hcp_analyst'::regrole "
        "AND setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    assert found.fetchall() == []


def test_migrating_twice_changes_nothing(database: str, connection: Connection) -> None:
    assert connection.closed is False
    assert migrate(database) == []
