from __future__ import annotations

from decimal import Decimal

from schemas.envelope import Cause
from schemas.events import intake, sites
from schemas.topics import INTAKE, SITES
from simulators.gate import Gate, Gates

LEAD_MS = 120_000


def tick(at: int) -> sites.TimePassed:
    return sites.TimePassed(site_id="s", at=at)


def question(at: int) -> sites.WorkloadCompleted:
    return sites.WorkloadCompleted(site_id="s", at=at, workload_id="w", placement_id="p")


def cause(offset: int, index: int = 0, count: int = 1) -> Cause:
    return Cause("routing", "hcp.sites.v1", 0, offset, index, count)


def test_open_at_the_beginning() -> None:
    assert Gate(LEAD_MS).is_open(10**12)


def test_ticks_may_run_ahead_by_the_lead_and_no_further() -> None:
    gate = Gate(LEAD_MS)
    gate.delivered(tick(1_000_000), 0)
    assert gate.is_open(1_000_000 + LEAD_MS)
    assert not gate.is_open(1_000_000 + LEAD_MS + 1)
    gate.delivered(tick(1_060_000), 1)
    gate.committed(2)
    assert gate.is_open(1_060_000 + LEAD_MS)


def test_a_question_stops_time_from_the_moment_it_is_asked() -> None:
    gate = Gate(LEAD_MS)
    gate.published(question(1_000))
    assert not gate.is_open(1_000), "not even delivered"
    gate.delivered(question(1_000), 5)
    assert not gate.is_open(1_000)
    assert gate.waits_for() == "routing to read offset 5"


def test_the_last_of_its_answers_opens_the_gate() -> None:
    gate = Gate(LEAD_MS)
    gate.published(question(1_000))
    gate.delivered(question(1_000), 5)
    gate.answered(cause(5, 0, 2))
    assert not gate.is_open(1_000), "another answer is to come"
    gate.answered(cause(5, 1, 2))
    assert gate.is_open(1_000)


def test_an_answer_to_something_later_says_as_much() -> None:
    gate = Gate(LEAD_MS)
    gate.published(question(1_000))
    gate.delivered(question(1_000), 5)
    gate.answered(cause(6, 0, 2))
    assert gate.is_open(1_000)


def test_a_question_that_nobody_answers_is_passed_by_the_committed_offset() -> None:
    gate = Gate(LEAD_MS)
    gate.published(question(1_000))
    gate.delivered(question(1_000), 5)
    gate.committed(5)
    assert not gate.is_open(1_000), "the next offset that routing reads is the question's"
    gate.committed(6)
    assert gate.is_open(1_000)


def test_an_answer_may_overtake_the_delivery_report() -> None:
    gate = Gate(LEAD_MS)
    gate.published(question(1_000))
    gate.answered(cause(5))
    assert not gate.is_open(1_000)
    gate.delivered(question(1_000), 5)
    assert gate.is_open(1_000)


def test_a_failed_switch_is_a_question_and_a_good_one_is_not() -> None:
    def switched(*, succeeded: bool) -> sites.UnitSwitched:
        return sites.UnitSwitched(
            site_id="s", at=1_000, unit_id="u", mode="compute", save_ms=50, clear_ms=80,
            load_ms=120, initialise_ms=150, succeeded=succeeded,
        )  # fmt: skip

    gate = Gate(LEAD_MS)
    gate.published(switched(succeeded=True))
    assert gate.is_open(1_000)
    gate.published(switched(succeeded=False))
    assert not gate.is_open(1_000)


def test_history_counts_like_what_was_delivered() -> None:
    gate = Gate(LEAD_MS)
    for offset in range(0, 300, 3):
        gate.found(tick(offset * 1_000), offset)
        gate.found(question(offset * 1_000), offset + 1)
        gate.answered(cause(offset + 1))
    assert gate.is_open(297_000)
    gate.found(question(300_000), 300)
    assert not gate.is_open(300_000), "asked before the restart, not answered yet"


