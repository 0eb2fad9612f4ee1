"""Energy is priced by the price in force at each moment, whatever the intervals.

A workload has one GPU all the time. Watt-hours times dollars a megawatt-hour are micro-dollars.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from zoneinfo import ZoneInfo

import pytest

from schemas.events.accounts import UsageRated, UsageRecorded
from schemas.events.sites import PowerPricePublished, SitesEvent
from simulators.market import power_prices
from streams.metering.intervals import MINUTE_MS, QUARTER_MS
from streams.metering.usage import MAX_PIECES
from streams.quantities import HOUR_MS
from tests.streams.invoicing import account
from tests.streams.metering.site import (
    GPU,
    Folded,
    at,
    closed,
    configured,
    metered,
    placed,
    priced,
    queued,
    registered,
    released,
    running_site,
    tick,
)

FIVE = 5 * MINUTE_MS
SECOND = 1000


def billed(
    events: Iterable[SitesEvent], *, until: int = 11, site: Folded | None = None
) -> list[UsageRecorded]:
    """What is recorded of the energy up to an hour of the day, the allowance being over."""
    site = site or running_site().fold(queued(), placed(when=at(10)))
    site.fold(*events, tick(at(until, 30)), closed(at(until, 30)), tick(at(until, 31)))
    usages = site.usage("energy")
    assert len({usage.usage_id for usage in usages}) == len(usages)
    return usages


def micros(usages: Iterable[UsageRecorded]) -> Decimal:
    return sum(
        (
            usage.quantity * usage.price_usd_per_mwh
            for usage in usages
            if usage.price_usd_per_mwh is not None
        ),
        Decimal(0),
    )


def every_five(prices: Iterable[str], *, offset: int = 0) -> list[PowerPricePublished]:
    return [
        priced(at(10) + offset + number * FIVE, price, length=FIVE)
        for number, price in enumerate(prices)
    ]


def test_five_minute_prices_inside_a_metered_quarter() -> None:
    # 720 Wh over 10:00 to 10:15: 240 at $20, 240 at $20, 240 at $2,000
    usages = billed([*every_five(["20", "20", "2000"]), metered(at(10), [(GPU, 720)])])
    assert micros(usages) == 240 * 20 + 240 * 20 + 240 * 2000 == 489_600
    assert [(u.interval_start, u.interval_end, u.quantity) for u in usages] == [
        (at(10), at(10, 10), 480),
        (at(10, 10), at(10, 15), 240),
    ]


def test_prices_seventeen_seconds_off_the_grid() -> None:
    # A quarter of 900 Wh is 1 Wh a second. The old price holds the first 17 s, the new one 883 s
    prices = [priced(at(9, 45, 17_000), "10"), priced(at(10, 0, 17_000), "100")]
    usages = billed([*prices, metered(at(10), [(GPU, 900)])])
    assert [u.quantity for u in usages] == [17, 883]
    assert micros(usages) == 17 * 10 + 883 * 100 == 88_470


def test_a_price_that_starts_one_second_late() -> None:
    # The price before is carried over the second
    prices = [priced(at(9, 45), "10"), priced(at(10, 0, SECOND), "100")]
    usages = billed([*prices, metered(at(10), [(GPU, 900)])])
    assert micros(usages) == 1 * 10 + 899 * 100 == 89_910


def test_a_one_second_gap_neither_loses_money_nor_holds_the_hour_up() -> None:
    prices = [priced(at(10, 5 * n), "20", length=FIVE - SECOND) for n in range(12)]
    site = running_site().fold(queued(), placed(when=at(10)), *prices)
    site.fold(metered(at(10), [(GPU, 720)], length=HOUR_MS), tick(at(11)), closed(at(11)))
    site.fold(tick(at(11, 1)))
    assert micros(site.usage("energy")) == 720 * 20
    assert {u.price_usd_per_mwh for u in site.usage("energy")} == {Decimal(20)}


def test_an_hourly_price_and_five_minute_meters() -> None:
    # 12 meters of 60 Wh at $35
    meters = [metered(at(10, 5 * n), [(GPU, 60)], length=FIVE) for n in range(12)]
    usages = billed([priced(at(10), "35", length=HOUR_MS), *meters])
    assert micros(usages) == 720 * 35 == 25_200


def test_five_minute_prices_and_an_hourly_meter() -> None:
    # 60 Wh in each five minutes: 11 of them at $20, one at $5,000
    prices = every_five(["20"] * 7 + ["5000"] + ["20"] * 4)
    usages = billed([*prices, metered(at(10), [(GPU, 720)], length=HOUR_MS)])
    assert micros(usages) == 11 * 60 * 20 + 60 * 5000 == 313_200


def test_a_reading_over_many_hours_and_prices() -> None:
    # 3 h of 2,160 Wh: 720 an hour, at $10, $20 and $30
    prices = [priced(at(10 + n), str(10 * n + 10), length=HOUR_MS) for n in range(3)]
    events: list[SitesEvent] = [*prices]
    events.append(metered(at(10), [(GPU, 2160)], length=3 * HOUR_MS))
    assert micros(billed(events, until=13)) == 720 * 10 + 720 * 20 + 720 * 30


@pytest.mark.parametrize("seed", range(5))
def test_an_hourly_and_a_five_minute_feed_in_any_order_and_twice(seed: int) -> None:
    # Day-ahead $20 all hour; dispatch says $400 from 10:05 to 10:10: 660 Wh at $20, 60 at $400
    prices = [priced(at(10), "20", length=HOUR_MS), priced(at(10, 5), "400", length=FIVE)] * 2
    Random(seed).shuffle(prices)
    usages = billed([*prices, metered(at(10), [(GPU, 720)], length=HOUR_MS)])
    assert micros(usages) == 660 * 20 + 60 * 400 == 37_200


def test_a_revision_before_the_hour_is_collected() -> None:
    prices: list[SitesEvent] = [*every_five(["20"] * 12)]
    prices.append(priced(at(10, 5), "900", length=FIVE))
    usages = billed([*prices, metered(at(10), [(GPU, 720)], length=HOUR_MS)])
    assert micros(usages) == 660 * 20 + 60 * 900


def test_a_settlement_fills_what_dispatch_left_open() -> None:
    # Dispatch has $30 from 10:00, nothing from 10:05, $60 from 10:10; the settlement says $45
    dispatch = [priced(at(10), "30", length=FIVE), priced(at(10, 10), "60", length=FIVE)]
    usages = billed([*dispatch, priced(at(10), "45"), metered(at(10), [(GPU, 720)])])
    assert micros(usages) == 240 * 30 + 240 * 45 + 240 * 60


def test_a_long_gap_is_bridged_for_an_hour_and_recorded_without_a_price_after_it() -> None:
    # The last price ends at 10:15: carried to 11:15, null from there. 720 Wh an hour
    events: list[SitesEvent] = [
        priced(at(10), "20"),
        metered(at(10), [(GPU, 720)], length=HOUR_MS),
        metered(at(11), [(GPU, 720)], length=HOUR_MS),
    ]
    usages = billed(events, until=12)
    assert [u.quantity for u in usages if u.price_usd_per_mwh is None] == [180, 180, 180]
    assert micros(usages) == (720 + 180) * 20


def test_negative_prices_pay_the_customer() -> None:
    usages = billed([*every_five(["-20", "10", "-3.5"]), metered(at(10), [(GPU, 300)])])
    assert micros(usages) == 100 * -20 + 100 * 10 + 100 * Decimal("-3.5") == -1_350


def test_pieces_are_whole_watt_hours_and_none_is_lost() -> None:
    # 100 Wh over three five minutes: 34, 33 and 33
    usages = billed([*every_five(["10", "20", "30"]), metered(at(10), [(GPU, 100)])])
    assert [u.quantity for u in usages] == [34, 33, 33]


def test_the_hour_that_local_time_repeats_is_two_hours() -> None:
    """In Chicago 2024-11-03 01:00 comes twice: 06:00 and 07:00 UTC."""
    local = datetime(2024, 11, 3, 1, tzinfo=ZoneInfo("America/Chicago"))
    first, second = (int(local.replace(fold=fold).timestamp() * 1000) for fold in (0, 1))
    assert datetime.fromtimestamp(first / 1000, UTC).hour == 6
    assert second - first == HOUR_MS
    site = Folded().fold(configured(first), registered(), tick(first), closed(first))
    site.fold(queued(when=first), placed(when=first))
    for start, price in ((first, "25"), (second, "75")):
        site.fold(priced(start, price, length=HOUR_MS))
        site.fold(metered(start, [(GPU, 720)], length=HOUR_MS))
    end = second + HOUR_MS + HOUR_MS // 2
    site.fold(tick(end), closed(end), tick(end + MINUTE_MS))
    usages = site.usage("energy")
    assert micros(usages) == 720 * 25 + 720 * 75
    assert len({usage.usage_id for usage in usages}) == 8


def test_a_price_each_second_is_recorded_by_the_minute_at_its_mean() -> None:
    # 3,600 Wh, one a second; prices 0, 1, ... 3599 dollars: the sum is 3599 x 3600 / 2
    feed: list[SitesEvent] = []
    for second in range(3600):
        start = at(10) + second * SECOND
        feed += [priced(start, str(second), length=SECOND), tick(start)]
    usages = billed([*feed, metered(at(10), [(GPU, 3600)], length=HOUR_MS)])
    assert len(usages) == MAX_PIECES
    assert usages[0].price_usd_per_mwh == Decimal("29.5")
    assert micros(usages) == 3599 * 3600 // 2


def test_a_week_of_real_prices_adds_up() -> None:
    """ERCOT's hub average, 2024-01-15 to 21, a cold week: from below $20 to above $1,000."""
    start = 1_705_276_800_000
    end = start + 7 * 24 * HOUR_MS
    prices = list(power_prices("ercot_rt_spp_hb_hubavg_2024", "HB_HUBAVG", start, end))
    assert len(prices) == 7 * 96
    random = Random(7)
    drawn = {price.interval_start: random.randrange(60, 176) for price in prices}
    site = Folded().fold(configured(start), registered(), tick(start), closed(start))
    site.fold(queued(when=start), placed(when=start))
    for price in prices:
        begins = price.interval_start
        site.fold(priced(begins, str(price.price_usd_per_mwh)))
        site.fold(metered(begins, [(GPU, drawn[begins])]))
        now = begins + QUARTER_MS
        site.fold(tick(now), *([closed(now)] if now % HOUR_MS == 0 else []))
    site.fold(tick(end + MINUTE_MS))
    expected = sum(drawn[price.interval_start] * price.price_usd_per_mwh for price in prices)
    assert micros(site.usage("energy")) == expected
    assert len(site.usage("energy")) == len(prices)


