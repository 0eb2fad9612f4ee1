"""Metering, as the loop runs it."""

from __future__ import annotations

from schemas.events.sites import SitesEvent
from schemas.topics import SITES
from streams.definition import Adviser, Agent
from streams.metering.decider import decide, left_out, retain
from streams.metering.evolution import evolve
from streams.metering.refusals import concerns, judge
from streams.metering.state import State

AGENT: Agent[State, SitesEvent] = Agent(
    name="metering",
    version="5",
    state_version="4",
    log=SITES,
    state_type=State,
    initial=lambda site_id: State(site_id=site_id),
    decide=decide,
    evolve=evolve,
    retain=retain,
    left_out=left_out,
    adviser=Adviser(authority="routing", concerns=concerns, judge=judge),
)