PARTITIONS = {SITES.name: 1, INTAKE.name: 1}


def submission(at: int) -> intake.WorkloadSubmitted:
    return intake.WorkloadSubmitted(
        pool="p", at=at, workload_id="w", customer_id="c", name="w", kind="batch", gpu_count=1,
        duration_s=60,
    )  # fmt: skip


def chosen(at: int) -> sites.WorkloadSubmitted:
    return sites.WorkloadSubmitted(
        site_id="s", at=at, workload_id="w", customer_id="c", name="w", kind="batch", gpu_count=1,
        duration_s=60,
    )  # fmt: skip


def choice_of(offset: int) -> Cause:
    return Cause("brokering", INTAKE.name, 0, offset, 0, 1)


def waits_for(gates: Gates) -> str | None:
    gate = gates.shut("s", 1_000)
    return None if gate is None else gate.waits_for()


def test_time_waits_for_brokerings_choice_and_then_for_routing() -> None:
    gates = Gates(LEAD_MS, PARTITIONS)
    gates.published(submission(1_000))
    assert waits_for(gates) == "Kafka to take our records"
    gates.delivered(submission(1_000), 0, 7)
    assert waits_for(gates) == "brokering to read offset 7", "however long it takes"
    gates.answered(SITES, choice_of(7))
    gates.found(chosen(1_000), 0, 3)
    assert waits_for(gates) == "routing to read offset 3"
    gates.answered(SITES, cause(3))
    assert waits_for(gates) is None


def test_one_choice_tells_nothing_of_another() -> None:
    """They may be on other logs: what was rejected stays in the intake."""
    gates = Gates(LEAD_MS, PARTITIONS)
    for offset in (7, 8):
        gates.published(submission(1_000))
        gates.delivered(submission(1_000), 0, offset)
    gates.answered(INTAKE, choice_of(8))
    assert waits_for(gates) == "brokering to read offset 7"
    gates.committed("brokering", {0: 8})
    assert waits_for(gates) is None


def test_a_choice_may_overtake_the_delivery_report() -> None:
    gates = Gates(LEAD_MS, PARTITIONS)
    gates.published(submission(1_000))
    gates.answered(SITES, choice_of(7))
    gates.delivered(submission(1_000), 0, 7)
    assert not gates.is_asked("brokering")
    assert waits_for(gates) is None


def test_what_routing_tells_the_intake_comes_in_no_order_with_its_answers() -> None:
    gates = Gates(LEAD_MS, PARTITIONS)
    gates.published(question(1_000))
    gates.delivered(question(1_000), 0, 5)
    gates.answered(INTAKE, cause(6))
    assert waits_for(gates) == "routing to read offset 5"


def test_a_plan_is_waited_for_until_routing_has_applied_it() -> None:
    """It is read after what we wrote behind it was delivered, and still goes first."""
    plan = sites.PowerPlanProposed(
        site_id="s", at=1_000, plan_id="p", policy_version="1", trigger="price", assignments=(),
        headroom=(), site_shadow_price_usd_per_mwh=Decimal(0), value_usd_micros_per_hour=0,
        bound_usd_micros_per_hour=0,
    )  # fmt: skip
    gates = Gates(LEAD_MS, PARTITIONS)
    gates.published(tick(2_000))
    gates.delivered(tick(2_000), 0, 6)
    gates.found(plan, 0, 5)
    assert waits_for(gates) == "routing to read offset 5"
    gates.answered(SITES, cause(5))
    assert waits_for(gates) is None


def test_a_made_up_cause_is_nobodys() -> None:
    gates = Gates(LEAD_MS, PARTITIONS)
    gates.answered(SITES, Cause("brokering", INTAKE.name, 99, 1, 0, 1))
    gates.answered(SITES, Cause("metering", SITES.name, 0, 1, 0, 1))
    assert waits_for(gates) is None
