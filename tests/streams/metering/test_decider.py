"""Given what happened on a site, when something happens, then this usage is recorded."""

from __future__ import annotations

import itertools
from copy import deepcopy
from dataclasses import replace
from decimal import Decimal

import pytest

from schemas.events.accounts import UsageRecorded
from schemas.events.sites import SitesEvent
from streams.invoicing.state import MAX_GRACE_S
from streams.metering.agent import AGENT
from streams.metering.intervals import MAX_JUMP_MS as YEAR_MS
from streams.metering.intervals import QUARTER_MS
from streams.metering.state import ALLOWANCE_MS, IDLE_MS, MAX_AHEAD_MS, MAX_READING_MS
from streams.quantities import DAY_MS, HOUR_MS
from streams.site_inputs import MAX_JUMP_MS
from tests.streams.metering.site import (
    GPU,
    SITE,
    Folded,
    at,
    closed,
    configured,
    metered,
    metered_hour,
    placed,
    priced,
    queued,
    registered,
    released,
    requeued,
    running_site,
    tick,
)


def slices(folded: Folded) -> list[tuple[int, int, int]]:
    return [(u.interval_start, u.interval_end, u.quantity) for u in folded.usage("gpu_time")]


def test_a_workload_within_an_hour_is_recorded_when_it_is_released() -> None:
    folded = running_site().fold(queued(), placed(when=at(10, 5)), released(when=at(10, 20)))
    assert slices(folded) == [(at(10, 5), at(10, 20), 1000 * 15 * 60_000)]
    (usage,) = folded.usage("gpu_time")
    assert (usage.customer_id, usage.site_id, usage.workload_id) == ("acme", SITE, "w1")
    assert (usage.placement_id, usage.gpu_model, usage.unit) == ("p1", "H100", "gpu_us")
    assert usage.price_usd_per_mwh is None


def test_an_hour_is_recorded_when_routing_has_closed_it_not_when_the_clock_passes_it() -> None:
    folded = running_site().fold(queued(), placed(when=at(10, 5)), tick(at(11, 1)))
    assert slices(folded) == []
    folded.fold(closed(at(11, 1)))
    assert slices(folded) == [(at(10, 5), at(11), 1000 * 55 * 60_000)]


def test_a_release_that_routing_decided_before_the_hour_but_said_after_the_tick_ends_in_time() -> (
    None
):
    folded = running_site().fold(
        queued(),
        placed(when=at(10, 5)),
        tick(at(11, 1)),
        released(when=at(10, 59)),
        closed(at(11, 1)),
    )
    assert slices(folded) == [(at(10, 5), at(10, 59), 1000 * 54 * 60_000)]


def test_a_clock_that_jumps_over_hours_leaves_a_slice_for_each() -> None:
    folded = running_site().fold(
        queued(), placed(when=at(10, 30)), tick(at(13, 7)), closed(at(13, 7))
    )
    assert [s[:2] for s in slices(folded)] == [
        (at(10, 30), at(11)),
        (at(11), at(12)),
        (at(12), at(13)),
    ]


def test_shares_of_several_gpus_add_up() -> None:
    units = [("gpu-1", 1000), ("gpu-2", 1000), ("gpu-3", 1000)]
    folded = running_site().fold(
        queued(), placed(when=at(10), units=units), released(when=at(10, 0, 7))
    )
    assert [s[2] for s in slices(folded)] == [3 * 1000 * 7]


@pytest.mark.parametrize("reason", ["unit_failed", "curtailment", "cap"])
def test_a_requeued_placement_is_billed_until_its_units_were_taken(reason: str) -> None:
    folded = running_site().fold(
        queued(),
        placed("p1", when=at(10)),
        requeued("p1", when=at(10, 10), reason=reason),
        placed("p2", when=at(10, 15)),
        released("p2", when=at(10, 25)),
    )
    assert [s[:2] for s in slices(folded)] == [(at(10), at(10, 10)), (at(10, 15), at(10, 25))]
    first, second = folded.usage("gpu_time")
    assert (first.placement_id, second.placement_id) == ("p1", "p2")
    assert first.usage_id != second.usage_id


@pytest.mark.parametrize(
    "end",
    [
        requeued(when=at(10, 1), reason="switch_failed"),
        released(when=at(10, 1), reason="switch_failed"),
    ],
)
def test_a_failed_switch_costs_nothing(end: SitesEvent) -> None:
    folded = running_site().fold(
        queued(), placed(when=at(10)), end, *metered_hour(10, 10), tick(at(11)), closed(at(11))
    )
    folded.fold(tick(at(11, 1)))
    assert folded.usage("gpu_time") == folded.usage("energy") == []
    assert folded.watermarks == [("acme", at(11))]


