"""Where workloads go, what mining they displace, and how that is explained."""

from __future__ import annotations

from decimal import Decimal

import pytest

from schemas.events import sites
from tests.streams.routing.site import (
    SiteUnderTest,
    completed,
    drained,
    explained,
    failed,
    hashprice,
    names,
    of,
    placed_on,
    power_price,
    recovered,
    submitted,
    the,
)


def test_a_workload_that_fits_is_queued_explained_and_placed() -> None:
    site = SiteUnderTest()
    site.gpus(2)
    answers = site.when(submitted(count=2))
    assert names(answers) == ["WorkloadQueued", "DecisionExplained", "WorkloadPlaced"]
    placed = the(sites.WorkloadPlaced, answers)
    assert placed.placement_id == "w1/1"
    assert placed.price_usd_per_gpu_hour == Decimal("2.35")
    assert [(share.unit_id, share.gpu_milli, share.power_w) for share in placed.units] == [
        ("g00", 1000, 700),
        ("g01", 1000, 700),
    ]
    # 2 * $2.35 - 1,400 W * $25/MWh = $4.665 an hour
    assert explained(answers).value_usd_micros_per_hour == 4_665_000
    assert explained(answers).decision_id == placed.decision_id


def test_completion_gives_the_units_back() -> None:
    site = SiteUnderTest()
    site.gpus(1)
    site.given(submitted())
    released = the(sites.WorkloadReleased, site.when(completed()))
    assert (released.outcome, released.placement_id) == ("completed", "w1/1")
    assert site.state.index.site_w == 0
    assert placed_on(site.when(submitted("w2"))) == ["g00"]


def test_shares_fill_the_least_room_that_is_enough() -> None:
    # Given units with 400 and 600 thousandths left
    site = SiteUnderTest()
    site.gpus(3)
    site.given(submitted("w1", milli=600), submitted("w2", milli=400))
    site.given(submitted("w3", milli=600))
    assert [unit.used_milli for unit in site.state.units.values()] == [1000, 600, 0]
    # When one asks for 300: it goes where 400 are left, not to a fresh GPU, and adds no power
    power_w = site.state.index.site_w
    assert placed_on(site.when(submitted("w4", milli=300))) == ["g01"]
    assert site.state.index.site_w == power_w
    # and one that fits nowhere opens a GPU
    assert placed_on(site.when(submitted("w5", milli=200))) == ["g02"]


def test_a_shared_gpu_draws_power_until_its_last_workload_ends() -> None:
    site = SiteUnderTest()
    site.gpus(1)
    site.given(submitted("w1", milli=500), submitted("w2", milli=500), completed("w1"))
    assert site.state.index.site_w == 700
    site.given(completed("w2"))
    assert site.state.index.site_w == 0


def test_whole_gpus_come_from_one_feeder_where_one_has_enough() -> None:
    site = SiteUnderTest()
    site.gpus(2, "fa")
    site.gpus(3, "fb")
    assert placed_on(site.when(submitted(count=3))) == ["g02", "g03", "g04"]


def test_whole_gpus_span_feeders_when_none_has_enough() -> None:
    site = SiteUnderTest()
    site.gpus(2, "fa")
    site.gpus(2, "fb")
    assert len(placed_on(site.when(submitted(count=4)))) == 4


def test_the_feeder_that_displaces_less_is_preferred() -> None:
    # Given mining that fills fa, and room on fb
    site = SiteUnderTest(fa_w=3_500)
    site.gpus(1, "fa")
    site.gpus(1, "fb")
    site.asics(1, "fa")
    answers = site.when(submitted())
    assert placed_on(answers) == ["g01"]
    by_label = {way.label: way for way in explained(answers).alternatives}
    other = by_label["place on H100 at fa"]
    assert other.feasible
    assert other.value_usd_micros_per_hour < explained(answers).value_usd_micros_per_hour


def test_the_least_valuable_mining_on_the_feeder_makes_room() -> None:
    # Given two ASICs that fill fa: giving up normal for eco costs the fewest hashes per watt
    site = SiteUnderTest(fa_w=7_000)
    site.gpus(1)
    site.asics(2)
    # When a workload needs 700 W
    answers = site.when(submitted())
    # Then one steps down to eco, before the placement
    assert names(answers) == [
        "WorkloadQueued",
        "UnitModeAssigned",
        "DecisionExplained",
        "WorkloadPlaced",
    ]
    assigned = the(sites.UnitModeAssigned, answers)
    assert (assigned.unit_id, assigned.mode, assigned.reason) == ("a00", "eco", "displaced")
    assert assigned.decision_id == the(sites.WorkloadPlaced, answers).decision_id


