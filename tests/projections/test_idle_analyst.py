"""An analyst who reads every view and then falls silent holds up nobody."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from projections import database, migrating, shadow
from projections.catalog import READ_MODELS
from projections.errors import HeldUp
from projections.migrating import migrate
from projections.rebuild import rebuild
from projections.record import ReadModel
from projections.session import Session
from tests.projections.conftest import Dump, Stack
from tests.projections.story import tell
from tests.projections.test_runner import has_records, rebuilt, running, wait_for

ADDED = "ALTER TABLE usage ADD COLUMN added_by_test integer"


@pytest.fixture
def analyst(stack: Stack) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """Idle in a transaction that has read every view."""
    stack.project()
    with psycopg.connect(stack.dsn) as connection:
        views = connection.execute("SELECT viewname FROM pg_views WHERE schemaname = 'analytics'")
        names = [name for (name,) in views]
        connection.commit()
        connection.execute("SET LOCAL ROLE hcp_analyst")
        for name in names:
            connection.execute(f"SELECT * FROM analytics.{name}".encode())
        assert "workloads" in names
        yield connection
        connection.rollback()


@pytest.fixture
def migration(tmp_path: Path, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """One more, which wants a table to itself."""
    folder = tmp_path / "migrations"
    shutil.copytree(migrating.MIGRATIONS, folder)
    added = folder / "9999_added.sql"
    added.write_text(f"{ADDED};\n")
    monkeypatch.setattr(migrating, "MIGRATIONS", folder)
    yield added
    with psycopg.connect(stack.dsn) as connection:
        connection.execute("ALTER TABLE usage DROP COLUMN IF EXISTS added_by_test")
        connection.execute("DELETE FROM _yoyo_migration WHERE migration_id = '9999_added'")


def test_rebuilds_and_migrations_beside_an_idle_analyst(
    stack: Stack, analyst: psycopg.Connection[tuple[object, ...]], migration: Path
) -> None:
    """The read models move on, the rebuilds end, and the migration ends when the table is free."""
    with ThreadPoolExecutor() as threads, running(stack, batch=20):
        migrated = threads.submit(migrate, stack.dsn)
        rebuilds = threads.submit(rebuilt_all, stack)
        try:
            for round_ in range(5):
                tell(stack.story, site=f"beside-{round_}", workloads=20)
                stack.publish()
                wait_for(stack.is_caught_up)
            assert rebuilds.result(60) == sum(map(has_records, READ_MODELS))
            assert not migrated.done()
            assert column_is_there(stack) is False
        finally:
            analyst.rollback()
        assert migrated.result(60) == [migration.stem]
        wait_for(stack.is_caught_up)
    assert column_is_there(stack) is True
    served = stack.dump()
    stack.forget()
    stack.project()
    assert stack.dump() == served


@pytest.mark.usefixtures("migration")
def test_a_migration_that_is_held_up_names_who_does_it(
    stack: Stack, analyst: psycopg.Connection[tuple[object, ...]]
) -> None:
    with pytest.raises(HeldUp, match=rf"pid {analyst.info.backend_pid}, idle in transaction"):
        migrate(stack.dsn, patience_s=1)
    assert column_is_there(stack) is False


def test_a_migration_beside_another_one_does_not_wait_for_ever(stack: Stack) -> None:
    with psycopg.connect(stack.dsn) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (migrating.LOCK,))
        with pytest.raises(HeldUp, match="another migration runs"):
            migrate(stack.dsn, patience_s=0.1)
    assert migrate(stack.dsn) == []


@pytest.mark.parametrize("model", [READ_MODELS[2]], ids=str)
def test_readers_see_all_rows_for_as_long_as_a_rebuild_takes(
    stack: Stack, model: ReadModel
) -> None:
    """Stopped half way it has changed nothing, and the next one goes on from there."""
    stack.project()
    before = stack.dump(model)
    stop = threading.Event()
    seen: list[Dump] = []

    def look(done: int, total: int) -> None:
        seen.append(stack.dump(model))
        if done > total / 2:
            stop.set()

    reader = stack.reader(20, commits=False)
    first = rebuild(
        *(model,), reader=reader, dsn=stack.dsn, codec=stack.codec, progress=look, stop=stop
    )
    reader.close()
    assert len(seen) > 3
    assert all(dump == before for dump in seen)
    second = rebuilt(stack, model)
    assert 0 < second < first
    assert stack.dump(model) == before
    assert stack.query("SELECT count(*) FROM rebuilding.fills") == [(0,)]


def test_other_code_begins_anew(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.project()
    model = READ_MODELS[0]
    session = Session(stack.dsn, threading.Event(), schema=shadow.SCHEMA)
    assert session.run(lambda c: shadow.prepare(c, model)) is False
    assert session.run(lambda c: shadow.prepare(c, model)) is True
    monkeypatch.setattr(shadow, "code_sha256", lambda: "another")
    assert session.run(lambda c: shadow.prepare(c, model)) is False
    session.run(lambda c: shadow.clear(c, model))
    session.close()


def test_a_rebuild_mends_rows_that_went_wrong(stack: Stack) -> None:
    """Changed ones, missing ones, and ones that no record ever made."""
    stack.project()
    model = next(model for model in READ_MODELS if model.name == "workloads")
    before = stack.dump(model)
    with psycopg.connect(stack.dsn) as connection:
        connection.execute(
            "UPDATE workloads SET state = 'failed', gpu_count = 77 WHERE attempt > 0"
        )
        connection.execute("DELETE FROM workload_events WHERE partition = 0")
        connection.execute(
            "INSERT INTO workload_events SELECT 'nobody', topic, partition, \"offset\", event_id, "
            "type, at, data FROM workload_events"
        )
    assert stack.dump(model) != before
    rebuilt(stack, model)
    assert stack.dump(model) == before


def test_a_read_model_that_moved_on_is_not_overwritten(stack: Stack) -> None:
    stack.project()
    model = READ_MODELS[0]
    before = stack.dump(model)
    session = Session(stack.dsn, threading.Event(), schema=shadow.SCHEMA)
    session.run(lambda c: shadow.prepare(c, model))
    assert session.run(lambda c: shadow.put_in_place(c, model)) is False
    session.run(lambda c: shadow.clear(c, model))
    session.close()
    assert stack.dump(model) == before


def test_the_others_do_not_wait_for_one_that_is_put_in_place(stack: Stack) -> None:
    stack.project()
    with database.connect(stack.dsn) as holder, running(stack, batch=20):
        database.take_swap_lock(holder, "workloads")
        tell(stack.story, site="aside", workloads=10)
        stack.publish()
        wait_for(lambda: behind(stack) == {"workloads"})
        holder.close()
        wait_for(stack.is_caught_up)
    served = stack.dump()
    stack.forget()
    stack.project()
    assert stack.dump() == served


def behind(stack: Stack) -> set[str]:
    ends = {(topic.name, partition): end for (topic, partition), end in stack.ends().items()}
    with psycopg.connect(stack.dsn) as connection:
        found = database.positions(connection)
    return {place.read_model for place, at in found.items() if at < ends[place[1:]]}


def rebuilt_all(stack: Stack) -> int:
    return sum(1 for model in READ_MODELS if rebuilt(stack, model))


def column_is_there(stack: Stack) -> bool:
    return bool(
        stack.query("SELECT 1 FROM information_schema.columns WHERE column_name = 'added_by_test'")
    )
