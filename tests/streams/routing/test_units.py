"""Units that fail, recover, drain, change or do not switch."""

from __future__ import annotations

from dataclasses import replace

from schemas.events import sites
from schemas.events.intake import SiteSummarized
from tests.streams.routing.site import (
    HOUR,
    NOON,
    SITE,
    SiteUnderTest,
    asic,
    completed,
    configured,
    drained,
    explained,
    failed,
    gpu,
    names,
    of,
    placed_on,
    plan,
    recovered,
    submitted,
    switched,
    the,
    time,
)


def report(health: str) -> sites.SitesEvent:
    return sites.UnitReported(site_id=SITE, at=NOON, unit_id="g00", health=health, power_w=500)


def test_a_failed_gpu_gives_up_all_its_workloads_and_raises_an_alert() -> None:
    site = SiteUnderTest()
    site.gpus(1)
    site.given(submitted("w1", milli=500), submitted("w2", milli=400))
    answers = site.when(failed("g00"))
    requeued = of(sites.WorkloadRequeued, answers)
    assert [(event.workload_id, event.reason) for event in requeued] == [
        ("w1", "unit_failed"),
        ("w2", "unit_failed"),
    ]
    alert = the(sites.AlertRaised, answers)
    assert (alert.kind, alert.unit_id, alert.severity) == ("unit_failed", "g00", "critical")
    assert site.state.index.site_w == 0
    # when it recovers, the alert clears and the workloads come back
    answers = site.when(recovered("g00"))
    assert the(sites.AlertCleared, answers).alert_id == alert.alert_id
    assert [event.placement_id for event in of(sites.WorkloadPlaced, answers)] == ["w1/2", "w2/2"]


def test_a_gang_that_loses_one_gpu_gives_back_all_of_them() -> None:
    site = SiteUnderTest()
    site.gpus(3)
    site.given(submitted(count=3))
    site.given(failed("g01"))
    assert [unit.used_milli for unit in site.state.units.values()] == [0, 0, 0]


def test_a_failure_reported_twice_raises_one_alert() -> None:
    site = SiteUnderTest()
    site.gpus(1)
    site.given(failed("g00"))
    assert of(sites.AlertRaised, site.when(failed("g00"))) == []


def test_a_failed_asic_is_off_until_a_plan_uses_it_again() -> None:
    site = SiteUnderTest()
    site.asics(1)
    assigned = the(sites.UnitModeAssigned, site.when(failed("a00")))
    assert (assigned.mode, assigned.reason) == ("off", "failed")
    skipped = the(sites.PowerPlanApplied, site.when(plan({"normal": ["a00"]})))
    assert skipped.reason == "1 failed or drained"
    site.given(recovered("a00"))
    assert the(sites.PowerPlanApplied, site.when(plan({"normal": ["a00"]}))).applied == 1


def test_what_runs_on_a_drained_gpu_ends_in_its_own_time() -> None:
    site = SiteUnderTest()
    site.gpus(1)
    site.given(submitted("w1", milli=500))
    assert names(site.when(drained("g00"))) == ["SiteSummarized"]
    assert "WorkloadPlaced" not in names(site.when(submitted("w2", milli=500)))
    assert "WorkloadPlaced" not in names(site.when(completed("w1")))


def test_a_drained_asic_is_turned_off() -> None:
    site = SiteUnderTest()
    site.asics(1)
    assigned = the(sites.UnitModeAssigned, site.when(drained("a00")))
    assert (assigned.mode, assigned.reason) == ("off", "drained")


def test_recovery_ends_a_failure_and_leaves_the_operators_drain() -> None:
    site = SiteUnderTest()
    site.gpus(1)
    site.asics(1)
    for unit_id in ("g00", "a00"):
        site.given(drained(unit_id), failed(unit_id), recovered(unit_id))
    assert "WorkloadPlaced" not in names(site.when(submitted()))
    assert the(sites.PowerPlanApplied, site.when(plan({"normal": ["a00"]}))).applied == 0
    # the next one finds no failure: the units come back from maintenance
    assert placed_on(site.when(recovered("g00"))) == ["g00"]
    site.given(recovered("a00"))
    assert the(sites.PowerPlanApplied, site.when(plan({"normal": ["a00"]}))).applied == 1


def test_a_failed_switch_sends_the_workload_elsewhere_a_bounded_number_of_times() -> None:
    site = SiteUnderTest()
    site.gpus(1)
    site.given(submitted())
    for attempt in range(1, 5):
        answers = site.when(switched("g00", "w1"))
        assert the(sites.WorkloadRequeued, answers).reason == "switch_failed"
        if attempt % 3 == 0:
            site.given(recovered("g00"))
        assert site.state.workloads["w1"].placement_id == f"w1/{attempt + 1}"
    released = the(sites.WorkloadReleased, site.when(switched("g00", "w1")))
    assert (released.outcome, released.reason) == ("failed", "switch_failed")


def test_a_failed_switch_is_followed_by_another_unit() -> None:
    # Given four free GPUs
    site = SiteUnderTest()
    site.gpus(4)
    tried = [placed.units[0].unit_id for placed in of(sites.WorkloadPlaced, site.when(submitted()))]
    # When each fails to switch to the workload in turn
    for _ in range(4):
        (placed,) = of(sites.WorkloadPlaced, site.when(switched(tried[-1], "w1")))
        tried.append(placed.units[0].unit_id)
    # Then every one was tried before the first was tried again
    assert tried == ["g00", "g01", "g02", "g03", "g00"]


