"""Which price is in force."""

from __future__ import annotations

from dataclasses import replace

from schemas.events.sites import PowerPricePublished
from tests.streams.routing.site import MINUTE, NOON, SiteUnderTest, hashprice, power_price, time

USD = 1_000_000


def test_a_price_waits_for_its_interval_and_is_carried_for_an_hour_after_it() -> None:
    site = SiteUnderTest()
    site.given(power_price("90", NOON + 15 * MINUTE))
    assert site.state.power_price_micros == 25 * USD
    site.given(time(NOON + 15 * MINUTE))
    assert site.state.power_price_micros == 90 * USD
    assert len(site.state.power_prices) == 1, "older ones are forgotten"
    site.given(time(NOON + 90 * MINUTE - 1))
    assert site.state.power_price_micros == 90 * USD, "no newer one came"
    site.given(time(NOON + 90 * MINUTE))
    assert site.state.power_price_micros is None, "the feed is dead"
    assert site.state.power_prices == []


def test_an_hourly_price_is_in_force_again_when_a_shorter_one_has_ended() -> None:
    site = SiteUnderTest()
    hourly = power_price("40", NOON)
    assert isinstance(hourly, PowerPricePublished)
    site.given(replace(hourly, interval_end=NOON + 60 * MINUTE))
    assert site.state.power_price_micros == 25 * USD
    site.given(time(NOON + 15 * MINUTE))
    assert site.state.power_price_micros == 40 * USD


def test_the_last_word_about_an_interval_counts() -> None:
    site = SiteUnderTest()
    site.given(power_price("-7.5"))
    assert site.state.power_price_micros == -7_500_000


def test_a_late_price_of_the_past_does_not_replace_a_newer_one() -> None:
    site = SiteUnderTest()
    site.given(power_price("500", NOON - 15 * MINUTE))
    assert site.state.power_price_micros == 25 * USD


def test_a_clock_that_jumps_takes_the_newest_that_has_begun() -> None:
    site = SiteUnderTest()
    site.given(*(hashprice(str(40 + n), NOON + n * MINUTE) for n in (1, 2, 3, 9)))
    site.given(time(NOON + 5 * MINUTE))
    assert site.state.hashprice_micros == 43 * USD
    assert [price.start for price in site.state.hashprices] == [
        NOON + 3 * MINUTE,
        NOON + 9 * MINUTE,
    ]
