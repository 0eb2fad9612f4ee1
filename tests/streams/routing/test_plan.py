"""Power plans: what still fits is applied, the rest is skipped with the reason."""

from __future__ import annotations

from schemas.events import sites
from tests.streams.routing.site import (
    SiteUnderTest,
    configured,
    drained,
    explained,
    failed,
    names,
    of,
    plan,
    submitted,
    the,
)


def test_a_plan_that_fits_is_applied_whole() -> None:
    site = SiteUnderTest()
    site.asics(2, mode="off")
    answers = site.when(plan({"normal": ["a00"], "eco": ["a01"]}, "p2"))
    assert {assigned.reason for assigned in of(sites.UnitModeAssigned, answers)} == {"plan"}
    applied = the(sites.PowerPlanApplied, answers)
    assert (applied.plan_id, applied.applied, applied.skipped, applied.reason) == ("p2", 2, 0, "")
    told = explained(answers)
    assert (told.kind, told.subject, told.chosen) == ("power_plan", "p2", "apply the whole plan")
    # 350 TH/s for 5,500 W
    gain = 350 * 38_200_000 // 24_000 - 5_500 * 25
    assert told.value_usd_micros_per_hour == gain
    assert told.bound_usd_micros_per_hour == 10**9


def test_units_already_in_their_mode_are_left_alone() -> None:
    site = SiteUnderTest()
    site.asics(1)
    answers = site.when(plan({"normal": ["a00"]}))
    assert names(answers) == ["DecisionExplained", "PowerPlanApplied"]
    assert the(sites.PowerPlanApplied, answers).applied == 0


def test_modes_go_down_before_others_go_up() -> None:
    # Given a feeder that carries one ASIC, and a plan to swap two
    site = SiteUnderTest(fa_w=3_500)
    site.asics(2, mode="off")
    site.given(plan({"normal": ["a00"]}))
    answers = site.when(plan({"normal": ["a01"], "off": ["a00"]}))
    assigned = of(sites.UnitModeAssigned, answers)
    assert [(event.unit_id, event.mode) for event in assigned] == [
        ("a00", "off"),
        ("a01", "normal"),
    ]


def test_what_ai_took_since_is_not_given_to_mining() -> None:
    site = SiteUnderTest(fa_w=3_500)
    site.gpus(1)
    site.asics(1, mode="off")
    site.given(submitted())
    answers = site.when(plan({"normal": ["a00"]}))
    applied = the(sites.PowerPlanApplied, answers)
    assert (applied.applied, applied.skipped) == (0, 1)
    assert applied.reason == "1 without power under a limit"
    assert explained(answers).chosen == "apply what fits"


def test_every_reason_to_skip_is_counted() -> None:
    site = SiteUnderTest()
    site.gpus(1)
    site.asics(4, mode="off")
    site.given(failed("a00"), drained("a01"))
    proposed = plan({"normal": ["a00", "a01", "g00", "ghost", "a02", "a02"], "turbo": ["a03"]})
    applied = the(sites.PowerPlanApplied, site.when(proposed))
    assert (applied.applied, applied.skipped) == (1, 6)
    assert applied.reason == (
        "2 failed or drained, 1 named twice, 2 not an ASIC of this site, 1 without that mode"
    )


def test_a_plan_for_a_feeder_that_is_gone_is_skipped() -> None:
    site = SiteUnderTest()
    site.asics(1, mode="off")
    site.given(configured(100_000, fb=50_000))
    assert the(sites.PowerPlanApplied, site.when(plan({"normal": ["a00"]}))).skipped == 1


def test_mining_that_a_plan_gives_up_makes_room_for_what_waits() -> None:
    # Given a workload that is worth less than the mining in its way
    site = SiteUnderTest(fa_w=3_500)
    site.gpus(4)
    site.asics(1)
    site.given(submitted("w1", count=4))
    assert site.modes() == {"a00": "off"}
    site.given(submitted("w2", count=1))
    answers = site.when(plan({"off": ["a00"]}))
    assert the(sites.PowerPlanApplied, answers).applied == 0