def test_a_released_workload_that_never_ran_costs_nothing() -> None:
    folded = running_site().fold(queued(), released(None, when=at(10, 5)))
    assert folded.answers == []


def test_a_placement_ends_once() -> None:
    folded = running_site().fold(
        queued(),
        placed(when=at(10)),
        requeued(when=at(10, 1), reason="cap"),
        released(when=at(10, 5)),
    )
    assert [s[:2] for s in slices(folded)] == [(at(10), at(10, 1))]


def test_the_energy_of_a_gpu_goes_to_its_workload_by_quarter_at_the_quarters_price() -> None:
    folded = running_site().fold(
        queued(),
        placed(when=at(10)),
        *(priced(at(10, 15 * i), f"{20 + i}.5") for i in range(4)),
        *(metered(at(10, 15 * i), [(GPU, 170 + i)]) for i in range(4)),
        tick(at(11)),
        closed(at(11)),
        tick(at(11, 1)),
    )
    assert [
        (u.interval_start, u.interval_end, u.quantity, u.unit, u.price_usd_per_mwh)
        for u in folded.usage("energy")
    ] == [
        (at(10, 15 * i), at(10, 15 * i + 15), 170 + i, "wh", Decimal(f"{20 + i}.5"))
        for i in range(4)
    ]
    assert folded.watermarks == [("acme", at(11))]


def test_five_minute_meters_are_added_up_to_the_quarter() -> None:
    folded = running_site().fold(
        queued(),
        placed(when=at(10)),
        priced(at(10), "20", length=HOUR_MS),
        *(metered(at(10, 5 * i), [(GPU, 58)], length=5 * 60_000) for i in range(12)),
        tick(at(11)),
        closed(at(11)),
        tick(at(11, 1)),
    )
    assert [(u.interval_start, u.quantity) for u in folded.usage("energy")] == [
        (at(10, 15 * i), 3 * 58) for i in range(4)
    ]


def test_workloads_that_share_a_gpu_share_its_energy_by_share_and_time() -> None:
    folded = running_site().fold(
        queued("w1"),
        queued("w2"),
        placed("p1", when=at(10), workload_id="w1", units=[(GPU, 250)]),
        placed("p2", when=at(10, 5), workload_id="w2", units=[(GPU, 500)]),
        priced(at(10), "20", length=HOUR_MS),
        metered(at(10), [(GPU, 101)]),
        tick(at(11, 30)),
        closed(at(11, 30)),
        tick(at(11, 31)),
    )
    # weights 250 x 15 min and 500 x 10 min: 3,750 to 5,000 of 101 Wh is 43.29 to 57.71
    assert [(u.workload_id, u.quantity) for u in folded.usage("energy")] == [("w1", 43), ("w2", 58)]


def test_energy_of_a_gpu_without_a_workload_and_of_a_miner_is_nobodys() -> None:
    folded = running_site().fold(
        registered("gpu-2"),
        registered("s21-1", kind="asic"),
        queued(),
        placed(when=at(10)),
        metered(at(10), [(GPU, 5), ("gpu-2", 7), ("s21-1", 800)]),
        tick(at(11, 31)),
        closed(at(11, 31)),
        tick(at(11, 32)),
    )
    assert [u.quantity for u in folded.usage("energy")] == [5]


def test_a_placement_over_two_feeders_has_one_energy_usage_a_quarter() -> None:
    folded = running_site().fold(
        registered("gpu-2", feeder_id="f2"),
        queued(),
        placed(when=at(10), units=[(GPU, 1000), ("gpu-2", 1000)]),
        metered(at(10), [(GPU, 5)]),
        metered(at(10), [("gpu-2", 6)], feeder_id="f2"),
        tick(at(11, 31)),
        closed(at(11, 31)),
        tick(at(11, 32)),
    )
    assert [u.quantity for u in folded.usage("energy")] == [11]


def test_a_reading_over_an_hour_is_priced_quarter_by_quarter() -> None:
    prices = ("1000", "0", "-5", "20")
    folded = running_site().fold(
        queued(),
        placed(when=at(10)),
        *(priced(at(10, 15 * i), price) for i, price in enumerate(prices)),
        metered(at(10), [(GPU, 702)], length=HOUR_MS),
        tick(at(11)),
        closed(at(11)),
        tick(at(11, 1)),
    )
    assert [
        (u.interval_start, u.interval_end, u.quantity, u.price_usd_per_mwh)
        for u in folded.usage("energy")
    ] == [
        (at(10, 15 * i), at(10, 15 * i + 15), quantity, Decimal(prices[i]))
        for i, quantity in enumerate((176, 176, 175, 175))
    ]


