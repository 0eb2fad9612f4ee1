"""The same tables, however the work was cut up, interrupted, repeated or shared."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from projections import database
from projections.catalog import READ_MODELS
from projections.rebuild import rebuild
from projections.record import ReadModel
from schemas.topics import DEAD_LETTERS
from tests.projections.conftest import PARTITIONS, Dump, Stack, emptied


@pytest.fixture(scope="module")
def clean(stack: Stack) -> Dump:
    """The tables after one undisturbed run."""
    stack.project()
    return stack.dump()


@pytest.fixture
def empty(stack: Stack, clean: Dump) -> Stack:
    """Nothing projected. The clean run is over before."""
    assert clean
    stack.forget()
    return stack


def test_the_story_is_told(stack: Stack, clean: Dump) -> None:
    assert len(clean["workloads"]) == 120
    assert stack.query("SELECT state, count(*) FROM workloads GROUP BY 1 ORDER BY 1") == [
        ("completed", 84),
        ("rejected", 15),
        ("switching", 21),
    ]
    assert stack.query("SELECT count(*), sum(amount_usd_micros) FROM usage") == [(84, 84 * 391_667)]
    assert stack.query("SELECT state, count(*) FROM invoices GROUP BY 1") == [("finalized", 84)]
    assert stack.query(
        "SELECT planned_power_w, mining_power_w FROM sites WHERE site_id='beta'"
    ) == [(14_000 + 2_800, 14_000)]


def test_profit_by_the_hour(stack: Stack, clean: Dump) -> None:
    """Four intervals of 4 GPUs at 175 Wh and 4 S21 at 875 Wh, at $31.25, $32.25, $33.25, $34.25."""
    assert clean["feeder_energy_readings"]
    mining = round(4 * 4 * 180_000 * 38.2 / 86.4)
    power = 4 * (175 + 875) * (31.25 + 32.25 + 33.25 + 34.25)
    assert stack.query(
        "SELECT ai_revenue_usd_micros, mining_revenue_usd_micros, power_cost_usd_micros, energy_wh,"
        " ai_energy_wh, unpriced_energy_wh FROM site_pnl_hourly WHERE site_id = 'alpha'"
    ) == [(28 * 391_667, mining, power, 16_800, 2_800, 0)]


PROFIT = "SELECT * FROM site_pnl_hourly ORDER BY site_id, hour"


def test_a_runner_rolls_profit_up_and_it_stays_the_same(stack: Stack, clean: Dump) -> None:
    """As computed when nothing is rolled up yet, and when its prices and meters are filled anew."""
    stack.query("DELETE FROM rollups.feeder_hours RETURNING 1")
    stack.query("UPDATE feeder_energy_readings SET rejected = rejected RETURNING 1")
    computed = stack.query(PROFIT)
    assert stack.query("SELECT count(*) FROM rollups.feeder_hours") == [(0,)]
    with running(stack, batch=100):
        wait_for(lambda: stack.query("SELECT count(*) FROM rollups.stale_hours") == [(0,)])
    assert len(stack.query("SELECT FROM rollups.feeder_hours")) >= 3
    assert stack.query(PROFIT) == computed
    again = [model for model in READ_MODELS if model.name in ("prices", "energy")]
    with psycopg.connect(stack.dsn) as connection:
        for model in again:
            emptied(connection, model)
    assert stack.query(PROFIT) != computed
    with running(stack, batch=61):
        wait_for(stack.is_caught_up)
    assert stack.dump() == clean
    assert stack.query(PROFIT) == computed


def test_revenue_from_ai_is_what_was_billed(stack: Stack, clean: Dump) -> None:
    assert clean["invoices"]
    assert stack.query("SELECT sum(ai_revenue_usd_micros) FROM site_pnl_hourly") == stack.query(
        "SELECT sum(total_usd_micros) FROM invoices"
    )


def test_small_batches_and_many_restarts(empty: Stack, clean: Dump) -> None:
    for _ in range(12):
        empty.project(batch=37, steps=2)
    empty.project(batch=61)
    assert empty.dump() == clean


def test_a_crash_inside_a_transaction(
    empty: Stack, clean: Dump, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(database, "advance", dies)
        with pytest.raises(KeyboardInterrupt):
            empty.project()
    assert not any(empty.dump().values())
    empty.project()
    assert empty.dump() == clean


def test_two_runners_at_once(empty: Stack, clean: Dump) -> None:
    with running(empty, batch=53), running(empty, batch=41):
        wait_for(empty.is_caught_up)
    assert empty.dump() == clean


def test_a_read_model_has_one_writer_at_a_time(empty: Stack) -> None:
    """Also when the other has records of another log: both may write the same row."""
    with database.connect(empty.dsn) as one, database.connect(empty.dsn) as other:
        with one.transaction():
            assert len(database.lock_positions(one, ["workloads"])) == 2 * PARTITIONS
            other.execute("SET lock_timeout = '100ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                database.lock_positions(other, ["prices", "workloads"])
        assert database.lock_positions(other, ["workloads"])


def test_connections_cut_again_and_again(empty: Stack, clean: Dump) -> None:
    with running(empty, batch=23):
        for _ in range(8):
            cut_connections(empty.dsn)
            time.sleep(0.05)
        wait_for(empty.is_caught_up)
    assert empty.dump() == clean


@pytest.mark.parametrize("model", READ_MODELS, ids=lambda model: model.name)
def test_a_rebuild_equals_what_was_built_live(stack: Stack, clean: Dump, model: ReadModel) -> None:
    stack.project()
    read = rebuilt(stack, model)
    assert stack.dump(model) == {table.name: clean[table.name] for table in model.tables}
    assert (read > 0) is has_records(model), "nothing in the story is refused"


def has_records(model: ReadModel) -> bool:
    return not set(model.topics) <= set(DEAD_LETTERS)


def test_a_rebuild_beside_a_runner(stack: Stack, clean: Dump) -> None:
    with running(stack, batch=100):
        for model in READ_MODELS[:4]:
            rebuilt(stack, model)
        wait_for(stack.is_caught_up)
    assert stack.dump() == clean


def test_a_runner_goes_back_for_a_read_model_that_is_behind(stack: Stack, clean: Dump) -> None:
    with running(stack, batch=100):
        wait_for(stack.is_caught_up)
        with psycopg.connect(stack.dsn) as connection:
            model = READ_MODELS[2]
            emptied(connection, model)
        wait_for(stack.is_caught_up)
    assert stack.dump() == clean


def rebuilt(stack: Stack, model: ReadModel) -> int:
    reader = stack.reader(500, commits=False)
    try:
        return rebuild(
            model,
            reader=reader,
            dsn=stack.dsn,
            codec=stack.codec,
            progress=lambda *_: None,
            stop=threading.Event(),
        )
    finally:
        reader.close()


@contextmanager
def running(stack: Stack, *, batch: int) -> Iterator[None]:
    stop = threading.Event()
    stack.stops.append(stop)
    reader = stack.reader(batch)
    runner, session = stack.runner(reader, stop)
    failures: list[BaseException] = []

    def run() -> None:
        try:
            runner.run()
        except BaseException as error:  # noqa: BLE001 - shown by the test
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)
        session.close()
        reader.close()
    assert not failures, failures
    assert not thread.is_alive()


def cut_connections(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'hcp-projections' AND datname = current_database()"
        )


def wait_for(condition: Callable[[], bool], *, timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
