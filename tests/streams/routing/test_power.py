"""Limits that come down: curtailments, caps, feeders that go away."""

from __future__ import annotations

from schemas.events import sites
from tests.streams.routing.site import (
    HOUR,
    MINUTE,
    NOON,
    SiteUnderTest,
    asic,
    completed,
    configured,
    curtailment,
    explained,
    lifted,
    names,
    of,
    plan,
    submitted,
    switched,
    the,
    time,
)


def mining_and_ai() -> SiteUnderTest:
    """7,000 W of mining and 1,400 W of AI: w1 at $2.35 for 700 W, w2 at $1.29 for 700 W."""
    site = SiteUnderTest()
    site.gpus(1, model="H100")
    site.gpus(1, model="A100")
    site.asics(2)
    return site.given(submitted("w1"), submitted("w2", model="A100"))


def test_a_curtailment_sheds_the_least_valuable_mining_at_once_and_is_met() -> None:
    site = mining_and_ai()
    answers = site.when(curtailment(7_000, payment="100"))
    assigned = the(sites.UnitModeAssigned, answers)
    assert (assigned.unit_id, assigned.mode, assigned.reason) == ("a00", "eco", "curtailment")
    met = the(sites.CurtailmentMet, answers)
    assert (met.power_w, met.max_power_w) == (6_900, 7_000)
    told = explained(answers)
    assert (told.kind, told.subject) == ("curtailment", "k1")
    # 1,500 W: $0.15 paid, 50 TH/s lost at $0.0796, power of $0.0375 saved
    assert told.value_usd_micros_per_hour == 150_000 - 79_583 + 37_500


def test_ai_goes_only_when_no_mining_is_left_the_lowest_dollars_per_watt_first() -> None:
    site = mining_and_ai()
    answers = site.when(curtailment(700))
    assert sorted(site.modes().values()) == ["off", "off"]
    requeued = the(sites.WorkloadRequeued, answers)
    assert (requeued.workload_id, requeued.reason) == ("w2", "curtailment")
    assert the(sites.CurtailmentMet, answers).power_w == 700


def test_the_lowest_priority_goes_before_the_lowest_dollars_per_watt() -> None:
    # Given urgent at $1.29 for 700 W, which shares its GPU, and w3 at $2.35 for 700 W
    site = SiteUnderTest()
    site.gpus(1, model="A100")
    site.gpus(1, model="H100")
    site.given(
        submitted("w1", model="A100", milli=500, priority=-9),
        submitted("urgent", model="A100", milli=500, priority=9),
        submitted("w3", priority=8),
    )
    requeued = the(sites.WorkloadRequeued, site.when(curtailment(700)))
    assert requeued.workload_id == "w3"


def test_a_curtailment_is_not_met_while_an_asic_did_not_step_down() -> None:
    # Given an ASIC that was turned off and says that it could not
    site = SiteUnderTest()
    site.asics(2)
    site.given(plan({"off": ["a00"]}))
    alert = the(sites.AlertRaised, site.when(switched("a00", mode="off")))
    assert (alert.kind, alert.severity) == ("switch_unconfirmed", "critical")
    assert site.when(switched("a00", mode="off"))[0] != alert, "one alert until it is cleared"
    # When the site must come down to what is planned, but not to what may be drawn
    answers = site.when(curtailment(3_500))
    assert of(sites.CurtailmentMet, answers) == []
    site.given(time(NOON + MINUTE))
    assert names(site.when(time(NOON + MINUTE + 1))) == [], "and says so once"
    # Then it is met when the switch has succeeded
    cleared = the(sites.AlertCleared, site.when(switched("a00", mode="off", ok=True)))
    assert cleared.alert_id == alert.alert_id
    met = the(sites.CurtailmentMet, site.when(time(NOON + 2 * MINUTE)))
    assert met.power_w == 3_500


def test_what_an_asic_may_draw_beyond_its_plan_counts_against_the_level() -> None:
    site = SiteUnderTest()
    site.asics(2)
    site.given(plan({"off": ["a00"]}), switched("a00", mode="off"))
    assert of(sites.CurtailmentMet, site.when(curtailment(6_999, "k1"))) == []
    assert the(sites.CurtailmentMet, site.when(curtailment(7_000, "k2"))).power_w == 3_500


def test_a_level_of_zero_stops_everything() -> None:
    site = mining_and_ai()
    answers = site.when(curtailment(0))
    assert len(of(sites.WorkloadRequeued, answers)) == 2
    assert the(sites.CurtailmentMet, answers).power_w == 0


def test_a_curtailment_begins_and_ends_by_the_sites_clock() -> None:
    site = mining_and_ai()
    # Given one that starts at 13:00 for an hour: nothing yet
    assert names(site.when(curtailment(0, starts_at=NOON + HOUR))) == []
    assert "WorkloadRequeued" not in names(site.when(time(NOON + HOUR - 1)))
    # When it is 13:00
    answers = site.when(time(NOON + HOUR))
    assert len(of(sites.WorkloadRequeued, answers)) == 2
    assert "WorkloadPlaced" not in names(site.when(time(NOON + 2 * HOUR - 1)))
    # and when it is 14:00, AI comes back by itself, mining does not
    answers = site.when(time(NOON + 2 * HOUR))
    assert len(of(sites.WorkloadPlaced, answers)) == 2
    assert set(site.modes().values()) == {"off"}


