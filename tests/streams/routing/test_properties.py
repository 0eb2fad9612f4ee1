"""Random sequences: what must hold whatever happens."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events.decisions import DecisionExplained
from schemas.events.sites import AlertRaised, SitesEvent
from schemas.topics import Event
from streams.definition import settle, step
from streams.routing.agent import AGENT
from streams.routing.index import Index
from streams.routing.state import State
from tests.streams.routing.arrivals import SITE, Arrivals
from tests.streams.routing.oracle import Oracle

SEEDS = range(20)
EVENTS_PER_SEED = 5_200
"""20 * 5,200 = 104,000 inputs in each run of the tests."""
CHECK_EVERY = 50


def encoded(state: State) -> bytes:
    return msgspec.msgpack.encode(state, order="deterministic")


def said(answers: Sequence[Event]) -> str:
    """Answers as text that differs when any field does."""
    return json.dumps(
        [[answer.FULL_NAME, answer.to_record()] for answer in answers], default=str, sort_keys=True
    )


def index_content(index: Index) -> dict[str, object]:
    """The index without the empty places that only history explains."""
    return {name: _without_empty(value) for name, value in vars(index).items()}


def _without_empty(value: object) -> object:
    if isinstance(value, dict):
        kept = {key: _without_empty(inner) for key, inner in value.items()}
        return {key: inner for key, inner in kept.items() if inner not in (0, [], {})}
    return value


def history(seed: int, length: int) -> Iterator[tuple[State, SitesEvent, list[Event]]]:
    """The state after, each input, and its answers. Arrivals react to what was answered."""
    arrivals, state = Arrivals(seed), State(SITE)
    opening = arrivals.opening()
    for number in range(length):
        event = opening[number] if number < len(opening) else arrivals.next()
        state, answers = step(AGENT, state, event)
        arrivals.saw(list(answers))
        yield state, event, list(answers)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_promise_is_broken_by_any_sequence(seed: int) -> None:
    arrivals, oracle, state = Arrivals(seed), Oracle(), State(SITE)
    opening = arrivals.opening()
    for number in range(EVENTS_PER_SEED):
        event = opening[number] if number < len(opening) else arrivals.next()
        checked = number % CHECK_EVERY == 0
        before = encoded(state) if checked else b""
        answers = AGENT.decide(state, event)
        if checked:
            assert encoded(state) == before, f"deciding about {event} changed the state"
            fresh = index_content(Index(state))
            assert index_content(state.index) == fresh, "the index differs from the state"
        state = settle(AGENT, state, event, answers)
        oracle.watch(event, answers)
        arrivals.saw(list(answers))
    assert oracle.placements > 100, "the sequence exercised too little"
    waiting_or_running = {*state.workloads}
    assert waiting_or_running == {*oracle.admitted}, "each workload ended once, or is still here"


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    restarts=st.lists(st.integers(0, 399), max_size=6, unique=True),
)
def test_a_restart_from_a_snapshot_changes_no_answer(seed: int, restarts: list[int]) -> None:
    restored: State | None = None
    for number, (state, event, answers) in enumerate(history(seed, 400)):
        if restored is not None:
            again = AGENT.decide(restored, event)
            assert said(again) == said(answers)
            restored = settle(AGENT, restored, event, again)
            assert encoded(restored) == encoded(state)
        if number in restarts:
            restored = msgspec.msgpack.decode(encoded(state), type=State)


def test_the_same_sequence_twice_gives_the_same_bytes() -> None:
    events = [event for _, event, _ in history(7, 1_000)]
    folds = []
    for _ in range(2):
        state, told = State(SITE), []
        for event in events:
            state, answers = step(AGENT, state, event)
            told.append(said(answers))
        folds.append((told, encoded(state)))
    assert folds[0] == folds[1]


def test_what_was_recorded_gives_the_state_that_was_decided() -> None:
    """Folding the log's own answers, without `decide`, is how a new version rebuilds its state."""
    recorded = State(SITE)
    for state, event, answers in history(11, 1_000):
        recorded = settle(AGENT, recorded, event, answers)
        assert recorded.sequence == state.sequence
    assert encoded(recorded) == encoded(state)


def test_ids_of_decisions_never_repeat() -> None:
    ids: list[str] = []
    for _, _, answers in history(3, 1_500):
        ids += [answer.decision_id for answer in answers if isinstance(answer, DecisionExplained)]
        ids += [answer.alert_id for answer in answers if isinstance(answer, AlertRaised)]
    assert len(set(ids)) == len(ids) > 200
