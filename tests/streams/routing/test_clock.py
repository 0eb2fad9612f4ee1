"""A site's clock that jumps, is doubted, and is set right."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from schemas.events import sites
from schemas.events.sites import SitesEvent
from streams.routing.clock import DOUBTED, MOVED
from tests.streams.routing.site import (
    HOUR,
    MINUTE,
    NOON,
    SITE,
    SiteUnderTest,
    of,
    power_price,
    submitted,
    the,
    time,
)

DAY = 24 * HOUR
FAR = NOON + 9_000 * DAY


def corrected(now: int, at: int = NOON) -> SitesEvent:
    return sites.ClockCorrected(
        site_id=SITE, at=at, now=now, corrected_by="olga", reason="a bad feed"
    )


def raised(answers: list[Any]) -> list[str]:
    return [alert.kind for alert in of(sites.AlertRaised, answers)]


def test_a_jump_is_refused_and_said_once_until_a_tick_is_believed() -> None:
    site = SiteUnderTest()
    answers = site.when(time(FAR))
    assert the(sites.InputRejected, answers).reason == "clock_jump"
    assert raised(answers) == [DOUBTED]
    assert raised(site.when(time(FAR - 40 * DAY))) == [], "it was said already"
    assert len(of(sites.AlertCleared, site.when(time(NOON + MINUTE)))) == 1


def test_two_wrong_ticks_move_the_clock_and_an_operator_brings_it_back() -> None:
    # Given a clock that two wrong ticks moved by 24 years, which is said
    site = SiteUnderTest()
    site.gpus(1)
    site.given(time(FAR))
    answers = site.when(time(FAR + MINUTE))
    assert raised(answers) == [MOVED]
    assert site.state.now == FAR + MINUTE
    # When an operator sets it, then the alert ends, right times count again and wrong ones do not
    answers = site.when(corrected(NOON + MINUTE, at=FAR + MINUTE))
    assert len(of(sites.AlertCleared, answers)) == 1
    assert site.state.now == NOON + MINUTE
    assert of(sites.InputRejected, site.when(power_price("99", NOON + MINUTE))) == []
    assert the(sites.WorkloadPlaced, site.when(submitted(at=NOON + MINUTE))).at == NOON + MINUTE
    assert the(sites.InputRejected, site.when(time(FAR + HOUR))).reason == "clock_jump"
    assert of(sites.InputRejected, site.when(time(NOON + HOUR))) == []


def test_a_correction_forwards_closes_the_hours_between() -> None:
    site = SiteUnderTest()
    assert the(sites.HourClosed, site.when(corrected(NOON + 5 * HOUR))).closed_until == (
        NOON + 5 * HOUR
    )


def test_that_the_clock_moved_far_is_told_until_a_day_has_ended() -> None:
    site = SiteUnderTest().given(time(FAR), time(FAR + MINUTE))
    assert of(sites.AlertCleared, site.when(time(FAR + HOUR))) == []
    assert len(of(sites.AlertCleared, site.when(time(FAR + DAY)))) == 1


@pytest.mark.parametrize("wrong", [-1, 4_102_444_800_001])
def test_a_correction_to_no_time_is_refused(wrong: int) -> None:
    site = SiteUnderTest()
    assert the(sites.InputRejected, site.when(corrected(wrong))).reason == "bad_time"
    assert site.state.now == NOON


def test_a_price_in_seconds_never_comes_into_force() -> None:
    site = SiteUnderTest()
    wrong = sites.PowerPricePublished(
        site_id=SITE,
        at=NOON,
        settlement_point="HB",
        interval_start=NOON // 1000,
        interval_end=NOON // 1000 + 900,
        price_usd_per_mwh=Decimal(999),
    )
    before = site.state.power_price_micros
    assert the(sites.InputRejected, site.when(wrong)).reason == "bad_time"
    site.given(time(NOON + MINUTE))
    assert site.state.power_price_micros == before


def test_when_a_customer_says_it_was_asked_is_the_sites_time_where_it_cannot_be() -> None:
    # Given a customer whose clock is years from the site's, and one whose clock is a minute off
    site = SiteUnderTest()
    site.gpus(1)
    far = the(sites.WorkloadQueued, site.when(submitted("far", at=NOON + 900 * DAY)))
    assert far.submitted_at == NOON
    near = the(sites.WorkloadQueued, site.when(submitted("near", at=NOON - MINUTE)))
    assert near.submitted_at == NOON - MINUTE
    # Then a rejection says it by the same clock
    none_such = the(sites.WorkloadRejected, site.when(submitted("none", at=1, model="X")))
    assert none_such.reason == "no_such_model"
    assert none_such.submitted_at == NOON
