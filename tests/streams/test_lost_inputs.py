"""A log that another version wrote, of which this one does not understand every input.

The answers stand, and name units, workloads, contracts and curtailments that this version never
heard of. That must not end it: what it does not know it leaves out.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from schemas.topics import Event, topic_of
from streams.definition import Agent
from streams.recovery import restore
from streams.refusal import RefusedInput
from streams.routing.index import Index
from streams.routing.state import State
from tests.streams.routing.test_properties import index_content
from tests.streams.substrates import CODEC, everything
from tests.streams.test_verdicts import AGENTS, Company, never_asked

INPUTS = 250


@pytest.mark.parametrize("seed", range(6))
def test_no_answer_about_what_is_not_known_ends_an_agent(seed: int) -> None:
    company = Company(seed, INPUTS)
    company.live()
    for agent in AGENTS:
        pick = random.Random(seed)
        later = replace(
            agent,
            version="later",
            state_version="later",
            decide=never_asked,
            evolve=forgetful(agent, pick),
        )
        log = company.substrate.open()
        states = restore(later, 0, log, CODEC).processor.states
        for state in states.values():
            read = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=agent.state_type)
            assert msgspec.msgpack.encode(read) == msgspec.msgpack.encode(state)
            if isinstance(state, State):
                assert index_content(state.index) == index_content(Index(state))
        for record in everything(log, agent.log)[-40:]:  # and it goes on from there
            event = CODEC.decode(record.value)
            key = getattr(event, agent.log.key_field)
            agent.decide(states.get(key) or agent.initial(key), event)


def forgetful(agent: Agent[Any, Any], pick: random.Random) -> Callable[[Any, Any], Any]:
    """It loses a third of what producers and other agents said."""

    def evolve(state: Any, event: Event | RefusedInput[Any]) -> Any:  # noqa: ANN401
        said = event.input if isinstance(event, RefusedInput) else event
        is_own = agent.name in topic_of(type(said)).writers[type(said)]
        if not is_own and pick.random() < 0.33:
            return state
        return agent.evolve(state, event)

    return evolve