@pytest.mark.parametrize(
    ("starts", "ends", "span"),
    [
        (at(10, 7), None, (at(10, 7), at(10, 15))),
        (at(10, 5), at(10, 12), (at(10, 5), at(10, 12))),
        (at(10, 7), at(10, 9), (at(10, 7), at(10, 9))),
    ],
)
def test_energy_is_of_the_time_in_which_its_placement_ran(
    starts: int, ends: int | None, span: tuple[int, int]
) -> None:
    """The meter is of 10:05 to 10:15: all of its 80 Wh are the placement's."""
    site = running_site().fold(queued(), placed(when=starts), priced(at(10), "20"))
    if ends is not None:
        site.fold(released(when=ends))
    (usage,) = billed([metered(at(10, 5), [(GPU, 80)], length=10 * MINUTE_MS)], site=site)
    assert (usage.interval_start, usage.interval_end) == span
    assert usage.quantity == 80


def test_energy_of_a_placement_is_under_the_contract_that_began_before_it() -> None:
    """c2 adds $1,000 a MWh from 10:05 on: 80 Wh at $20 and $1,000 are 81,600 micro-dollars."""
    site = running_site().fold(queued(), placed(when=at(10, 7)), priced(at(10), "20"))
    usages = billed([metered(at(10, 5), [(GPU, 80)], length=10 * MINUTE_MS)], site=site)
    folded = account.Folded().fold(
        account.tariff("t1", adder="0"),
        account.tariff("t2", adder="1000"),
        account.contract("c1", tariff_id="t1", starts_at=at(0)),
        account.contract("c2", tariff_id="t2", starts_at=at(10, 5)),
        *usages,
    )
    (rating,) = folded.said(UsageRated)
    assert (rating.contract_id, rating.quantity) == ("c2", 80)
    assert rating.amount_usd_micros == 81_600