def test_a_long_reading_is_split_by_when_the_gpu_had_work_not_by_how_much() -> None:
    folded = running_site().fold(
        queued("w1"),
        queued("w2"),
        placed("p1", when=at(10, 10), workload_id="w1", units=[(GPU, 250)]),
        placed("p2", when=at(10, 15), workload_id="w2", units=[(GPU, 250)]),
        released("p1", when=at(10, 20), workload_id="w1"),
        released("p2", when=at(10, 25), workload_id="w2"),
        metered(at(10, 5), [(GPU, 300)], length=30 * 60_000),
        tick(at(11, 30)),
        closed(at(11, 30)),
        tick(at(11, 31)),
    )
    # five minutes of work before 10:15, ten after; of those 250 x 5 min and 250 x 10 min
    assert [
        (u.workload_id, u.interval_start, u.interval_end, u.quantity)
        for u in folded.usage("energy")
    ] == [
        ("w1", at(10, 10), at(10, 15), 100),
        ("w1", at(10, 15), at(10, 20), 67),
        ("w2", at(10, 15), at(10, 25), 133),
    ]


def test_meters_that_claim_more_than_a_record_holds_leave_the_bill_alone() -> None:
    absurd = [metered(at(10, 5 * i), [(GPU, 2**62)], length=5 * 60_000) for i in range(2)]
    folded = running_site().fold(
        queued(), placed(when=at(10)), *absurd, *metered_hour(10, 9), tick(at(11)), closed(at(11))
    )
    folded.fold(tick(at(11, 1)))
    assert [u.quantity for u in folded.usage("energy")] == [9] * 4
    assert folded.state.refused == 2


def test_a_price_that_routing_refuses_is_not_billed() -> None:
    folded = running_site().fold(
        queued(),
        placed(when=at(10)),
        *metered_hour(10, 9),
        priced(at(10, 15), "5000000"),
        tick(at(11)),
        closed(at(11)),
        tick(at(11, 1)),
    )
    assert {u.price_usd_per_mwh for u in folded.usage("energy")} == {Decimal(20)}


@pytest.mark.parametrize(
    "moved",
    [registered(feeder_id="f9"), replace(registered(feeder_id="f2"), modes=())],
)
def test_a_registration_that_routing_refuses_moves_no_gpu(moved: SitesEvent) -> None:
    folded = running_site().fold(
        queued(), placed(when=at(10)), moved, *metered_hour(10, 9), tick(at(11)), closed(at(11))
    )
    folded.fold(tick(at(11, 1)))
    assert [u.quantity for u in folded.usage("energy")] == [9] * 4


def test_one_tick_from_far_ahead_moves_nothing_and_a_second_confirms_it() -> None:
    far = at(11) + 2 * MAX_JUMP_MS
    folded = running_site().fold(queued(), placed(when=at(10)), tick(at(10, 1)), tick(far))
    assert folded.state.now == at(10, 1)
    folded.fold(*metered_hour(10, 9), tick(at(11)), closed(at(11)), tick(at(11, 1)))
    assert folded.watermarks == [("acme", at(11))]
    folded.fold(tick(far), tick(far + 1))
    assert folded.state.now == far + 1
    folded.fold(tick(10**17))
    assert folded.state.now == far + 1


@pytest.mark.parametrize("ended", [True, False])
def test_gpu_time_beyond_a_year_of_one_jump_is_counted_as_left_out(ended: bool) -> None:
    far = at(10) + YEAR_MS + HOUR_MS
    folded = running_site().fold(queued(), placed(when=at(10)), tick(far), tick(far + 1))
    folded.fold(*([released(when=far)] if ended else []), closed(far), closed(far))
    assert sum(u.quantity for u in folded.usage("gpu_time")) == YEAR_MS * 1000
    assert AGENT.left_out(folded.state)["beyond_a_years_jump_gpu_us"] == HOUR_MS * 1000


