"""Optimization, as the loop runs it."""

from __future__ import annotations

from schemas.events.sites import SitesEvent
from schemas.topics import SITES
from streams.definition import Adviser, Agent
from streams.optimization.decider import decide, retain
from streams.optimization.evolution import evolve
from streams.optimization.planning import POLICY_VERSION
from streams.optimization.refusals import concerns, judge
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
    state_version="3",
    adviser=Adviser(authority="routing", concerns=concerns, judge=judge),
)
