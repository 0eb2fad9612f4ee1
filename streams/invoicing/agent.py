"""Invoicing, as the loop runs it."""

from __future__ import annotations

from schemas.events.accounts import AccountsEvent
from schemas.topics import ACCOUNTS
from streams.definition import Agent
from streams.invoicing.decider import decide
from streams.invoicing.evolution import evolve, retain
from streams.invoicing.state import State, upcast_2
from streams.invoicing.usage import completed

AGENT: Agent[State, AccountsEvent] = Agent(
    name="invoicing",
    version="4",
    state_version="3",
    log=ACCOUNTS,
    state_type=State,
    initial=lambda customer_id: State(customer_id=customer_id),
    decide=decide,
    evolve=evolve,
    retain=retain,
    completed=completed,
    upcasters={"2": upcast_2},
)
