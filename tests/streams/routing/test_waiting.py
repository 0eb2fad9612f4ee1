"""The queue: order, backfill, what happens to a workload that waits very long, deadlines."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.events import sites
from schemas.events.decisions import DecisionExplained
from streams.definition import step
from streams.routing.agent import AGENT
from streams.routing.placement import find_placement
from streams.routing.state import State
from tests.streams.routing.site import (
    HOUR,
    NOON,
    SITE,
    SiteUnderTest,
    cancelled,
    completed,
    configured,
    failed,
    gpu,
    hashprice,
    names,
    of,
    plan,
    power_price,
    recovered,
    submitted,
    the,
    time,
    unit,
)


def placed_ids(answers: list[object]) -> list[str]:
    return [placed.workload_id for placed in of(sites.WorkloadPlaced, answers)]


ORDERS = [
    ("priority first", [("w2", 0, NOON), ("w3", 9, NOON + 5)], "w3"),
    ("then the log", [("w3", 0, NOON), ("w2", 0, NOON)], "w3"),
    ("whatever time the producer claims", [("w2", 0, NOON), ("w3", 0, 0)], "w2"),
]


@pytest.mark.parametrize(("rule", "waiting", "first"), ORDERS, ids=[row[0] for row in ORDERS])
def test_the_queue_is_in_order(rule: str, waiting: list[tuple[str, int, int]], first: str) -> None:
    site = SiteUnderTest()
    site.gpus(1)
    site.given(submitted("w1"))
    for workload_id, priority, at in waiting:
        site.given(submitted(workload_id, priority=priority, at=at))
    assert placed_ids(site.when(completed("w1"))) == [first], rule


def test_a_requeued_workload_keeps_its_place() -> None:
    site = SiteUnderTest()
    site.gpus(1)
    site.given(submitted("w1"), submitted("w2"))
    answers = site.when(failed("g00"))
    assert placed_ids(answers) == []
    assert placed_ids(site.when(recovered("g00"))) == ["w1"]


def test_before_the_first_tick_a_placement_carries_the_time_of_what_asked_for_it() -> None:
    state, told = State(SITE), list[Any]()
    for event in (configured(fa=50_000), gpu("g00"), submitted("w1", at=NOON - HOUR)):
        state, answers = step(AGENT, state, event)
        told += answers
    assert [placed.at for placed in of(sites.WorkloadPlaced, told)] == [NOON - HOUR]


def test_what_was_queued_before_the_first_tick_waits_from_there_on() -> None:
    state = State(SITE)
    gpus = [gpu(f"g{number:02}") for number in range(2)]
    events = [configured(fa=50_000), *gpus, submitted("small"), submitted("big", count=2)]
    for event in (*events, time(NOON), time(NOON + 23 * HOUR)):
        state, _ = step(AGENT, state, event)
    assert state.workloads["big"].queued_at == NOON
    _, answers = step(AGENT, state, submitted("later"))
    assert placed_ids(list(answers)) == ["later"]


def test_a_workload_that_does_not_fit_does_not_block_one_that_does() -> None:
    site = SiteUnderTest()
    site.gpus(2)
    site.given(submitted("w1"), submitted("big", count=2, priority=9))
    assert placed_ids(site.when(submitted("small"))) == ["small"]
    site.given(submitted("later"))
    assert placed_ids(site.when(completed("w1"))) == ["later"]


def test_one_that_starves_gets_its_units_kept() -> None:
    # Given big, which backfill has kept waiting for a day
    site = SiteUnderTest()
    site.gpus(2)
    site.given(submitted("w1"), submitted("big", count=2), submitted("w2"))
    site.given(time(NOON + 24 * HOUR))
    # When a unit becomes free, nothing behind big gets it
    assert placed_ids(site.when(submitted("w3", at=NOON + 24 * HOUR))) == []
    assert placed_ids(site.when(completed("w1"))) == []
    refusal = the(sites.WorkloadQueued, site.when(submitted("w4", at=NOON + 24 * HOUR)))
    assert refusal.reason == "H100 is kept for a workload that has waited too long."
    # but what ranks before it does
    assert placed_ids(site.when(submitted("urgent", priority=5))) == ["urgent"]
    site.given(completed("urgent"))
    # Then big is placed as soon as both are free
    assert placed_ids(site.when(completed("w2"))) == ["big"]


def test_one_completion_may_place_several() -> None:
    site = SiteUnderTest()
    site.gpus(4)
    site.given(submitted("w1", count=4), submitted("w2", count=2), submitted("w3"), submitted("w4"))
    assert placed_ids(site.when(completed("w1"))) == ["w2", "w3", "w4"]


def test_a_pass_is_bounded_and_the_clock_continues_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.routing.waiting.MAX_PLACED", 2)
    site = SiteUnderTest()
    site.gpus(4)
    site.given(submitted("w1", count=4), *(submitted(f"w{n}") for n in range(2, 6)))
    assert placed_ids(site.when(completed("w1"))) == ["w2", "w3"]
    assert placed_ids(site.when(time(NOON + 1))) == ["w4", "w5"]


def test_many_that_lack_power_do_not_keep_one_that_fits_waiting() -> None:
    # Given a feeder whose power is taken, and 300 shares of different sizes that wait for it
    site = SiteUnderTest(fa_w=700)
    site.gpus(2, "fa")
    site.gpus(1, "fb", model="A100", watts=400)
    site.given(submitted("w1"), *(submitted(f"s{n:03}", milli=n) for n in range(1, 301)))
    assert site.state.index.queued == 300
    # When one comes for another feeder, then it is placed at once
    assert placed_ids(site.when(submitted("other", model="A100"))) == ["other"]


def count_searches(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    searched: list[object] = []

    def counted(state: State, shape: Any, held: Any) -> Any:  # noqa: ANN401 - passed on
        searched.append(shape)
        return find_placement(state, shape, held)

    monkeypatch.setattr("streams.routing.waiting.find_placement", counted)
    return searched


@pytest.mark.parametrize(
    ("price", "hash_price"), [("4900", "38.2"), ("0", "9000"), ("0", "3000")], ids=str
)
def test_what_is_not_worth_it_is_searched_for_a_few_times_only(
    price: str, hash_price: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given power, or mining, worth more than AI, and 400 shapes that wait
    site = SiteUnderTest(35_000, 35_000, 0)
    site.gpus(100)
    site.asics(10)
    site.given(power_price(price), hashprice(hash_price))
    site.given(*(submitted(f"s{n}", milli=n) for n in range(1, 361)))
    site.given(*(submitted(f"g{n}", count=n) for n in range(6, 46)))
    assert site.state.index.queued == 400
    searched = count_searches(monkeypatch)
    site.given(time(NOON + 1))
    assert len(searched) <= 4


def test_what_a_bounded_pass_leaves_gets_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.routing.waiting.MAX_WEIGHED", 1)
    monkeypatch.setattr("streams.routing.waiting.TURNS", 1)
    # Given gangs for whose power an ASIC would have to go, whole, that earns $11 an hour
    site = SiteUnderTest(fa_w=3_500)
    site.gpus(4)
    site.gpus(1, "fb", model="A100", watts=400)
    site.given(unit("a00", "fa", "asic", "S21", {"off": (0, 0), "normal": (3_500, 200)}))
    site.given(plan({"normal": ["a00"]}), power_price("0"), hashprice("1320"))
    site.given(*(submitted(f"g{count}", count=count) for count in (2, 3, 4)))
    site.given(submitted("other", model="A100"))
    # When the clock goes on, the first is searched for in vain each time
    placed = [placed_ids(site.when(time(NOON + tick))) for tick in range(1, 4)]
    # Then the one that fits gets its turn within as many ticks as there are shapes behind it
    assert "other" in {workload.workload_id for workload in site.state.workloads.values()}
    assert site.state.workloads["other"].placed, placed


def test_a_waiting_workload_can_be_cancelled() -> None:
    site = SiteUnderTest()
    site.gpus(1)
    site.given(submitted("w1"), submitted("w2"))
    released = the(sites.WorkloadReleased, site.when(cancelled("w2")))
    assert (released.outcome, released.placement_id) == ("cancelled", None)
    assert (released.reason, released.detail) == ("cancelled", "changed my mind")
    assert site.state.index.queued == 0


def test_cancelling_what_runs_places_what_waits() -> None:
    site = SiteUnderTest()
    site.gpus(1)
    site.given(submitted("w1"), submitted("w2"))
    answers = site.when(cancelled("w1"))
    assert names(answers) == ["WorkloadReleased", "DecisionExplained", "WorkloadPlaced"]
    assert placed_ids(answers) == ["w2"]


def test_a_failed_workload_is_released_with_the_hardwares_reason() -> None:
    site = SiteUnderTest()
    site.gpus(1)
    site.given(submitted())
    released = the(
        sites.WorkloadReleased,
        site.when(
            sites.WorkloadFailed(
                site_id="s1", at=NOON, workload_id="w1", placement_id="w1/1", reason="segfault"
            )
        ),
    )
    assert (released.outcome, released.reason) == ("failed", "reported_failed")
    assert released.detail == "segfault"


def test_a_deadline_that_can_no_longer_be_met_ends_the_wait() -> None:
    # Given a run of one hour that must end by 14:00, so must start by 13:00
    site = SiteUnderTest()
    site.gpus(1)
    site.given(submitted("w1"), submitted("w2", deadline=NOON + 2 * HOUR))
    assert of(sites.WorkloadReleased, site.when(time(NOON + HOUR))) == []
    released = the(sites.WorkloadReleased, site.when(time(NOON + HOUR + 1)))
    assert (released.workload_id, released.outcome) == ("w2", "failed")
    assert released.reason == "deadline_passed"
    assert site.state.index.latest_starts == []


def test_a_pass_cut_short_lets_nobody_overtake() -> None:
    """400 wait, a pass places 256: the next submission of a lower priority queues behind them."""
    site = SiteUnderTest(10_000, 10_000)
    site.gpus(400)
    for number in range(400):
        site.given(submitted(f"w{number:03}", priority=5))
    assert site.state.index.queued > 300
    site.given(configured(1_000_000, fa=1_000_000))
    assert site.state.index.queued > 100
    answers = site.when(submitted("low", priority=0))
    assert "low" not in placed_ids(answers)
    assert len(placed_ids(answers)) > 100, "those before it go first"
    assert site.state.index.queued == 1
    told = the(DecisionExplained, [a for a in answers if getattr(a, "subject", "") == "low"])
    assert told.kind == "queueing"
