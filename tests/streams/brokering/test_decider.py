from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import intake, sites
from schemas.events.intake import GpuAvailability, IntakeEvent, SiteSummarized, WorkloadSubmitted
from schemas.topics import Event
from streams.brokering.agent import AGENT
from streams.brokering.state import MAX_REMEMBERED, State
from streams.definition import step

ASKED = WorkloadSubmitted(
    pool="default",
    at=1_000,
    workload_id="w1",
    customer_id="acme",
    name="train",
    kind="training",
    gpu_model="H100",
    gpu_count=4,
    gpu_milli=1000,
    duration_s=3_600,
    priority=3,
    preemptible=True,
    deadline=9_000_000,
    max_price_usd_per_gpu_hour=Decimal("2.500000"),
)


def test_a_submission_goes_whole_to_the_site_with_the_most_free_gpus() -> None:
    state = known(site("austin", h100=(8, 2)), site("dallas", h100=(8, 6)))
    state, answers = step(AGENT, state, ASKED)
    assert answers == [
        sites.WorkloadSubmitted(
            site_id="dallas",
            at=1_000,
            workload_id="w1",
            customer_id="acme",
            name="train",
            kind="training",
            gpu_model="H100",
            gpu_count=4,
            gpu_milli=1000,
            duration_s=3_600,
            priority=3,
            preemptible=True,
            deadline=9_000_000,
            max_price_usd_per_gpu_hour=Decimal("2.500000"),
        )
    ]


@pytest.mark.parametrize(
    ("summaries", "chosen"),
    [
        ([("b", 4, 2), ("a", 4, 5)], "b"),  # equally free: fewer waiting
        ([("b", 4, 2), ("a", 4, 2)], "a"),  # equal: by id
        ([("b", 0, 0), ("a", 1, 9)], "a"),  # free GPUs first
    ],
)
def test_equals_are_told_apart_by_queue_and_id(
    summaries: list[tuple[str, int, int]], chosen: str
) -> None:
    state = known(*(site(name, h100=(8, free), queued=queued) for name, free, queued in summaries))
    assert destinations(state, ASKED) == [chosen]


def test_a_site_too_small_is_passed_over_however_free() -> None:
    state = known(site("small", h100=(3, 3)), site("large", h100=(8, 0)))
    assert destinations(state, ASKED) == ["large"]


def test_any_model_will_do_when_none_is_named_but_all_gpus_are_of_one() -> None:
    state = known(site("mixed", h100=(3, 3), a100=(3, 3)), site("plain", a100=(4, 1)))
    assert destinations(state, replace(ASKED, gpu_model=None)) == ["plain"]


def test_what_was_sent_counts_until_the_site_speaks_again() -> None:
    state = known(site("austin", h100=(8, 6)), site("dallas", h100=(8, 5)))
    sent = []
    for number in range(3):
        state, answers = step(AGENT, state, replace(ASKED, workload_id=f"w{number}"))
        sent += [
            answer.site_id for answer in answers if isinstance(answer, sites.WorkloadSubmitted)
        ]
    assert sent == ["austin", "dallas", "austin"]
    state, _ = step(AGENT, state, site("dallas", h100=(8, 8)))
    assert destinations(state, replace(ASKED, workload_id="w9")) == ["dallas"]


@pytest.mark.parametrize(
    ("summaries", "reason"),
    [
        ([], "no_site"),
        ([("a100", 8)], "no_such_model"),
        ([("h100", 0)], "no_such_model"),
        ([("h100", 3)], "too_many_gpus"),
    ],
)
def test_what_no_site_could_ever_run_is_rejected(
    summaries: list[tuple[str, int]], reason: str
) -> None:
    state = known()
    for model, total in summaries:
        offer = (
            site("dallas", h100=(total, total)) if model == "h100" else site("dallas", a100=(8, 8))
        )
        state = AGENT.evolve(state, offer)
    (answer,) = AGENT.decide(state, ASKED)
    assert isinstance(answer, intake.WorkloadRejected)
    assert (answer.pool, answer.workload_id, answer.reason) == ("default", "w1", reason)