def test_mining_anywhere_makes_room_under_the_sites_cap() -> None:
    site = SiteUnderTest(site_w=7_000)
    site.gpus(1, "fa")
    site.asics(2, "fb")
    answers = site.when(submitted())
    assert the(sites.UnitModeAssigned, answers).unit_id == "a00"
    assert placed_on(answers) == ["g00"]


def test_ai_that_earns_less_than_the_mining_it_displaces_waits() -> None:
    # Given a hashprice at which an ASIC stepping down to eco loses more than $2.35 an hour
    site = SiteUnderTest(fa_w=3_500)
    site.gpus(1)
    site.given(hashprice("2000"))
    site.asics(1)
    answers = site.when(submitted())
    assert names(answers) == ["WorkloadQueued", "DecisionExplained"]
    told = explained(answers)
    assert told.chosen == "wait in the queue"
    assert told.reason == "The mining it would displace earns at least as much after power."
    # and when mining is worth less again, it is placed
    again = site.when(hashprice("38.2"))
    assert names(again) == ["UnitModeAssigned", "DecisionExplained", "WorkloadPlaced"]


def test_gpus_stay_off_while_power_costs_more_than_the_workload_pays() -> None:
    # $2.35 an hour at 0.7 kW is $3,357/MWh
    site = SiteUnderTest()
    site.gpus(1)
    site.given(power_price("3400"))
    answers = site.when(submitted())
    assert the(sites.WorkloadQueued, answers).reason == (
        "Its power costs at least what the workload pays."
    )
    assert placed_on(site.when(power_price("3300"))) == ["g00"]


def test_without_enough_mining_to_displace_it_waits_and_says_how_much_power_lacks() -> None:
    site = SiteUnderTest(fa_w=1_000)
    site.gpus(2)
    site.given(submitted("w1"))
    queued = the(sites.WorkloadQueued, site.when(submitted("w2")))
    assert queued.reason == "fa lacks 400 W under its cap, even without mining."


@pytest.mark.parametrize("event", [failed("g00"), drained("g00")])
def test_nothing_new_is_placed_on_a_unit_out_of_service(event: sites.SitesEvent) -> None:
    site = SiteUnderTest()
    site.gpus(1)
    site.given(event)
    assert "WorkloadPlaced" not in names(site.when(submitted()))
    assert placed_on(site.when(recovered("g00"))) == ["g00"]


def test_without_a_model_the_dearest_affordable_one_is_chosen() -> None:
    site = SiteUnderTest()
    site.gpus(1, model="H100")
    site.gpus(1, model="A100", watts=400)
    dear = the(sites.WorkloadPlaced, site.when(submitted("w1", model=None)))
    assert dear.gpu_model == "H100"
    cheap = submitted("w2", model=None, max_price_usd_per_gpu_hour=Decimal("1.50"))
    assert the(sites.WorkloadPlaced, site.when(cheap)).gpu_model == "A100"


def test_the_explanation_prices_waiting_and_mining_with_the_same_power() -> None:
    # Given an idle ASIC: eco gives 150 TH/s at 2,000 W, 52.5 TH/s for 700 W
    site = SiteUnderTest()
    site.gpus(1)
    site.asics(1, mode="off")
    told = explained(site.when(submitted()))
    by_label = {way.label: way for way in told.alternatives}
    assert told.alternatives[0].label == told.chosen == "place on H100 at fa"
    assert by_label["wait in the queue"].value_usd_micros_per_hour == 0
    mined = 52 * 38_200_000 // 24_000 - 700 * 25_000_000 // 1_000_000
    assert by_label["mine instead"].value_usd_micros_per_hour == mined
    assert told.power_price_usd_per_mwh == Decimal(25)
    assert told.hashprice_usd_per_ph_day == Decimal("38.2")


def test_no_unit_serves_two_whole_workloads() -> None:
    site = SiteUnderTest()
    site.gpus(1)
    site.given(submitted("w1"))
    assert not of(sites.WorkloadPlaced, site.when(submitted("w2")))
