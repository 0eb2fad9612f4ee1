"""An hour waits for the prices of the finest feed, and no longer than the allowance.

A workload has one GPU all the time, that draws 100 Wh each quarter of an hour. Watt-hours times
dollars a megawatt-hour are micro-dollars.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from schemas.events.sites import SitesEvent
from streams.metering.intervals import MINUTE_MS, QUARTER_MS
from streams.metering.state import MAX_PRICE_LENGTHS
from streams.quantities import DAY_MS, HOUR_MS
from tests.streams.metering.site import (
    GPU,
    Folded,
    at,
    closed,
    metered,
    placed,
    priced,
    queued,
    running_site,
    tick,
)

FIVE = 5 * MINUTE_MS
DAY_AHEAD_USD = 20


def site() -> Folded:
    return running_site().fold(queued(), placed(when=at(10)))


def billed_micros(folded: Folded) -> int:
    return sum(int(u.quantity * (u.price_usd_per_mwh or 0)) for u in folded.usage("energy"))


def day_ahead(first: int, last: int) -> list[SitesEvent]:
    return [priced(at(hour), str(DAY_AHEAD_USD), length=HOUR_MS) for hour in range(first, last)]


def hours(
    first: int, last: int, *, length: int | None, settled_usd: int = 2000, lag: int = FIVE
) -> Iterator[SitesEvent]:
    """Five minutes by five minutes from `first` on: the clock, a meter after each quarter, and
    settlement prices of a length (none where None), each `lag` after its interval."""
    for now in range(at(first) + FIVE, at(last) + 1, FIVE):
        yield tick(now)
        if now % HOUR_MS == 0:
            yield closed(now)
        if now % QUARTER_MS == 0:
            yield metered(now - QUARTER_MS, [(GPU, 100)])
        end = now - lag
        if length is not None and end % length == 0 and end > at(first):
            yield priced(end - length, str(settled_usd), length=length)


def test_a_day_ahead_price_does_not_stand_for_the_settlement() -> None:
    folded = site().fold(*day_ahead(10, 12), *hours(10, 11, length=QUARTER_MS))
    assert folded.watermarks == []
    # The last quarter's price comes at 11:05: 400 Wh at $2,000
    folded.fold(tick(at(11, 5)), priced(at(10, 45), "2000"), tick(at(11, 6)))
    assert billed_micros(folded) == 800_000
    assert folded.watermarks == [("acme", at(11))]
    assert folded.differences == []


def test_a_day_ahead_price_alone_is_enough() -> None:
    folded = site().fold(*day_ahead(10, 14), *hours(10, 13, length=None), tick(at(13, 1)))
    assert billed_micros(folded) == 1200 * DAY_AHEAD_USD
    assert folded.watermarks == [("acme", at(11)), ("acme", at(12)), ("acme", at(13))]


def test_a_feed_that_dies_holds_hours_for_the_allowance_and_for_a_day() -> None:
    folded = site().fold(*day_ahead(10, 40))
    folded.fold(*hours(10, 12, length=QUARTER_MS), tick(at(12, 5)), priced(at(11, 45), "2000"))
    folded.fold(*hours(12, 13, length=None), tick(at(13, 29)))
    assert folded.watermarks[-1] == ("acme", at(12))
    folded.fold(tick(at(13, 30)))
    assert folded.watermarks[-1] == ("acme", at(13))
    # 800 Wh were settled at $2,000, then 400 Wh go at the day-ahead price
    assert billed_micros(folded) == 800 * 2000 + 400 * DAY_AHEAD_USD
    folded.fold(*hours(13, 38, length=None), tick(at(38, 1)))
    # Its last word was of 12:00: by 12:00 of the next day it is forgotten
    assert folded.watermarks[-1] == ("acme", at(38))
    assert folded.differences == []


@pytest.mark.parametrize(("before", "after"), [(QUARTER_MS, FIVE), (FIVE, QUARTER_MS)])
def test_a_feed_that_changes_its_interval(before: int, after: int) -> None:
    folded = site().fold(*day_ahead(10, 16), *hours(10, 12, length=before, settled_usd=1000))
    folded.fold(tick(at(12, 5)), priced(at(12) - before, "1000", length=before))
    folded.fold(*hours(12, 14, length=after, settled_usd=3000))
    folded.fold(tick(at(14, 5)), priced(at(14) - after, "3000", length=after))
    folded.fold(*hours(14, 15, length=before, settled_usd=500), tick(at(15, 5)))
    folded.fold(priced(at(15) - before, "500", length=before), tick(at(15, 31)))
    assert billed_micros(folded) == 800 * 1000 + 800 * 3000 + 400 * 500
    assert folded.watermarks[-1] == ("acme", at(15))
    assert folded.differences == []


def test_lengths_that_are_off_by_seconds_are_one_feed() -> None:
    folded = site().fold(*day_ahead(10, 12), *hours(10, 11, length=None))
    start = at(10)
    for length in (QUARTER_MS - 2000, QUARTER_MS + 1000, QUARTER_MS, QUARTER_MS + 1000):
        folded.fold(priced(start, "2000", length=length))
        start += length
    folded.fold(tick(at(11, 1)))
    assert start == at(11)
    assert billed_micros(folded) == 400 * 2000


def test_a_settlement_of_days_ago_and_one_of_days_ahead_are_not_waited_for_long() -> None:
    folded = site().fold(*day_ahead(10, 40), priced(at(10) - 2 * DAY_MS, "9", length=FIVE))
    folded.fold(*hours(10, 11, length=None), tick(at(11, 1)))
    assert folded.watermarks == [("acme", at(11))]
    folded.fold(priced(at(10) + 7 * DAY_MS, "9", length=FIVE), *hours(11, 12, length=None))
    folded.fold(tick(at(12, 29)))
    assert folded.watermarks == [("acme", at(11))]
    folded.fold(*hours(12, 37, length=None), tick(at(37, 1)))
    assert folded.watermarks[-1] == ("acme", at(37))


def test_any_number_of_lengths_take_bounded_room() -> None:
    folded = site()
    for minute in range(1, 60):
        length = minute * MINUTE_MS
        folded.fold(tick(at(10, minute)), priced(at(10, minute) - length, "20", length=length))
    assert len(folded.state.price_lengths) == MAX_PRICE_LENGTHS
    assert min(folded.state.price_lengths) == MINUTE_MS
