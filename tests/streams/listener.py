"""A small agent that reads another agent's answers: it hears of a repeat when one gets through."""

from __future__ import annotations

from dataclasses import dataclass, field

from schemas.events.accounts import UsageCollected
from schemas.events.sites import AlertRaised
from schemas.topics import SITES, Event
from streams.definition import Agent
from streams.refusal import RefusedInput


@dataclass
class Heard:
    site_id: str
    alerts: list[str] = field(default_factory=list)


def decide(state: Heard, event: Event) -> list[Event]:
    if not isinstance(event, AlertRaised):
        return []
    count = len(state.alerts) + 1
    return [
        UsageCollected(
            customer_id=f"customer-{count}",
            at=event.at,
            site_id=event.site_id,
            collected_until=event.at,
        )
    ]


def evolve(state: Heard, event: Event | RefusedInput[Event]) -> Heard:
    if isinstance(event, AlertRaised):
        state.alerts.append(event.alert_id)
    return state


LISTENER: Agent[Heard, Event] = Agent(
    name="metering",
    version="1",
    log=SITES,
    state_type=Heard,
    initial=Heard,
    decide=decide,
    evolve=evolve,
)
