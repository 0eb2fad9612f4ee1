"""How often a workload is tried again, and what says that a unit, or a workload, needs a person."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.events import sites
from schemas.events.decisions import DecisionExplained
from streams.routing.retries import MAX_LOSSES, MAX_SWITCH_FAILURES, MAX_UNITS_LOST, SOON_GPU_HOURS
from streams.routing.state import MAX_FAILED_WORKLOADS
from tests.streams.routing.site import (
    HOUR,
    MINUTE,
    NOON,
    SITE,
    SiteUnderTest,
    completed,
    curtailment,
    failed,
    gpu,
    lifted,
    of,
    recovered,
    submitted,
    switched,
    the,
    time,
)


def started(workload_id: str, attempt: int, at: int = NOON) -> sites.SitesEvent:
    return sites.WorkloadStarted(
        site_id=SITE,
        at=at,
        workload_id=workload_id,
        placement_id=f"{workload_id}/{attempt}",
    )


def reported_failed(workload_id: str, attempt: int = 1) -> sites.SitesEvent:
    return sites.WorkloadFailed(
        site_id=SITE,
        at=NOON,
        workload_id=workload_id,
        placement_id=f"{workload_id}/{attempt}",
        reason="crashed",
    )


def unit_of(site: SiteUnderTest, workload_id: str) -> str:
    return site.state.workloads[workload_id].units[0]


def test_what_kills_each_unit_that_it_starts_on_ends_after_three() -> None:
    # Given ten GPUs
    site = SiteUnderTest()
    site.gpus(10)
    site.given(submitted("killer"))
    # When each unit fails soon after the workload started there
    answers: list[Any] = []
    for attempt in range(1, 1 + MAX_UNITS_LOST):
        site.given(started("killer", attempt))
        answers = site.when(failed(unit_of(site, "killer")))
    # Then it is given up, says why, and leaves the other units alone
    released = the(sites.WorkloadReleased, answers)
    assert (released.outcome, released.reason) == ("failed", "units_failed")
    assert released.detail == (
        "Units g00, g01, g02 failed one after the other soon after it started on them."
    )
    (explained,) = [e for e in of(DecisionExplained, answers) if e.subject == "killer"]
    assert (explained.chosen, explained.reason) == ("give up", released.detail)
    assert sum(unit.failed for unit in site.state.units.values()) == MAX_UNITS_LOST


def test_each_loss_says_how_many_are_left() -> None:
    site = SiteUnderTest()
    site.gpus(2)
    site.given(submitted("w1"), started("w1", 1))
    answers = site.when(failed("g00"))
    requeued = the(sites.WorkloadRequeued, answers)
    assert (requeued.unit_id, requeued.suspect, requeued.blamed) == ("g00", True, True)
    (explained,) = [e for e in of(DecisionExplained, answers) if e.kind == "requeueing"]
    assert f"loss 1 of {MAX_LOSSES}" in explained.reason


def test_one_bad_unit_is_no_proof_against_a_workload() -> None:
    """The same unit fails and is repaired again and again: it counts as one unit."""
    site = SiteUnderTest()
    site.gpus(1)
    site.given(submitted("w1"))
    for attempt in range(1, 2 * MAX_UNITS_LOST):
        site.given(started("w1", attempt), failed("g00"), recovered("g00"))
    assert site.state.workloads["w1"].placed


def test_a_small_site_is_not_worn_down_for_ever() -> None:
    site = SiteUnderTest()
    site.gpus(1)
    site.given(submitted("w1"))
    for _ in range(1, MAX_LOSSES):
        assert of(sites.WorkloadReleased, site.when(failed("g00"))) == []
        site.given(recovered("g00"))
    released = the(sites.WorkloadReleased, site.when(failed("g00")))
    assert (released.outcome, released.reason) == ("failed", "units_failed")
    assert f"{MAX_LOSSES} times in a row" in released.detail


def test_failures_that_chance_explains_never_end_a_gang() -> None:
    """A unit of a gang fails every 1,000 GPU-hours, for as long as it runs."""
    site = SiteUnderTest()
    site.gpus(5)
    site.given(submitted("gang", count=4, duration_s=90 * 86_400))
    now = NOON
    for attempt in range(1, 2 * MAX_LOSSES):
        site.given(started("gang", attempt, now))
        now += SOON_GPU_HOURS * HOUR // 4
        site.given(time(now))
        unit_id = unit_of(site, "gang")
        assert not the(sites.WorkloadRequeued, site.when(failed(unit_id, now))).suspect
        site.given(recovered(unit_id, now))
    assert site.state.workloads["gang"].placed


def test_a_long_run_forgets_what_counted_before() -> None:
    site = SiteUnderTest()
    site.gpus(6)
    site.given(submitted("w1", duration_s=90 * 86_400))
    for attempt in range(1, 6):
        site.given(started("w1", attempt))
        if attempt % MAX_UNITS_LOST == 0:
            site.given(*(time(NOON + SOON_GPU_HOURS * HOUR // 2 * part) for part in (1, 2)))
        site.given(failed(unit_of(site, "w1")))
    assert site.state.workloads["w1"].placed


def test_what_shares_a_unit_is_not_blamed_for_its_neighbour() -> None:
    site = SiteUnderTest()
    site.gpus(MAX_UNITS_LOST + 2)
    site.given(submitted("killer", milli=500), submitted("good", milli=500))
    for attempt in range(1, 2 + MAX_UNITS_LOST):
        site.given(started("killer", attempt), started("good", attempt))
        assert unit_of(site, "killer") == unit_of(site, "good")
        site.given(failed(unit_of(site, "good")))
    assert site.state.workloads["good"].placed


@pytest.mark.parametrize("disturbance", ["curtailment", "unit_changed"])
def test_what_others_decide_costs_no_retries(disturbance: str) -> None:
    site = SiteUnderTest()
    site.gpus(1)
    site.given(submitted("w1"))
    for number in range(2 * MAX_LOSSES):
        if disturbance == "curtailment":
            site.given(curtailment(0, f"k{number}"), lifted(f"k{number}"))
        else:
            site.given(gpu("g00", watts=700 + number % 2 + 1))
    workload = site.state.workloads["w1"]
    assert (workload.attempt, workload.placed) == (2 * MAX_LOSSES + 1, True)
    assert (workload.losses, workload.lost_units) == (0, [])


def test_a_start_ends_the_count_of_failed_switches() -> None:
    site = SiteUnderTest()
    site.gpus(MAX_SWITCH_FAILURES + 1)
    site.given(submitted("w1"))
    for _ in range(MAX_SWITCH_FAILURES - 1):
        site.given(switched(unit_of(site, "w1"), "w1"))
    site.given(started("w1", MAX_SWITCH_FAILURES))
    answers = site.when(switched(unit_of(site, "w1"), "w1"))
    assert the(sites.WorkloadRequeued, answers).reason == "switch_failed"


def test_a_unit_on_which_one_after_the_other_fails_is_suspect_until_one_completes() -> None:
    site = SiteUnderTest()
    site.gpus(1)
    for number in range(MAX_FAILED_WORKLOADS - 1):
        site.given(submitted(f"w{number}"))
        assert of(sites.AlertRaised, site.when(reported_failed(f"w{number}"))) == []
    site.given(submitted("last"))
    alert = the(sites.AlertRaised, site.when(reported_failed("last")))
    assert (alert.kind, alert.unit_id, alert.severity) == ("unit_suspect", "g00", "warning")
    assert alert.detail == "Workloads w0, w1, last failed on g00 and none completed."
    site.given(submitted("good"))
    assert the(sites.AlertCleared, site.when(completed("good"))).alert_id == alert.alert_id


def test_a_completion_in_between_ends_the_suspicion() -> None:
    site = SiteUnderTest()
    site.gpus(1)
    for number in range(2 * MAX_FAILED_WORKLOADS):
        site.given(submitted(f"w{number}"))
        end = completed if number % 2 else reported_failed
        assert of(sites.AlertRaised, site.when(end(f"w{number}"))) == []


@pytest.mark.parametrize(("duration_s", "overdue_ms"), [(60, HOUR), (7_200, 4 * HOUR)])
def test_what_runs_long_past_its_duration_is_an_alert_until_it_ends(
    duration_s: int, overdue_ms: int
) -> None:
    site = SiteUnderTest()
    site.gpus(1)
    site.given(submitted("w1", duration_s=duration_s), started("w1", 1))
    assert of(sites.AlertRaised, site.when(time(NOON + overdue_ms - 1))) == []
    alert = the(sites.AlertRaised, site.when(time(NOON + overdue_ms)))
    assert (alert.kind, alert.workload_id, alert.unit_id) == ("workload_overdue", "w1", None)
    assert f"said that it would take {duration_s} s" in alert.detail
    assert of(sites.AlertRaised, site.when(time(NOON + overdue_ms + MINUTE))) == []
    assert the(sites.AlertCleared, site.when(completed("w1"))).alert_id == alert.alert_id


def test_each_placement_is_watched_anew() -> None:
    site = SiteUnderTest()
    site.gpus(2)
    site.given(submitted("w1", duration_s=60), time(NOON + HOUR))
    answers = site.when(failed("g00"))
    the(sites.WorkloadRequeued, answers)
    assert of(sites.AlertCleared, answers)
    assert of(sites.AlertRaised, site.when(time(NOON + 2 * HOUR - 1))) == []
    the(sites.AlertRaised, site.when(time(NOON + 2 * HOUR)))
