"""Routing as the runtime runs it."""

from __future__ import annotations

from schemas.events.sites import SitesEvent
from schemas.topics import SITES
from streams.definition import Agent
from streams.routing.decider import decide, retain
from streams.routing.draft import AGENT as NAME
from streams.routing.draft import POLICY_VERSION
from streams.routing.evolution import evolve
from streams.routing.state import State


def watch(state: State, touched: dict[int, object]) -> None:
    """From now on each unit and workload that is changed in place is found in `touched`."""
    state.journal.touched = touched


AGENT: Agent[State, SitesEvent] = Agent(
    name=NAME,
    version=POLICY_VERSION,
    log=SITES,
    state_type=State,
    initial=State,
    decide=decide,
    evolve=evolve,
    state_version="4",
    retain=retain,
    large=("units", "workloads"),
    watch=watch,
)
