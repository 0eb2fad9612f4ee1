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
from streams.brokering.state import MAX_REMEMBERED, Forwarded, State
from streams.definition import settle, step

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
        ),
        intake.WorkloadForwarded(
            pool="default",
            at=1_000,
            workload_id="w1",
            site_id="dallas",
            gpu_model="H100",
            gpu_count=4,
            digest=state.forwarded["w1"].digest,
        ),
    ]


@pytest.mark.parametrize("field", ["workload_id", "customer_id"])
@pytest.mark.parametrize("name", ["", "x" * 10_000, "a\x9bb"])
def test_a_name_that_no_site_takes_is_rejected_and_not_remembered(field: str, name: str) -> None:
    event = ASKED.from_record({**ASKED.to_record(), field: name})
    state, answers = step(AGENT, known(site("austin", h100=(8, 8))), event)
    (rejected,) = answers
    assert isinstance(rejected, intake.WorkloadRejected)
    assert rejected.reason == f"bad_{field}"
    assert not state.forwarded


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


def test_a_submission_sent_again_goes_to_the_same_site_which_judges_it() -> None:
    # Given a submission that went to austin, and was rejected there for all that is known here
    state = known(site("austin", h100=(8, 6)), site("dallas", h100=(8, 5)))
    assert destinations(state, ASKED) == ["austin"]
    # When it is sent again, though dallas has more to offer by now
    state, _ = step(AGENT, state, site("dallas", h100=(8, 8)))
    state, again = step(AGENT, state, replace(ASKED, at=5_000))
    # Then austin gets it again, and its stock counts it once
    assert [type(answer) for answer in again] == [sites.WorkloadSubmitted]
    assert isinstance(again[0], sites.WorkloadSubmitted)
    assert (again[0].site_id, again[0].at) == ("austin", 5_000)
    assert state.sites["austin"].gpus["H100"].free == 2
    # Also when austin has left the pool
    state, _ = step(AGENT, state, site("austin"))
    assert destinations(state, ASKED) == ["austin"]


def test_where_a_submission_went_is_recorded_and_not_chosen_again() -> None:
    # Given the answers of a version that chose otherwise
    state = known(site("austin", h100=(8, 6)), site("dallas", h100=(8, 5)))
    forwarded = step(AGENT, known(site("dallas", h100=(8, 5))), ASKED)[1][1]
    # When they are applied as recorded
    state = settle(AGENT, state, ASKED, [forwarded])
    # Then the submission is where it went
    assert destinations(state, ASKED) == ["dallas"]
    assert state.sites["dallas"].gpus["H100"].free == 1
    assert state.sites["austin"].gpus["H100"].free == 6


def test_a_site_that_leaves_the_pool_gets_no_more() -> None:
    state = known(site("austin", h100=(8, 8)), site("dallas", h100=(8, 1)))
    state, _ = step(AGENT, state, site("austin"))
    assert destinations(state, ASKED) == ["dallas"]
    state, _ = step(AGENT, state, site("dallas"))
    (answer,) = AGENT.decide(state, replace(ASKED, workload_id="w2"))
    assert isinstance(answer, intake.WorkloadQueued)
    assert answer.reason == "no_site"


@pytest.mark.parametrize(
    ("austin", "dallas", "chosen"),
    [
        ((8, 8, 0), (8, 4, 700), "dallas"),  # austin is curtailed to nothing
        ((8, 8, 0), (8, 3, 700), "austin"),  # neither starts it now: most free GPUs
        ((8, 8, 1), (8, 8, 9), "dallas"),  # equal: most power
        ((8, 8, 0), (3, 3, 9), "austin"),  # no power is no reason for a site too small
    ],
)
def test_sites_that_could_start_it_now_come_first(
    austin: tuple[int, int, int], dallas: tuple[int, int, int], chosen: str
) -> None:
    offers = {"austin": austin, "dallas": dallas}
    state = known(
        *(
            replace(site(name, h100=(total, free)), power_headroom_w=headroom_w)
            for name, (total, free, headroom_w) in offers.items()
        )
    )
    assert destinations(state, ASKED) == [chosen]


def test_the_same_id_for_something_else_is_refused() -> None:
    state, _ = step(AGENT, known(site("austin", h100=(8, 8))), ASKED)
    (answer,) = AGENT.decide(state, replace(ASKED, gpu_count=1))
    assert isinstance(answer, intake.InputRejected)
    assert (answer.subject, answer.reason) == ("w1", "workload_id_taken")


def test_only_a_bounded_number_of_submissions_is_remembered() -> None:
    state = known(site("austin", h100=(8, 8)))
    state.forwarded = {f"old-{n}": Forwarded("austin", "") for n in range(MAX_REMEMBERED)}
    state, _ = step(AGENT, state, ASKED)
    assert len(state.forwarded) == MAX_REMEMBERED
    assert "old-0" not in state.forwarded
    assert "w1" in state.forwarded


def test_a_pool_is_kept_while_it_knows_or_owes_anything() -> None:
    state, _ = step(AGENT, State(pool="default"), replace(ASKED, workload_id=""))
    assert not AGENT.retain(state)
    assert AGENT.retain(known(site("austin", h100=(1, 1))))
    state, _ = step(AGENT, State(pool="default"), ASKED)
    assert AGENT.retain(state), "it waits"
    state, _ = step(AGENT, known(site("austin", h100=(8, 8))), ASKED)
    state, _ = step(AGENT, state, site("austin"))
    assert AGENT.retain(state), "where a submission went must be known"


names = st.sampled_from(["a", "b", "c"])
counts = st.integers(-2, 9)
inputs: st.SearchStrategy[IntakeEvent] = st.one_of(
    st.builds(
        lambda name, total, free, queued: (
            site(name, h100=(total, free), queued=queued) if total else site(name)
        ),
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
                assert placed.setdefault(answer.workload_id, answer.site_id) == answer.site_id
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


@pytest.mark.parametrize("pool", ["", "a\0b", "\x1b[2J", "p" * 201])
def test_a_pool_that_no_site_could_name_is_rejected_and_not_kept(pool: str) -> None:
    state, answers = step(AGENT, AGENT.initial(pool), replace(ASKED, pool=pool))
    (rejected,) = answers
    assert isinstance(rejected, intake.WorkloadRejected)
    assert (rejected.reason, rejected.pool) == ("bad_pool", pool)
    assert not AGENT.retain(state)
