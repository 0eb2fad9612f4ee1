"""Brokering, as the loop runs it."""

from __future__ import annotations

from typing import Any

from schemas.events.intake import IntakeEvent
from schemas.topics import INTAKE
from streams.brokering.decider import decide, retain
from streams.brokering.evolution import evolve
from streams.brokering.state import OPEN, State
from streams.definition import Agent


def _sites_that_were_believed(state: dict[str, Any]) -> dict[str, Any]:
    """From 2: every site counted as open, with all of its GPUs in service."""
    for site in state["sites"].values():
        site |= {"phase": OPEN, "at": None}
        for stock in site["gpus"].values():
            stock["registered"] = stock["total"]
    return state


AGENT: Agent[State, IntakeEvent] = Agent(
    name="brokering",
    version="most-free-4",
    log=INTAKE,
    state_type=State,
    initial=lambda pool: State(pool=pool),
    decide=decide,
    evolve=evolve,
    state_version="3",
    retain=retain,
    upcasters={"2": _sites_that_were_believed},
)