def test_the_same_submission_twice_goes_to_one_site_once() -> None:
    state = known(site("austin", h100=(8, 6)), site("dallas", h100=(8, 5)))
    state, first = step(AGENT, state, ASKED)
    assert len(first) == 1
    state, again = step(AGENT, state, replace(ASKED, at=5_000))
    assert again == []
    assert state.sites["austin"].gpus["H100"].free == 2


def test_the_same_id_for_something_else_is_refused() -> None:
    state, _ = step(AGENT, known(site("austin", h100=(8, 8))), ASKED)
    (answer,) = AGENT.decide(state, replace(ASKED, gpu_count=1))
    assert isinstance(answer, intake.InputRejected)
    assert (answer.subject, answer.reason) == ("w1", "workload_id_taken")


def test_only_a_bounded_number_of_submissions_is_remembered() -> None:
    state = known(site("austin", h100=(8, 8)))
    state.answered = {f"old-{number}": "" for number in range(MAX_REMEMBERED)}
    state, _ = step(AGENT, state, ASKED)
    assert len(state.answered) == MAX_REMEMBERED
    assert "old-0" not in state.answered
    assert "w1" in state.answered


def test_a_pool_without_sites_is_not_kept() -> None:
    state, _ = step(AGENT, State(pool="default"), ASKED)
    assert not AGENT.retain(state)
    assert AGENT.retain(known(site("austin", h100=(1, 1))))


names = st.sampled_from(["a", "b", "c"])
counts = st.integers(-2, 9)
inputs: st.SearchStrategy[IntakeEvent] = st.one_of(
    st.builds(
        lambda name, total, free, queued: site(name, h100=(total, free), queued=queued),
        *(names, counts, counts, counts),
    ),
    st.builds(
        lambda number, count, model: replace(
            ASKED, workload_id=f"w{number}", gpu_count=count, gpu_model=model
        ),
        *(st.integers(0, 5), counts, st.sampled_from(["H100", "A100", None])),
    ),
)


@given(st.lists(inputs, max_size=40))
def test_no_workload_ever_goes_to_two_sites_and_deciding_changes_nothing(
    events: list[IntakeEvent],
) -> None:
    state = State(pool="default")
    placed: dict[str, str] = {}
    for event in events:
        before = repr(state)
        first = list(AGENT.decide(state, event))
        assert list(AGENT.decide(state, event)) == first
        assert repr(state) == before
        state, answers = step(AGENT, state, event)
        assert list(answers) == first
        for answer in answers:
            if isinstance(answer, sites.WorkloadSubmitted):
                assert answer.workload_id not in placed
                assert answer.site_id in state.sites
                placed[answer.workload_id] = answer.site_id
    saved = msgspec.msgpack.encode(state)
    assert msgspec.msgpack.decode(saved, type=State) == state


def known(*summaries: SiteSummarized) -> State:
    state = State(pool="default")
    for summary in summaries:
        state = AGENT.evolve(state, summary)
    return state


def site(site_id: str, *, queued: int = 0, **gpus: tuple[int, int]) -> SiteSummarized:
    return SiteSummarized(
        pool="default",
        at=1,
        site_id=site_id,
        gpus=tuple(
            GpuAvailability(gpu_model=model.upper(), total=total, free=free)
            for model, (total, free) in sorted(gpus.items())
        ),
        queued=queued,
        power_headroom_w=0,
    )


def destinations(state: State, event: Event) -> list[str]:
    answers = step(AGENT, state, event)[1]
    return [answer.site_id for answer in answers if isinstance(answer, sites.WorkloadSubmitted)]


def test_a_rejected_submission_is_judged_again() -> None:
    state = known(site("dallas", h100=(3, 3)))
    state, (answer,) = step(AGENT, state, ASKED)
    assert isinstance(answer, intake.WorkloadRejected)
    state, _ = step(AGENT, state, site("austin", h100=(8, 8)))
    assert destinations(state, ASKED) == ["austin"]