def test_lifting_a_curtailment_lets_workloads_back() -> None:
    site = mining_and_ai()
    site.given(curtailment(0))
    answers = site.when(lifted())
    assert [placed.placement_id for placed in of(sites.WorkloadPlaced, answers)] == ["w1/2", "w2/2"]
    assert site.when(curtailment(0)) == [], "a request repeated after it was lifted"


def test_the_lowest_of_overlapping_curtailments_counts() -> None:
    site = mining_and_ai()
    site.given(curtailment(3_000, "k1"))
    answers = site.when(curtailment(8_000, "k2"))
    assert [met.curtailment_id for met in of(sites.CurtailmentMet, answers)] == ["k2"]
    assert site.state.index.limit_w == 3_000
    site.given(lifted("k1"))
    assert site.state.index.limit_w == 8_000


def test_no_plan_passes_a_curtailment() -> None:
    # Given one ASIC turned off: with both on, 8,400 W
    site = mining_and_ai()
    site.given(curtailment(5_000))
    assert site.modes() == {"a00": "off", "a01": "normal"}
    applied = the(sites.PowerPlanApplied, site.when(plan({"normal": ["a00", "a01"]})))
    assert (applied.applied, applied.skipped) == (0, 1)
    assert applied.reason == "1 without power under a limit"


def test_a_lower_site_cap_sheds_at_once() -> None:
    site = mining_and_ai()
    answers = site.when(configured(1_000, fa=50_000, fb=50_000))
    assert {assigned.reason for assigned in of(sites.UnitModeAssigned, answers)} == {"cap"}
    assert the(sites.WorkloadRequeued, answers).reason == "cap"
    assert explained(answers).kind == "cap"


def test_a_lower_feeder_cap_sheds_on_that_feeder_only() -> None:
    site = mining_and_ai()
    site.asics(1, "fb")
    site.given(configured(100_000, fa=5_000, fb=50_000))
    assert site.modes() == {"a00": "off", "a01": "normal", "a02": "normal"}


def test_workloads_of_a_removed_feeder_move() -> None:
    site = SiteUnderTest()
    site.gpus(1, "fa")
    site.given(submitted())
    site.gpus(1, "fb")
    site.asics(1, "fa")
    answers = site.when(configured(100_000, fb=50_000))
    assert the(sites.WorkloadRequeued, answers).reason == "cap"
    assert [share.unit_id for share in the(sites.WorkloadPlaced, answers).units] == ["g01"]
    assert site.modes() == {"a00": "off"}
    # and the feeder's units serve again when it is back
    site.given(configured(100_000, fa=50_000, fb=50_000))
    assert "WorkloadPlaced" in names(site.when(submitted("w2")))


def test_workloads_that_share_a_gpu_are_shed_together() -> None:
    site = SiteUnderTest()
    site.gpus(2)
    site.given(submitted("w1", milli=600), submitted("w2", milli=300), submitted("w3"))
    answers = site.when(curtailment(700))
    shed = sorted(requeued.workload_id for requeued in of(sites.WorkloadRequeued, answers))
    assert shed == ["w1", "w2"], "they pay $2.12 an hour for 700 W, w3 $2.35"


def test_no_more_is_shed_than_is_needed() -> None:
    # Given an ASIC of 1,400 W and one of 3,500 W without eco, which is worth more per watt
    site = SiteUnderTest()
    small = {"off": (0, 0), "normal": (1_400, 40)}
    large = {"off": (0, 0), "normal": (3_500, 200)}
    for unit_id, modes in (("a0", small), ("a1", large)):
        event = asic(unit_id)
        assert isinstance(event, sites.UnitRegistered)
        listed = tuple(
            sites.UnitMode(mode=name, power_w=power_w, hashrate_ths=ths, tflops=0.0)
            for name, (power_w, ths) in modes.items()
        )
        site.given(
            sites.UnitRegistered(
                site_id=event.site_id,
                at=event.at,
                unit_id=unit_id,
                feeder_id="fa",
                kind="asic",
                model="S21",
                modes=listed,
            )
        )
    site.given(plan({"normal": ["a0", "a1"]}))
    # When 3,000 W must go: taking the small one first would not be enough, so it is not needed
    site.given(curtailment(1_900))
    assert site.modes() == {"a0": "normal", "a1": "off"}


def test_a_watt_over_is_over() -> None:
    # Given 8,400 W and a level one watt below what the first step leaves
    site = mining_and_ai()
    answers = site.when(curtailment(6_899))
    assert the(sites.CurtailmentMet, answers).power_w == 5_400
    assert "WorkloadRequeued" not in names(answers)


def test_power_that_ai_gives_back_is_not_given_to_mining_without_a_plan() -> None:
    site = SiteUnderTest(fa_w=3_500)
    site.gpus(1)
    site.asics(1)
    site.given(submitted())
    assert site.modes() == {"a00": "eco"}
    site.given(completed(), time(NOON + 5 * MINUTE))
    assert site.modes() == {"a00": "eco"}
