"""A report about months answers in time, whatever its simulation takes, and says how far it is."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from gateway import queries
from gateway.database import Database
from gateway.report import KEPT_FOR_S, Report, Reports
from gateway.settings import Settings
from projections.migrating import migrate

DAYS = 20
JOBS_A_DAY = 1000
HISTORY = Path(__file__).with_name("long_history.sql")


@pytest.fixture(scope="module")
def history(database: str) -> str:
    migrate(database)
    history = (
        HISTORY.read_text().replace("{days}", str(DAYS)).replace("{jobs}", str(DAYS * JOBS_A_DAY))
    )
    with psycopg.connect(database, options="-c timezone=UTC") as connection:
        for statement in history.split(";\n"):
            if statement.strip():
                connection.execute(statement.encode())
    return database


Asked = Callable[[Reports, Database], Awaitable[None]]


def ask(history: str, patience_s: float, asked: Asked) -> None:
    async def session() -> None:
        settings = Settings(kafka="none:1", schema_registry="http://none", database=history)
        database = Database(settings)
        await database.open()
        reports = Reports(database, patience_s)
        try:
            await asked(reports, database)
        finally:
            await reports.close()
            await database.close()

    asyncio.run(session())


async def report(reports: Reports, database: Database) -> Report:
    return await reports.report("long", await queries.all_sites(database))


def test_a_report_is_whole_when_there_was_time_and_nothing_is_simulated_twice(history: str) -> None:
    async def asked(reports: Reports, database: Database) -> None:
        first = await report(reports, database)
        assert first.hours[0].compared_until == first.until
        run = reports.comparisons.followed("long")
        await later()
        again = await report(reports, database)
        assert again is not first
        assert again.policies == first.policies
        assert reports.comparisons.followed("long") is run

    ask(history, 60, asked)


def test_a_report_that_cannot_wait_says_for_which_hours_it_compares(history: str) -> None:
    async def asked(reports: Reports, database: Database) -> None:
        seen = [await report(reports, database)]
        while seen[-1].hours[0].compared_until != seen[-1].until:
            await later()
            seen.append(await report(reports, database))
        first, last = seen[0], seen[-1]
        assert first.hours[0].compared_until is None
        assert first.profit == last.profit
        assert first.energy == last.energy
        for said in seen:
            hcp, *_ = said.policies
            hours = _hours_of(said)
            assert hcp.ai_revenue.amount == f"{30 * hours}.000000"
        assert last.policies[0].profit == last.profit.profit

    ask(history, 0, asked)


def test_who_goes_away_leaves_one_simulation_that_goes_on(history: str) -> None:
    async def impatient(reports: Reports, database: Database) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(report(reports, database), 0.1)

    async def asked(reports: Reports, database: Database) -> None:
        may_simulate = threading.Event()
        reports.comparisons._thread.submit(may_simulate.wait)
        await asyncio.gather(*(impatient(reports, database) for _ in range(8)))
        may_simulate.set()
        working = [t for t in threading.enumerate() if t.name.startswith("naive-policies")]
        assert len(working) <= 1
        whole = await report(reports, database)
        assert whole.hours[0].compared_until == whole.until

    ask(history, 60, asked)


async def later() -> None:
    """When a report is no longer kept."""
    await asyncio.sleep(KEPT_FOR_S + 0.01)


def _hours_of(said: Report) -> int:
    """That the policies cover."""
    (site,) = said.hours
    return (
        0
        if site.compared_until is None
        else (site.compared_until - site.start) // timedelta(hours=1)
    )