def test_a_unit_whose_switch_failed_comes_last_among_feeders_too() -> None:
    site = SiteUnderTest()
    site.gpus(1, "fa")
    site.gpus(1, "fb")
    site.given(submitted())
    (placed,) = of(sites.WorkloadPlaced, site.when(switched("g00", "w1")))
    assert placed.units[0].unit_id == "g01"


def test_a_gpu_that_fails_to_switch_three_times_in_a_row_counts_as_failed() -> None:
    site = SiteUnderTest()
    site.gpus(1)
    site.given(submitted("w1"), switched("g00", "w1"), switched("g00", "w1"))
    site.given(switched("g00", ok=True))
    site.given(switched("g00", "w1"), switched("g00"))
    alert = the(sites.AlertRaised, site.when(switched("g00")))
    assert alert.kind == "switch_failing"
    assert site.state.units["g00"].failed
    assert the(sites.AlertCleared, site.when(recovered("g00"))).alert_id == alert.alert_id


def test_a_failed_switch_of_a_workload_that_left_the_unit_is_only_counted() -> None:
    site = SiteUnderTest()
    site.gpus(2)
    site.given(submitted("w1"))
    assert site.when(switched("g01", "w1")) == []


def test_an_asic_that_fails_to_switch_is_told_to_be_off() -> None:
    site = SiteUnderTest()
    site.asics(1)
    assigned = the(sites.UnitModeAssigned, site.when(switched("a00", mode="normal")))
    assert (assigned.mode, assigned.power_w, assigned.reason) == ("off", 0, "failed")
    # also when it was off that failed: the hardware tries again
    assert the(sites.UnitModeAssigned, site.when(switched("a00", mode="off"))).mode == "off"
    assert the(sites.AlertRaised, site.when(switched("a00", mode="off"))).unit_id == "a00"


def test_the_same_registration_again_disturbs_nothing() -> None:
    site = SiteUnderTest()
    site.gpus(1)
    site.asics(1)
    site.given(submitted())
    assert names(site.when(gpu("g00"))) == ["SiteSummarized"]
    assert site.when(asic("a00")) == []


def test_a_gpu_that_comes_back_different_is_emptied_first() -> None:
    # Given a feeder fb that could not power what g00 runs
    site = SiteUnderTest(fb_w=500)
    site.gpus(1)
    site.given(submitted())
    answers = site.when(gpu("g00", "fb"))
    assert the(sites.WorkloadRequeued, answers).reason == "unit_changed"
    assert "WorkloadPlaced" not in names(answers)
    assert site.state.index.feeder_w == {"fa": 0, "fb": 0}


def test_an_asic_that_comes_back_with_other_modes_is_off_first() -> None:
    site = SiteUnderTest()
    site.asics(1)
    answers = site.when(asic("a00", normal_w=60_000))
    assigned = the(sites.UnitModeAssigned, answers)
    assert (assigned.mode, assigned.reason) == ("off", "unit_changed")
    assert explained(answers).value_usd_micros_per_hour == -(318_333 - 87_500), (
        "it mined at a profit"
    )
    assert the(sites.PowerPlanApplied, site.when(plan({"normal": ["a00"]}))).skipped == 1


def test_a_degraded_unit_raises_one_warning_and_works_on() -> None:
    site = SiteUnderTest()
    site.gpus(1)
    alert = the(sites.AlertRaised, site.when(report("degraded")))
    assert alert.severity == "warning"
    assert site.when(report("degraded")) == []
    assert placed_on(site.when(submitted())) == ["g00"]
    assert the(sites.AlertCleared, site.when(report("ok"))).alert_id == alert.alert_id


def test_the_pool_is_told_when_the_offer_changes() -> None:
    site = SiteUnderTest()
    summary = the(SiteSummarized, site.when(gpu("g00")))
    assert (summary.gpus[0].total, summary.gpus[0].free, summary.queued) == (1, 1, 0)
    # a placement is told at the next tick, and then no more
    assert of(SiteSummarized, site.when(submitted())) == []
    summary = the(SiteSummarized, site.when(time(NOON + 1)))
    assert (summary.gpus[0].free, summary.power_headroom_w) == (0, 100_000 - 700)
    assert site.when(time(NOON + 2)) == []
    assert the(SiteSummarized, site.when(failed("g00"))).gpus[0].total == 0
    assert the(SiteSummarized, site.when(configured(500, fa=1))).power_headroom_w == 500


def test_a_pool_that_the_site_leaves_is_told_that_nothing_is_offered_there() -> None:
    site = SiteUnderTest()
    site.gpus(1)
    event = configured(100_000, fa=50_000)
    assert isinstance(event, sites.SiteConfigured)
    told = of(SiteSummarized, site.when(replace(event, pool="other")))
    assert [(summary.pool, len(summary.gpus)) for summary in told] == [("other", 1), ("default", 0)]
    assert (told[1].queued, told[1].power_headroom_w) == (0, 0)
    told = of(SiteSummarized, site.when(replace(event, pool="other")))
    assert [summary.pool for summary in told] == ["other"]


def test_each_hour_is_closed_once_before_anything_later_is_said() -> None:
    site = SiteUnderTest()
    site.gpus(1)
    site.given(submitted("w1"), submitted("w2", deadline=NOON + HOUR))
    answers = site.when(time(NOON + HOUR + 5))
    assert names(answers)[:2] == ["HourClosed", "WorkloadReleased"]
    assert the(sites.HourClosed, answers).closed_until == NOON + HOUR
    assert of(sites.HourClosed, site.when(time(NOON + HOUR + 6))) == []