def test_gpu_time_carries_the_list_price_of_its_placement() -> None:
    folded = running_site().fold(
        queued(),
        placed("p1", when=at(10), list_price="1.5"),
        requeued("p1", when=at(10, 10), reason="cap"),
        placed("p2", when=at(10, 20), list_price="1.75"),
        *metered_hour(10, 9),
        tick(at(11)),
        closed(at(11)),
        tick(at(11, 1)),
    )
    assert [u.list_price_usd_per_gpu_hour for u in folded.usage("gpu_time")] == [
        Decimal("1.5"),
        Decimal("1.75"),
    ]
    assert {u.list_price_usd_per_gpu_hour for u in folded.usage("energy")} == {None}


def test_an_hour_waits_for_its_last_meter_and_no_longer() -> None:
    folded = running_site().fold(
        queued(), placed(when=at(10)), *metered_hour(10, 9)[:-1], tick(at(11)), closed(at(11))
    )
    folded.fold(tick(at(11, 1)))
    assert folded.watermarks == []
    folded.fold(metered_hour(10, 9)[-1], tick(at(11, 2)))
    assert folded.watermarks == [("acme", at(11))]
    assert [u.quantity for u in folded.usage("energy")] == [9] * 4


def test_an_hour_waits_for_its_price_then_records_that_there_is_none() -> None:
    # Given a price that ended more than an hour before 10:30, and the next from 10:45 on
    folded = running_site().fold(
        priced(at(9, 15), "20"),
        queued(),
        placed(when=at(10)),
        *(metered(at(10, 15 * quarter), [(GPU, 9)]) for quarter in range(4)),
        priced(at(10, 45), "30"),
        *(tick(at(11)), closed(at(11)), tick(at(11, 29))),
    )
    assert folded.watermarks == []
    folded.fold(tick(at(11) + ALLOWANCE_MS))
    assert folded.watermarks == [("acme", at(11))]
    assert [u.price_usd_per_mwh for u in folded.usage("energy")] == [
        Decimal(20),
        Decimal(20),
        None,
        Decimal(30),
    ]


def test_the_newest_price_of_an_interval_counts() -> None:
    folded = running_site().fold(
        queued(),
        placed(when=at(10)),
        priced(at(10), "999"),
        *metered_hour(10, 9),
        tick(at(11)),
        closed(at(11)),
        tick(at(11, 1)),
    )
    assert {u.price_usd_per_mwh for u in folded.usage("energy")} == {Decimal(20)}


def test_only_the_time_something_ran_needs_meters() -> None:
    folded = running_site().fold(
        queued(),
        placed(when=at(10, 20)),
        released(when=at(10, 28)),
        priced(at(10, 15), "20"),
        metered(at(10, 15), [(GPU, 40)]),
        tick(at(11)),
        closed(at(11)),
        tick(at(11, 1)),
    )
    assert folded.watermarks == [("acme", at(11))]


@pytest.mark.parametrize(
    ("why", "event"),
    [
        ("contradicts", metered(at(10), [(GPU, 8)])),
        ("overlaps", metered(at(10, 5), [(GPU, 9)], length=5 * 60_000)),
        ("negative", metered(at(10, 15), [(GPU, -1)])),
        ("more than a unit draws", metered(at(10, 15), [(GPU, 2**62)])),
        ("unknown unit", metered(at(10, 15), [(GPU, 1), ("gpu-9", 1)])),
        ("no time", metered(at(10, 15), [(GPU, 1)], length=0)),
        ("backwards", metered(at(10, 15), [(GPU, 1)], length=-60_000)),
        ("too long", metered(at(10, 15), [(GPU, 1)], length=MAX_READING_MS + 1)),
        ("too far ahead", metered(at(10) + MAX_AHEAD_MS, [(GPU, 1)])),
        ("says what its feeder's first did not", metered(at(10), [("gpu-2", 1)])),
        ("another feeder's word", metered(at(10), [(GPU, 8)], feeder_id="f2")),
        ("collected", metered(at(9), [(GPU, 1)])),
    ],
)
def test_a_reading_that_cannot_be_true_is_counted_and_changes_nothing(
    why: str, event: SitesEvent
) -> None:
    folded = running_site().fold(registered("gpu-2"), queued(), placed(when=at(10)))
    folded.fold(metered(at(10), [(GPU, 9)]))
    before = deepcopy(folded.state.readings)
    folded.fold(event)
    assert folded.state.readings == before, why
    assert folded.state.refused == 1


def test_a_repeated_reading_is_ignored() -> None:
    folded = running_site().fold(metered(at(10), [(GPU, 9)]), metered(at(10), [(GPU, 9)]))
    assert (folded.state.refused, folded.state.left_out_wh) == (0, {"repeated": 9})
    assert len(folded.state.readings[GPU]) == 1


