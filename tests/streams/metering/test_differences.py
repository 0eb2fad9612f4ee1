"""What comes after its hour was collected changes no bill, and is said."""

from __future__ import annotations

from decimal import Decimal

import pytest

from schemas.events.sites import BillingDifferenceFound, ClockCorrected
from streams.metering.agent import AGENT
from streams.metering.intervals import MINUTE_MS
from streams.quantities import HOUR_MS
from tests.streams.metering.site import (
    FEEDER,
    GPU,
    SITE,
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


def collected() -> Folded:
    """From 10:00 to 11:00, 720 Wh at $20 are billed; the clock stands at 11:31."""
    site = running_site().fold(queued(), placed(when=at(10)))
    site.fold(priced(at(10), "20", length=HOUR_MS), metered(at(10), [(GPU, 720)], length=HOUR_MS))
    return site.fold(tick(at(11, 30)), closed(at(11, 30)), tick(at(11, 31)))


def test_a_price_that_was_corrected_after_its_hour_was_collected() -> None:
    site = collected()
    usages = list(site.usage("energy"))
    site.fold(priced(at(10), "900", length=HOUR_MS))
    # 720 Wh at $900 in place of $20
    assert site.differences == [
        BillingDifferenceFound(
            site_id=SITE,
            at=at(11, 31),
            reason="late_price",
            interval_start=at(10),
            interval_end=at(11),
            energy_wh=720,
            price_usd_per_mwh=Decimal(900),
            billed_price_usd_per_mwh=Decimal(20),
            difference_usd_micros=720 * 880,
        )
    ]
    assert site.usage("energy") == usages
    assert site.state.refused == 1


def test_a_repeat_says_nothing_and_differences_add_up() -> None:
    site = collected().fold(*[priced(at(10), "900", length=HOUR_MS)] * 3)
    assert len(site.differences) == 1
    # Five minutes of the quarter's 180 Wh at $2,000: the quarter's mean is 1,266.666667
    site.fold(priced(at(10, 5), "2000", length=FIVE))
    assert [found.energy_wh for found in site.differences] == [720, 180]
    assert site.differences[1].billed_price_usd_per_mwh == Decimal(900)
    total = sum(found.difference_usd_micros or 0 for found in site.differences)
    assert total == 660 * 900 + 60 * 2000 - 720 * 20


def test_a_late_price_that_would_not_have_been_in_force_makes_no_difference() -> None:
    site = running_site().fold(queued(), placed(when=at(10)))
    site.fold(*(priced(at(10, 5 * n), "20", length=FIVE) for n in range(12)))
    site.fold(metered(at(10), [(GPU, 720)], length=HOUR_MS))
    site.fold(tick(at(11)), closed(at(11)), tick(at(11, 1)))
    site.fold(priced(at(10), "900", length=HOUR_MS), priced(at(8), "900", length=HOUR_MS))
    assert (site.differences, site.state.refused) == ([], 0)


def test_a_price_that_comes_after_usage_was_recorded_without_one() -> None:
    site = running_site().fold(queued(), placed(when=at(10)))
    site.fold(metered(at(10), [(GPU, 720)], length=HOUR_MS))
    site.fold(tick(at(11, 30)), closed(at(11, 30)), tick(at(11, 31)))
    assert {usage.price_usd_per_mwh for usage in site.usage("energy")} == {None}
    site.fold(priced(at(10), "50", length=HOUR_MS))
    (found,) = site.differences
    assert (found.energy_wh, found.billed_price_usd_per_mwh) == (720, None)
    assert found.difference_usd_micros == 720 * 50


def test_a_price_over_what_is_billed_and_what_is_not() -> None:
    # 180 Wh of 10:00 to 11:00 are billed at $20; the price from 10:45 on is $90
    site = collected().fold(priced(at(10, 45), "90", length=HOUR_MS - 1))
    (found,) = site.differences
    assert (found.interval_start, found.interval_end) == (at(10, 45), at(11))
    assert (found.energy_wh, found.difference_usd_micros) == (180, 180 * 70)
    site.fold(metered(at(11), [(GPU, 720)], length=HOUR_MS))
    site.fold(tick(at(12, 30)), closed(at(12, 30)), tick(at(12, 31)))
    assert {usage.price_usd_per_mwh for usage in site.usage("energy")[4:]} == {Decimal(90)}


def test_what_was_billed_too_long_ago_cannot_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.metering.differences.MAX_BILLED", 2)
    site = collected().fold(priced(at(10), "900", length=FIVE), priced(at(10, 30), "900"))
    assert [(found.energy_wh, found.difference_usd_micros) for found in site.differences] == [
        (None, None),
        (180, 180 * 880),
    ]


def test_a_meter_that_comes_late_and_one_that_contradicts() -> None:
    site = collected().fold(
        metered(at(10, 50), [(GPU, 90)]),  # ten minutes of fifteen are collected
        metered(at(10), [(GPU, 720)], length=HOUR_MS),
        metered(at(11, 15), [(GPU, 40)]),
        metered(at(11, 15), [(GPU, 41)]),
        metered(at(11, 15), [(GPU, 40)]),
    )
    assert [
        (found.reason, found.feeder_id, found.interval_start, found.energy_wh)
        for found in site.differences
    ] == [
        ("late", FEEDER, at(10, 50), 60),
        ("late", FEEDER, at(10), 720),
        ("contradicted", FEEDER, at(11, 15), 41),
    ]


def test_a_mean_of_a_minute_is_compared_over_the_minute() -> None:
    """Prices of 20 seconds are billed by the minute; the meter ends 10 s into one."""
    site = running_site().fold(queued(), placed(when=at(10)))
    site.fold(*(priced(at(10) + n * 20_000, str(10 + n % 7), length=20_000) for n in range(180)))
    site.fold(metered(at(10), [(GPU, 1810)], length=30 * MINUTE_MS + 10_000))
    site.fold(tick(at(11, 30)), closed(at(11, 30)), tick(at(11, 31)))
    site.fold(priced(at(10), "99", length=2 * HOUR_MS), priced(at(10, 30), "16", length=20_000))
    assert site.differences == []
    # The minute from 10:30 had 16, 10 and 11 dollars: 12.333333; with 1,016 it has 345.666667
    site.fold(priced(at(10, 30), "1016", length=20_000))
    (found,) = site.differences
    assert (found.interval_start, found.interval_end) == (at(10, 30), at(10, 31))
    last = site.usage("energy")[-1]
    assert (last.interval_start, last.interval_end) == (at(10, 30), at(10, 30, 10_000))
    assert last.price_usd_per_mwh == Decimal("12.333333")
    assert found.energy_wh == last.quantity == 10
    assert found.difference_usd_micros == 3333


def test_a_late_price_of_before_the_placement_makes_no_difference() -> None:
    site = running_site().fold(queued(), placed(when=at(10, 7)), priced(at(10), "20"))
    site.fold(metered(at(10), [(GPU, 80)]), tick(at(11, 30)), closed(at(11, 30)), tick(at(11, 31)))
    site.fold(priced(at(10), "2000", length=FIVE))
    assert site.differences == []
    # Two of its eight minutes at $2,000: 20 Wh cost $1,980 a MWh more
    site.fold(priced(at(10, 8), "2000", length=2 * MINUTE_MS))
    assert [found.difference_usd_micros for found in site.differences] == [20 * 1980]


def days_of_five_minutes(days: int) -> Folded:
    site = running_site().fold(queued(), placed(when=at(10)))
    for hour in range(10, 10 + 24 * days):
        site.fold(
            *(priced(at(hour, 5 * n), "20", length=FIVE) for n in range(12)),
            metered(at(hour), [(GPU, 720)], length=HOUR_MS),
            tick(at(hour + 1)),
            closed(at(hour + 1)),
        )
    return site


def test_a_repeat_of_what_was_billed_too_long_ago_says_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streams.metering.differences.MAX_BILLED", 24)
    site = days_of_five_minutes(1)
    assert site.state.forgotten_until > at(20)
    told = [priced(at(11, 5 * n), "20", length=FIVE) for n in range(12)]
    site.fold(*told, *told)
    assert (site.differences, site.state.refused) == ([], 0)
    # Another price for one of them is news, once
    site.fold(*[priced(at(11, 5), "21", length=FIVE)] * 2)
    assert [found.difference_usd_micros for found in site.differences] == [None]
    site.fold(told[1])
    assert len(site.differences) == 2


def test_prices_too_old_to_tell_a_repeat_from_a_correction_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streams.metering.differences.MAX_BILLED", 24)
    monkeypatch.setattr("streams.metering.differences.MAX_FORGOTTEN_PRICES", 60)
    site = days_of_five_minutes(1)
    assert len(site.state.forgotten_prices) == 60
    site.fold(*(priced(at(11, 5 * n), "30", length=FIVE) for n in range(12)))
    assert site.differences == []
    assert AGENT.left_out(site.state) == {"refused_inputs": 12, "too_old_prices": 12}


def test_the_first_word_again_after_a_correction_is_news(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.metering.differences.MAX_BILLED", 24)
    site = days_of_five_minutes(1)
    for price, told in (("21", 1), ("20", 2), ("20", 2), ("21", 3)):
        site.fold(priced(at(11, 5), price, length=FIVE))
        assert len(site.differences) == told


def test_prices_are_told_again_for_hours_that_a_corrected_clock_brings_back() -> None:
    site = running_site().fold(*(priced(at(hour), "20", length=HOUR_MS) for hour in range(10, 14)))
    site.fold(tick(at(20)), closed(at(20)), tick(at(20, 31)))
    assert len(site.state.forgotten_prices) == 4
    site.fold(ClockCorrected(site_id=SITE, at=at(20, 31), now=at(10), corrected_by="olga"))
    site.fold(queued(), placed(when=at(10)), priced(at(10), "20", length=HOUR_MS))
    site.fold(metered(at(10), [(GPU, 720)], length=HOUR_MS))
    site.fold(tick(at(11, 30)), closed(at(11, 30)), tick(at(11, 31)))
    assert {usage.price_usd_per_mwh for usage in site.usage("energy")} == {Decimal(20)}
