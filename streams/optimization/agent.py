"""Optimization, as the loop runs it."""

from __future__ import annotations

from schemas.events.sites import SitesEvent
from schemas.topics import SITES
from streams.definition import Agent
from streams.optimization.decider import decide, evolve, retain
from streams.optimization.planning import POLICY_VERSION
from streams.optimization.state import State

AGENT: Agent[State, SitesEvent] = Agent(
    name="optimization",
    version=POLICY_VERSION,
    log=SITES,
    state_type=State,
    initial=lambda site_id: State(site_id=site_id),
    decide=decide,
    evolve=evolve,
    retain=retain,
    state_version="2",
)