def until(hour: int) -> list[SitesEvent]:
    """Time goes on until everything before the hour was waited for long enough."""
    return [tick(at(hour, 30)), closed(at(hour, 30)), tick(at(hour, 31))]


def test_a_reading_over_the_hour_is_cut_there_by_time() -> None:
    folded = running_site().fold(queued(), placed(when=at(10)), tick(at(11, 5)))
    folded.fold(metered(at(10, 50), [(GPU, 100)]), *until(12))
    # ten minutes of fifteen before the hour, and there as long before as after 11:00
    assert [(u.interval_start, u.quantity) for u in folded.usage("energy")] == [
        (at(10, 50), 67),
        (at(11), 33),
    ]
    assert (folded.state.readings, folded.state.metered) == ({}, {})


def test_meters_that_come_while_the_clock_stands_still_wait_for_it() -> None:
    folded = running_site().fold(queued(), placed(when=at(10)))
    folded.fold(*(metered(at(10, 15 * i), [(GPU, 175)]) for i in range(12)), *until(13))
    assert sum(u.quantity for u in folded.usage("energy")) == 12 * 175
    assert folded.state.left_out_wh == {}


def test_a_gpu_that_moved_is_billed_what_its_former_feeder_metered() -> None:
    folded = running_site().fold(queued(), placed(when=at(10)), tick(at(10, 7)))
    folded.fold(registered(feeder_id="f2"), requeued(when=at(10, 7), reason="unit_changed"))
    folded.fold(priced(at(10), "20", length=HOUR_MS))
    # Given that its new feeder has been metered all hour, the hour waits for the former one
    folded.fold(metered(at(10), [], length=HOUR_MS, feeder_id="f2"), tick(at(11)), closed(at(11)))
    assert folded.watermarks == []
    folded.fold(metered(at(10), [(GPU, 80)]), tick(at(11, 1)))
    assert [u.quantity for u in folded.usage("energy")] == [80]
    assert folded.watermarks == [("acme", at(11))]


def test_the_last_meter_of_a_feeder_that_was_removed_is_billed() -> None:
    without = replace(configured(), feeders=configured().feeders[1:])
    folded = running_site().fold(queued(), placed(when=at(10)), tick(at(10, 7)), without)
    folded.fold(requeued(when=at(10, 7), reason="cap"), metered(at(10), [(GPU, 80)]), *until(11))
    assert [u.quantity for u in folded.usage("energy")] == [80]


def test_what_is_left_out_is_counted_by_reason_for_operators() -> None:
    folded = running_site().fold(queued(), placed(when=at(10)), metered(at(10), [(GPU, 9)]))
    folded.fold(*until(11), metered(at(10, 15), [(GPU, 50)]), metered(at(10, 55), [(GPU, 90)]))
    folded.fold(metered(at(11), [(GPU, 7)], length=5 * 60_000), metered(at(9), [("gpu-9", 1)]))
    assert AGENT.left_out(folded.state) == {
        "refused_inputs": 4,
        "contradicted_wh": 7,
        "late_wh": 50 + 30,
    }


def test_meters_before_the_clock_began_are_left_out_and_names_of_no_feeder_take_no_room() -> None:
    folded = Folded().fold(configured(), registered(), metered(at(10), [(GPU, 5)]))
    assert AGENT.left_out(folded.state) == {"refused_inputs": 1, "no_clock_wh": 5}
    folded.fold(tick(at(10)), metered(at(10), [(GPU, 5)], feeder_id="f9"))
    assert folded.state.metered == {}


def test_the_same_ids_on_another_site_or_of_another_customer_are_other_usage() -> None:
    def usage_id(site_id: str, customer_id: str) -> str:
        folded = Folded()
        log: list[SitesEvent] = [configured(), registered(), tick(at(10))]
        log += [placed(when=at(10), customer_id=customer_id), released(when=at(10, 1))]
        folded.state.site_id = site_id
        (usage,) = folded.fold(*log).usage("gpu_time")
        return usage.usage_id

    where = [("plano", "acme"), ("odessa", "acme"), ("plano", "umbra")]
    assert len({usage_id(*one) for one in where}) == 3


def test_usage_ids_do_not_depend_on_when_they_were_recorded() -> None:
    first = running_site().fold(queued(), placed(when=at(10, 5)), released(when=at(10, 30)))
    second = running_site().fold(
        tick(at(10, 1)), queued(), placed(when=at(10, 5)), tick(at(10, 29))
    )
    second.fold(released(when=at(10, 30)))
    assert [u.usage_id for u in first.usage("gpu_time")] == [
        u.usage_id for u in second.usage("gpu_time")
    ]


