"""Brokering: what waits for a site, when it goes, and what its times are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import intake, sites
from schemas.events.intake import GpuAvailability, IntakeEvent, SiteSummarized, WorkloadSubmitted
from schemas.topics import Event
from streams.brokering import decider, waiting
from streams.brokering.agent import AGENT
from streams.brokering.state import State
from streams.definition import step
from streams.site_inputs import MAX_JUMP_MS
from tests.streams.brokering.test_decider import ASKED

MAY_2024 = 1_714_521_600_000
TODAY = 1_795_000_000_000  # a wall clock, years from the scenario's time


def test_what_comes_before_any_site_waits_and_goes_when_one_reports() -> None:
    state, answers = step(AGENT, State(pool="default"), replace(ASKED, at=TODAY))
    (queued,) = answers
    assert isinstance(queued, intake.WorkloadQueued)
    assert (queued.reason, queued.workload_id) == ("no_site", "w1")
    state, answers = step(AGENT, state, site("austin", h100=(8, 8)))
    assert [type(answer) for answer in answers] == [
        sites.WorkloadSubmitted,
        intake.WorkloadForwarded,
    ]
    assert isinstance(answers[0], sites.WorkloadSubmitted)
    assert answers[0] == sites.WorkloadSubmitted.from_record(
        {**without_pool(ASKED), "site_id": "austin", "at": MAY_2024}
    ), "in the site's time"
    assert not state.waiting
    assert state.sites["austin"].gpus["H100"].free == 4


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        ([], "no_site"),
        ([("austin", "preparing", (3, 3, 3))], "site_preparing"),
        ([("austin", "preparing", None)], "site_preparing"),
        ([("austin", "open", (3, 3, 8))], "gpus_out_of_service"),
        ([("austin", "open", (3, 3, 3)), ("dallas", "preparing", None)], "site_preparing"),
    ],
)
def test_what_may_change_by_itself_is_waited_for(
    known: Sequence[tuple[str, str, tuple[int, int, int] | None]], reason: str
) -> None:
    state = State(pool="default")
    for site_id, phase, h100 in known:
        state, _ = step(AGENT, state, offer(site_id, phase, h100))
    _, (answer,) = step(AGENT, state, ASKED)
    assert isinstance(answer, intake.WorkloadQueued)
    assert answer.reason == reason
    assert answer.detail


def test_it_is_rejected_when_every_site_has_told_and_none_has_enough() -> None:
    state, _ = step(AGENT, State(pool="default"), replace(ASKED, at=TODAY))
    state, (answer,) = step(AGENT, state, offer("austin", "preparing", (1, 1, 1)))
    assert isinstance(answer, intake.WorkloadQueued)
    assert (answer.reason, answer.rank) == ("site_preparing", 0)
    state, (rejected,) = step(AGENT, state, offer("austin", "open", (3, 3, 3)))
    assert isinstance(rejected, intake.WorkloadRejected)
    assert rejected.reason == "too_many_gpus"
    assert (rejected.at, rejected.submitted_at) == (MAY_2024, MAY_2024)
    assert not state.waiting


def test_they_go_most_urgent_first_then_by_arrival() -> None:
    state = State(pool="default")
    for workload_id, priority in (("b", 0), ("a", 0), ("urgent", 9)):
        event = replace(ASKED, workload_id=workload_id, priority=priority)
        state, _ = step(AGENT, state, event)
    _, answers = step(AGENT, state, site("austin", h100=(8, 8)))
    assert sent(answers) == ["urgent", "b", "a"]


def test_a_repeat_stays_one_and_other_content_is_refused() -> None:
    state, _ = step(AGENT, State(pool="default"), ASKED)
    state, again = step(AGENT, state, replace(ASKED, at=5_000))
    assert again == []
    _, (refused,) = step(AGENT, state, replace(ASKED, gpu_count=1))
    assert isinstance(refused, intake.InputRejected)
    assert refused.reason == "workload_id_taken"
    _, answers = step(AGENT, state, site("austin", h100=(8, 8)))
    assert sent(answers) == ["w1"]


def test_a_cancelled_one_never_goes_even_when_it_is_sent_again() -> None:
    state, _ = step(AGENT, State(pool="default"), ASKED)
    state, (released,) = step(AGENT, state, cancelled("w1"))
    assert isinstance(released, intake.WorkloadReleased)
    assert (released.outcome, released.customer_id) == ("cancelled", "acme")
    state, answers = step(AGENT, state, site("austin", h100=(8, 8)))
    assert answers == []
    state, answers = step(AGENT, state, ASKED)
    assert answers == []
    _, answers = step(AGENT, state, cancelled("w1"))
    assert answers == [], "it is over: an ordinary race"


def test_a_cancellation_follows_what_has_gone_to_a_site() -> None:
    state, _ = step(AGENT, State(pool="default"), site("austin", h100=(8, 8)))
    state, _ = step(AGENT, state, ASKED)
    _, (answer,) = step(AGENT, state, replace(cancelled("w1"), at=TODAY))
    assert answer == sites.WorkloadCancelled(
        site_id="austin", at=MAY_2024, workload_id="w1", cancelled_by="bob", reason="no need"
    )
    _, (refused,) = step(AGENT, state, cancelled("nobody"))
    assert isinstance(refused, intake.InputRejected)
    assert refused.reason == "unknown_workload"


def test_at_the_bound_the_newest_is_refused_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decider, "MAX_WAITING", 2)
    state = State(pool="default")
    for workload_id in ("a", "b", "c"):
        state, answers = step(AGENT, state, replace(ASKED, workload_id=workload_id))
    (rejected,) = answers
    assert isinstance(rejected, intake.WorkloadRejected)
    assert rejected.reason == "queue_full"
    assert list(state.waiting) == ["a", "b"]


def test_a_bounded_pass_is_not_overtaken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "MAX_MOVED", 2)
    state = State(pool="default")
    for workload_id in ("a", "b", "c"):
        state, _ = step(AGENT, state, replace(ASKED, workload_id=workload_id))
    state, answers = step(AGENT, state, site("austin", h100=(80, 80)))
    assert sent(answers) == ["a", "b"]
    state, (queued,) = step(AGENT, state, replace(ASKED, workload_id="d"))
    assert isinstance(queued, intake.WorkloadQueued)
    assert queued.reason == "behind_others"
    _, answers = step(AGENT, state, site("austin", h100=(80, 72)))
    assert sent(answers) == ["c", "d"]


@pytest.mark.parametrize(
    ("claimed", "told"),
    [
        (MAY_2024 + 5_000, MAY_2024 + 5_000),
        (MAY_2024 - MAX_JUMP_MS, MAY_2024 - MAX_JUMP_MS),
        (MAY_2024 + MAX_JUMP_MS + 1, MAY_2024),
        (TODAY, MAY_2024),
    ],
)
def test_a_time_that_cannot_be_the_sites_is_replaced_by_the_sites(claimed: int, told: int) -> None:
    state, _ = step(AGENT, State(pool="default"), site("austin", h100=(8, 8)))
    _, answers = step(AGENT, state, replace(ASKED, at=claimed))
    assert [answer.at for answer in answers] == [told, told]


def test_a_snapshot_of_before_is_read_and_its_sites_are_believed() -> None:
    plain = {
        "pool": "default",
        "sites": {
            "austin": {"gpus": {"H100": {"total": 3, "free": 3}}, "queued": 0, "headroom_w": 9}
        },
        "forwarded": {"w0": {"site_id": "austin", "digest": "d"}},
    }
    state = msgspec.convert(AGENT.upcasters["2"](plain), State)
    assert state.forwarded["w0"].site_id == "austin"
    (answer,) = AGENT.decide(state, ASKED)
    assert isinstance(answer, intake.WorkloadRejected)
    assert answer.reason == "too_many_gpus"


names = st.sampled_from(["a", "b"])
phases = st.sampled_from(["", "preparing", "open", "left"])
counts = st.integers(0, 6)
inputs: st.SearchStrategy[IntakeEvent] = st.one_of(
    st.builds(
        lambda name, phase, total, extra: offer(name, phase, (total, total, total + extra)),
        *(names, phases, counts, st.integers(0, 2)),
    ),
    st.builds(
        lambda number, count, priority: replace(
            ASKED, workload_id=f"w{number}", gpu_count=count, priority=priority
        ),
        *(st.integers(0, 5), st.integers(1, 5), st.integers(0, 2)),
    ),
    st.builds(lambda number: cancelled(f"w{number}"), st.integers(0, 5)),
)


@given(st.lists(inputs, max_size=40))
def test_every_submission_waits_went_or_ended_and_only_once(events: list[IntakeEvent]) -> None:
    state = State(pool="default")
    went: Counter[str] = Counter()
    for event in events:
        before = repr(state)
        assert AGENT.decide(state, event) == AGENT.decide(state, event)
        assert repr(state) == before, "deciding changes nothing"
        state, answers = step(AGENT, state, event)
        went += Counter(a.workload_id for a in answers if isinstance(a, intake.WorkloadForwarded))
        ended = [a for a in answers if isinstance(a, intake.WorkloadRejected)]
        if isinstance(event, WorkloadSubmitted):
            known = event.workload_id in state.waiting or event.workload_id in state.forwarded
            assert known or ended, "acknowledged, and lost"
        assert not set(state.waiting) & set(state.forwarded)
    assert all(number == 1 for number in went.values())
    saved = msgspec.msgpack.encode(state)
    assert msgspec.msgpack.decode(saved, type=State) == state


def site(site_id: str, *, h100: tuple[int, int]) -> SiteSummarized:
    return offer(site_id, "open", (*h100, h100[0]))


def offer(site_id: str, phase: str, h100: tuple[int, int, int] | None) -> SiteSummarized:
    """h100: healthy, free and registered"""
    gpus: dict[str, Any] = {}
    if h100 is not None:
        gpus = dict(zip(("total", "free", "registered"), h100, strict=True))
    return SiteSummarized(
        pool="default",
        at=MAY_2024,
        site_id=site_id,
        gpus=(GpuAvailability(gpu_model="H100", **gpus),) if gpus else (),
        queued=0,
        power_headroom_w=9,
        phase=phase,
    )


def cancelled(workload_id: str) -> intake.WorkloadCancelled:
    return intake.WorkloadCancelled(
        pool="default", at=1, workload_id=workload_id, cancelled_by="bob", reason="no need"
    )


def sent(answers: Sequence[Event]) -> list[str]:
    return [a.workload_id for a in answers if isinstance(a, sites.WorkloadSubmitted)]


def without_pool(event: WorkloadSubmitted) -> dict[str, Any]:
    return {name: value for name, value in event.to_record().items() if name != "pool"}
