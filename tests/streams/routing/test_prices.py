"""Which price is in force."""

from __future__ import annotations

from tests.streams.routing.site import MINUTE, NOON, SiteUnderTest, hashprice, power_price, time

USD = 1_000_000


def test_a_price_waits_for_its_interval_and_stays_until_the_next() -> None:
    site = SiteUnderTest()
    site.given(power_price("90", NOON + 15 * MINUTE))
    assert site.state.power_price_micros == 25 * USD
    site.given(time(NOON + 15 * MINUTE))
    assert site.state.power_price_micros == 90 * USD
    site.given(time(NOON + 600 * MINUTE))
    assert site.state.power_price_micros == 90 * USD, "no newer one came"
    assert len(site.state.power_prices) == 1, "older ones are forgotten"


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
