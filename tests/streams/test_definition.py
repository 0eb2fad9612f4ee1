"""What an agent may be."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from schemas.topics import SITES, Event
from streams.definition import Agent, step
from tests.streams.ledger import LEDGER, Ledger
from tests.streams.reports import report


@dataclass
class Inner:
    names: list[frozenset[str]] = field(default_factory=list)


@dataclass
class WithSet:
    site_id: str
    inner: dict[str, Inner | None] = field(default_factory=dict)


def ignore(_state: WithSet, _event: Event) -> list[Event]:
    return []


def keep(state: WithSet, _event: object) -> WithSet:
    return state


def test_a_state_with_a_set_anywhere_inside_is_refused() -> None:
    with pytest.raises(TypeError, match="holds a set"):
        Agent(
            name="routing",
            version="1",
            log=SITES,
            state_type=WithSet,
            initial=WithSet,
            decide=ignore,
            evolve=keep,
        )


def test_a_step_applies_the_input_and_the_answers_on_the_own_log() -> None:
    state, answers = step(LEDGER, Ledger("site-a"), report(1, health="degraded"))
    assert len(answers) == 2
    assert state.reports == {"u0": 1}
    assert state.alerts == ["alert-0"]