def test_a_queued_customer_gets_watermarks() -> None:
    folded = running_site().fold(queued(when=at(10)), tick(at(11)), closed(at(11)), tick(at(11, 1)))
    assert folded.watermarks == [("acme", at(11))]


def test_an_idle_customer_gets_them_hourly_for_two_days_then_at_midnight_then_never() -> None:
    folded = running_site().fold(queued(when=at(10)), released(None, when=at(10, 5)))
    for hour in range(11, 11 + IDLE_MS // HOUR_MS + 48):
        folded.fold(tick(at(hour)), closed(at(hour)))
    marks = [until for _, until in folded.watermarks]
    hourly = [until for until in marks if until <= at(10, 5) + 2 * DAY_MS]
    assert hourly == list(range(at(11), at(10, 5) + 2 * DAY_MS, HOUR_MS))
    later = marks[len(hourly) :]
    assert all(until % DAY_MS == 0 for until in later)
    assert all(b - a == DAY_MS for a, b in itertools.pairwise(later))
    assert marks[-1] - at(10) > IDLE_MS - DAY_MS
    assert folded.state.customers == {}


def test_watermarks_go_on_until_the_longest_period_and_grace_have_ended() -> None:
    assert IDLE_MS >= (31 + 7) * DAY_MS + MAX_GRACE_S * 1000


def test_what_was_collected_is_forgotten() -> None:
    folded = running_site().fold(
        queued(),
        placed(when=at(10)),
        *metered_hour(10, 9),
        released(when=at(10, 50)),
        tick(at(11)),
        closed(at(11)),
        tick(at(11, 1)),
    )
    assert folded.state.placements == {}
    assert folded.state.readings == {}


def test_prices_are_kept_as_long_as_what_was_billed_by_them_and_within_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streams.metering.differences.MAX_BILLED", 6)
    folded = running_site().fold(queued(), placed(when=at(10)))
    for hour in range(10, 14):
        folded.fold(*metered_hour(hour, 9), tick(at(hour + 1)), closed(at(hour + 1)))
        folded.fold(tick(at(hour + 1, 1)))
    starts = [at(12, 30), at(12, 45), *(at(13, 15 * quarter) for quarter in range(4))]
    assert [price.start for price in folded.state.prices] == starts
    assert [billed.start for billed in folded.state.billed] == starts
    assert folded.state.forgotten_until == at(12, 30)


def test_what_is_placed_before_the_first_tick_runs_from_it_whatever_time_it_says() -> None:
    # Given a producer's clock a year ahead, which is all that routing has before the first tick
    folded = Folded().fold(configured(), registered(), queued(when=at(9000)))
    folded.fold(placed(when=at(9000)), tick(at(10, 30)), closed(at(10, 30)))
    # When the clock begins and goes on
    folded.fold(tick(at(11)), closed(at(11)), released(when=at(11, 15)), tick(at(12, 30)))
    assert [s[:2] for s in slices(folded)] == [(at(10, 30), at(11)), (at(11), at(11, 15))]
    folded.fold(closed(at(12, 30)))
    assert folded.state.placements == {}
    assert folded.state.customers["acme"].active_at == at(11, 15)


def test_what_ends_before_the_first_tick_costs_nothing() -> None:
    folded = Folded().fold(configured(), registered(), queued(), placed(when=at(9000)))
    folded.fold(released(when=at(9001)), tick(at(10)), closed(at(10)), tick(at(12)))
    folded.fold(closed(at(12)))
    assert folded.usage("gpu_time") == []
    assert folded.state.placements == {}


def test_a_clock_that_goes_backwards_changes_nothing() -> None:
    folded = running_site().fold(queued(), placed(when=at(10)), tick(at(9)), closed(at(10)))
    assert folded.state.now == at(10)
    assert folded.answers == []


def test_the_state_of_an_unknown_site_is_not_kept() -> None:
    unknown = Folded().fold(tick(at(10)), priced(at(10), "20"), queued())
    assert not AGENT.retain(unknown.state)
    assert AGENT.retain(running_site().state)


def test_energy_before_the_last_quarter_waits_for_the_hour() -> None:
    folded = running_site().fold(
        queued(), placed(when=at(10)), metered(at(10), [(GPU, 9)]), tick(at(10) + QUARTER_MS)
    )
    assert not [a for a in folded.answers if isinstance(a, UsageRecorded)]
