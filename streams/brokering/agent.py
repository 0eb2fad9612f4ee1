"""Brokering, as the loop runs it."""

from __future__ import annotations

from schemas.events.intake import IntakeEvent
from schemas.topics import INTAKE
from streams.brokering.decider import decide, evolve, retain
from streams.brokering.state import State
from streams.definition import Agent

AGENT: Agent[State, IntakeEvent] = Agent(
    name="brokering",
    version="most-free-2",
    log=INTAKE,
    state_type=State,
    initial=lambda pool: State(pool=pool),
    decide=decide,
    evolve=evolve,
    state_version="2",
    retain=retain,
)
