"""A clock that was wrong, as bills see it: nothing twice or lost, and the watermark follows."""

from __future__ import annotations

from itertools import pairwise

from schemas.events import sites
from schemas.events.accounts import UsageCollected
from streams.quantities import DAY_MS, HOUR_MS
from tests.streams.metering.site import (
    GPU,
    SITE,
    Folded,
    at,
    closed,
    metered_hour,
    placed,
    queued,
    released,
    running_site,
    tick,
)

AHEAD = at(10) + 3 * DAY_MS


def corrected(now: int, *, when: int = AHEAD) -> sites.ClockCorrected:
    return sites.ClockCorrected(site_id=SITE, at=when, now=now, corrected_by="olga")


def went_ahead() -> Folded:
    """A workload runs from ten; at eleven the clock is moved three days ahead, then set back."""
    site = running_site().fold(queued(), placed(when=at(10)), *metered_hour(10, 100))
    site.fold(tick(at(11)), closed(at(11)), tick(AHEAD), closed(AHEAD))
    return site.fold(corrected(at(11)))


def test_hours_that_the_wrong_clock_closed_are_collected_once_more() -> None:
    site = went_ahead()
    assert site.watermarks[-1] == ("acme", at(11)), "taken back"
    site.fold(*metered_hour(11, 100), tick(at(12)), closed(at(12)))
    assert site.watermarks[-1] == ("acme", at(12))
    energy_wh = [usage.quantity for usage in site.usage("energy")]
    assert sum(energy_wh) == 2 * 4 * 100
    assert site.state.left_out_wh == {}


def test_gpu_time_that_was_recorded_ahead_is_not_recorded_twice() -> None:
    site = went_ahead()
    site.fold(tick(at(12)), closed(at(12)), tick(AHEAD), closed(AHEAD))
    site.fold(tick(AHEAD + HOUR_MS), closed(AHEAD + HOUR_MS))
    spans = sorted((usage.interval_start, usage.interval_end) for usage in site.usage("gpu_time"))
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    assert (spans[0][0], spans[-1][1]) == (at(10), AHEAD + HOUR_MS)


def test_what_is_placed_after_the_correction_is_billed_from_there() -> None:
    site = went_ahead()
    site.fold(placed("p2", workload_id="w2", when=at(11), units=[("gpu-2", 1000)]))
    site.fold(tick(at(12)), closed(at(12)))
    (usage,) = [usage for usage in site.usage("gpu_time") if usage.placement_id == "p2"]
    assert (usage.interval_start, usage.interval_end) == (at(11), at(12))


def test_what_was_placed_ahead_runs_from_the_correction() -> None:
    site = running_site().fold(queued(), tick(AHEAD), closed(AHEAD), placed(when=AHEAD))
    site.fold(corrected(at(11)), tick(at(12)), closed(at(12)))
    (usage,) = site.usage("gpu_time")
    assert (usage.interval_start, usage.interval_end) == (at(11), at(12))


def test_what_ended_ahead_shares_no_energy_after_the_correction() -> None:
    site = running_site().fold(queued(), placed(when=at(10)), tick(AHEAD))
    site.fold(released(when=AHEAD), closed(AHEAD), corrected(at(10)))
    site.fold(queued("w2"), placed("p2", workload_id="w2", when=at(10)))
    site.fold(*metered_hour(10, 100), tick(at(11)), closed(at(11)))
    billed = {usage.placement_id for usage in site.usage("energy")}
    assert billed == {"p2"}, f"only what was on {GPU} in that hour"


def test_a_correction_forwards_says_nothing_by_itself() -> None:
    site = running_site().fold(queued())
    before = len(site.answers)
    site.fold(corrected(at(12), when=at(10)))
    assert [a for a in site.answers[before:] if isinstance(a, UsageCollected)] == []
