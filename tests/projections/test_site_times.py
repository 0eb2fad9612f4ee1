"""What time it is at a site: its own clock, and what has passed since that was heard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from projections.database import Connection, connect
from projections.migrating import migrate

JUNE = datetime(2024, 6, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@pytest.fixture
def connection(database: str) -> Iterator[Connection]:
    migrate(database)
    with connect(database) as found, found.transaction(force_rollback=True):
        found.execute("DELETE FROM site_ticks")
        found.execute("DELETE FROM site_clock_corrections")
        yield found


@dataclass
class Played:
    """clock: of its last tick, which was heard so long ago by the wall clock

    pace: how fast event time goes by the wall clock
    """

    clock: datetime
    heard_ago: timedelta = timedelta(0)
    pace: float = 1


def times(connection: Connection, **sites: Played) -> dict[str, datetime]:
    """Of each site, ten ticks a second of the wall clock apart."""
    for site_id, site in sites.items():
        for slot in range(10):
            before = timedelta(seconds=slot)
            at, heard_ago = site.clock - before * site.pace, site.heard_ago + before
            connection.execute(
                'INSERT INTO site_ticks (site_id, slot, partition, "offset", at, heard_at) '
                "VALUES (%s, %s, 0, %s, %s, now() - %s)",
                (site_id, slot, 100 - slot, at, heard_ago),
            )
    rows = connection.execute("SELECT site_id, now FROM site_times").fetchall()
    return {str(site_id): now for site_id, now in rows}


def test_a_site_that_is_heard_has_its_own_time(connection: Connection) -> None:
    """Whatever another's clock says, and the wall clock."""
    found = times(connection, old=Played(JUNE, pace=900), ahead=Played(JUNE + 30 * DAY))
    assert found == {"old": JUNE, "ahead": JUNE + 30 * DAY}


def test_a_site_that_is_alone_goes_on_with_the_wall_clock(connection: Connection) -> None:
    found = times(connection, quiet=Played(JUNE, heard_ago=3 * DAY, pace=900))
    assert found == {"quiet": JUNE + 3 * DAY}


@pytest.mark.parametrize(
    ("newest", "expected"),
    [
        # Ten minutes at nine hundred times are 150 hours: the others have come as far
        (JUNE + 150 * HOUR, JUNE + 150 * HOUR),
        # They were held up
        (JUNE + 100 * HOUR, JUNE + 100 * HOUR),
        # One of them is of another time
        (JUNE + 800 * DAY, JUNE + 150 * HOUR),
        # They are behind
        (JUNE - 50 * DAY, JUNE + 10 * MINUTE),
    ],
)
def test_a_silent_site_of_a_fast_scenario_goes_on_as_far_as_others_have_come(
    connection: Connection, newest: datetime, expected: datetime
) -> None:
    quiet = Played(JUNE, heard_ago=10 * MINUTE, pace=900)
    assert times(connection, quiet=quiet, loud=Played(newest, pace=900))["quiet"] == expected


def test_times_that_cannot_be_true_are_no_error(connection: Connection) -> None:
    far = datetime(9999, 1, 1, tzinfo=UTC)
    found = times(connection, one=Played(JUNE), two=Played(far, heard_ago=-2000 * 366 * DAY))
    assert set(found) == {"one", "two"}
