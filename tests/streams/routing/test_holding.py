"""What is kept for workloads that backfill would keep waiting for ever, and for how long."""

from __future__ import annotations

import random
from typing import Any

import pytest

from schemas.events import sites
from streams.routing.holding import HOLD_AFTER_MS, is_due
from tests.streams.routing.site import (
    HOUR,
    NOON,
    SiteUnderTest,
    cancelled,
    completed,
    configured,
    curtailment,
    of,
    power_price,
    submitted,
    the,
    time,
)

DAY = 24 * HOUR


def placed_ids(answers: list[Any]) -> list[str]:
    return [placed.workload_id for placed in of(sites.WorkloadPlaced, answers)]


def tight(site_w: int = 2_100, fa_w: int = 2_100) -> SiteUnderTest:
    """Five H100 on fa, whose cap powers three."""
    site = SiteUnderTest(site_w=site_w, fa_w=fa_w)
    site.gpus(5)
    return site


def test_holds_double_and_end() -> None:
    days = [day for day in range(70) if is_due(day * HOLD_AFTER_MS)]
    assert days == [1, *range(4, 8), *range(16, 32), *range(64, 70)]
    assert not is_due(HOLD_AFTER_MS - 1)


def test_power_is_held_like_units() -> None:
    # Given big, which needs all the power there is, and jobs of an hour that overlap
    site = tight()
    site.given(submitted("j0"), submitted("big", count=3))
    for hour in range(1, 24):
        site.given(time(NOON + hour * HOUR - HOUR // 2), submitted(f"j{hour}"))
        assert placed_ids(site.when(completed(f"j{hour - 1}"))) == []
    # When big has waited for a day, what comes later waits though there are units and power
    site.given(time(NOON + DAY))
    assert placed_ids(site.when(submitted("later"))) == []
    # Then big is placed when the last job ends
    assert placed_ids(site.when(completed("j23"))) == ["big"]


def test_power_of_another_feeder_is_not_held() -> None:
    site = tight(site_w=100_000)
    site.gpus(1, "fb", model="A100", watts=400)
    site.gpus(1, "fa", model="A100", watts=400)
    site.given(submitted("j0", model="A100"), submitted("big", count=3), time(NOON + DAY))
    assert site.state.workloads["j0"].units == ["g06"]
    assert placed_ids(site.when(submitted("on fb", model="A100"))) == ["on fb"]
    site.given(completed("j0"), completed("big"))
    # Given now that big and a job on fa wait for the power of fa
    site = tight(site_w=100_000)
    site.gpus(2, "fa", model="A100", watts=400)
    site.given(submitted("j0", model="A100"), submitted("big", count=3), time(NOON + DAY))
    queued = the(sites.WorkloadQueued, site.when(submitted("on fa", model="A100")))
    assert queued.reason == "The power of A100 is kept for a workload that has waited too long."


def test_power_is_held_everywhere_when_the_site_is_short() -> None:
    # Given a gang that needs 2,100 W on fa, while j0 on fb leaves 2,000 W of the site's limit
    site = SiteUnderTest(site_w=2_400)
    site.gpus(3)
    site.gpus(3, "fb", model="A100", watts=400)
    site.given(submitted("j0", model="A100"), submitted("big", count=3), time(NOON + DAY))
    assert placed_ids(site.when(submitted("later", model="A100"))) == []
    assert placed_ids(site.when(completed("j0"))) == ["big"]


def test_units_alone_are_held_where_power_is_enough() -> None:
    site = SiteUnderTest()
    site.gpus(2)
    site.gpus(1, model="A100", watts=400)
    site.given(submitted("j0"), submitted("big", count=2), time(NOON + DAY))
    assert placed_ids(site.when(submitted("later"))) == []
    assert placed_ids(site.when(submitted("other", model="A100"))) == ["other"]


def test_what_could_not_run_alone_holds_nothing() -> None:
    # Given big, admitted when the caps carried four, and a curtailment that lets three run
    site = SiteUnderTest(site_w=2_800, fa_w=2_800)
    site.gpus(4)
    site.given(submitted("j0"), submitted("big", count=4), curtailment(2_100, duration_s=10**7))
    site.given(time(NOON + DAY))
    assert placed_ids(site.when(submitted("later"))) == ["later"]


def test_what_power_costs_more_than_it_pays_holds_nothing() -> None:
    """Big waits for cheaper power; a dearer model may go on."""
    site = SiteUnderTest(site_w=2_800)
    site.given(configured(2_800, prices={"H100": "2.35", "A100": "90"}, fa=2_800))
    site.gpus(4, model="H100")
    site.gpus(1, model="A100", watts=700)
    site.given(submitted("j0"), power_price("4900"), submitted("big", count=4), time(NOON + DAY))
    assert placed_ids(site.when(submitted("later", model="A100"))) == ["later"]


def test_a_hold_ends() -> None:
    # Given a run of five days that big would have to wait for
    site = tight()
    site.given(submitted("long"), submitted("big", count=3), time(NOON + DAY))
    assert placed_ids(site.when(submitted("w1"))) == []
    # When the second day is over, the others go on
    assert placed_ids(site.when(time(NOON + 2 * DAY))) == ["w1"]
    site.given(completed("w1"), time(NOON + 4 * DAY))
    assert placed_ids(site.when(submitted("w2"))) == []
    # Then a longer hold outlasts it
    site.given(time(NOON + 5 * DAY))
    assert placed_ids(site.when(completed("long"))) == ["big"]


def placed_after(urgent: list[tuple[int, int]]) -> int:
    """The hour in which big, three of three GPUs, is placed on a site where jobs of 20 hours
    overlap, while urgent gangs of the same shape come and are withdrawn at these hours."""
    site = SiteUnderTest(site_w=2_100, fa_w=2_100)
    site.gpus(3)
    ends: dict[str, int] = {}
    running: dict[str, int] = {}
    for hour in range(24 * 20):
        seen = site.when(time(NOON + hour * HOUR))
        for workload_id in sorted(known for known in ends if ends[known] == hour):
            seen += site.when(completed(workload_id, running.pop(workload_id)))
        if hour == 1:
            seen += site.when(submitted("big", count=3))
        for number, (comes, goes) in enumerate(urgent):
            if hour == goes and f"u{number}" in site.state.workloads:
                seen += site.when(cancelled(f"u{number}"))
            if hour == comes:
                seen += site.when(submitted(f"u{number}", count=3, priority=9))
        seen += site.when(submitted(f"j{hour}"))
        for placed in of(sites.WorkloadPlaced, seen):
            running[placed.workload_id] = placed.attempt
            ends[placed.workload_id] = hour + 20
            if placed.workload_id == "big":
                return hour
    raise AssertionError("big was never placed")


def test_seven_urgent_gangs_that_do_not_stay_end_no_hold() -> None:
    alone = placed_after([])
    assert placed_after([(14 + 4 * number, 17 + 4 * number) for number in range(7)]) == alone


@pytest.mark.parametrize("seed", range(20))
def test_what_ranks_before_and_goes_before_anything_is_free_delays_no_older_one(seed: int) -> None:
    """Random urgent gangs of the same shape, none of which is there when the last GPU is free."""
    pick = random.Random(seed)
    alone = placed_after([])
    urgent: list[tuple[int, int]] = []
    hour = pick.randrange(2, 12)
    while hour < alone - 1:
        goes = min(alone - 1, hour + pick.randrange(1, 9))
        urgent.append((hour, goes))
        hour = goes + pick.randrange(1, 5)
    assert placed_after(urgent) == alone


LONGEST_DAYS = 3


@pytest.mark.parametrize("seed", range(8))
def test_nobody_waits_for_ever_that_would_run_alone(seed: int) -> None:
    """A random site, never idle: jobs of up to three days come each hour, of every shape."""
    pick = random.Random(seed)
    site = SiteUnderTest(pick.choice((2_900, 4_000)), pick.choice((2_200, 3_000)), 2_500)
    for feeder in ("fa", "fb"):
        site.gpus(3, feeder)
        site.gpus(2, feeder, model="H100", watts=pick.choice((500, 700)))
        site.gpus(3, feeder, model="A100", watts=400)
    ends: dict[str, int] = {}
    running: dict[str, str] = {}

    def see(answers: list[Any]) -> None:
        for placed in of(sites.WorkloadPlaced, answers):
            running[placed.workload_id] = placed.placement_id
            ends[placed.workload_id] = placed.at + placed.duration_s * 1_000

    big = [("big", "H100", 4), ("huge", "A100", 5)]
    for hour in range(8 * LONGEST_DAYS * 24):
        now = NOON + hour * HOUR
        see(site.when(time(now)))
        for workload_id in sorted(known for known in running if ends[known] <= now):
            event = sites.WorkloadCompleted(
                site_id="s1", at=now, workload_id=workload_id, placement_id=running[workload_id]
            )
            del running[workload_id]
            see(site.when(event))
        if hour == 12:
            for workload_id, model, count in big:
                see(site.when(submitted(workload_id, count=count, model=model)))
        duration_s = pick.choice((3_600, 36_000, LONGEST_DAYS * 86_400))
        asked: dict[str, Any] = {
            "model": pick.choice(("H100", "A100", None)),
            "duration_s": duration_s,
        }
        see(site.when(submitted(f"j{hour}", milli=pick.choice((1000, 1000, 300)), **asked)))
    assert {"big", "huge"} <= {*ends}
