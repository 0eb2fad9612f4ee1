"""A small agent that uses everything the loop offers, for tests of the loop.

Reads unit reports of a site. Answers a degraded unit with an alert on its own log (which its state
counts: the alerts come from the answers, not from the inputs), every report with an explanation on
another log, and every fourth report of a unit with nothing. Takes routing's name, because topics
know who may write what.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from schemas.events.decisions import DecisionExplained
from schemas.events.sites import AlertRaised, PowerPlanProposed, TimePassed, UnitReported
from schemas.topics import SITES, Event
from streams.app import run
from streams.definition import Agent
from streams.refusal import RefusedInput


@dataclass
class Ledger:
    """power_w: by unit, in the order of their first report."""

    site_id: str
    power_w: dict[str, int] = field(default_factory=dict)
    reports: dict[str, int] = field(default_factory=dict)
    alerts: list[str] = field(default_factory=list)
    plans: int = 0
    now: int = 0

    def __post_init__(self) -> None:
        self.total_w = sum(self.power_w.values())


def decide(state: Ledger, event: Event) -> list[Event]:
    if not isinstance(event, UnitReported):
        return []
    count = state.reports.get(event.unit_id, 0) + 1
    if count % 4 == 0:
        return []
    total_w = state.total_w - state.power_w.get(event.unit_id, 0) + event.power_w
    explained = DecisionExplained(
        site_id=event.site_id,
        at=event.at,
        decision_id=f"{event.unit_id}/{count}",
        agent="routing",
        policy_version="ledger",
        kind="cap",
        subject=event.unit_id,
        chosen=f"total={total_w} alerts={len(state.alerts)}",
        reason="",
        alternatives=(),
        power_price_usd_per_mwh=None,
        hashprice_usd_per_ph_day=None,
        value_usd_micros_per_hour=total_w,
        bound_usd_micros_per_hour=total_w,
    )
    if event.health != "degraded":
        return [explained]
    alert = AlertRaised(
        site_id=event.site_id,
        at=event.at,
        alert_id=f"alert-{len(state.alerts)}",
        kind="degraded",
        severity="warning",
        unit_id=event.unit_id,
        detail=f"plans={state.plans} order={list(state.power_w)}",
    )
    return [alert, explained]


def evolve(state: Ledger, event: Event | RefusedInput[Event]) -> Ledger:
    if isinstance(event, UnitReported):
        state.total_w += event.power_w - state.power_w.get(event.unit_id, 0)
        state.power_w[event.unit_id] = event.power_w
        state.reports[event.unit_id] = state.reports.get(event.unit_id, 0) + 1
    elif isinstance(event, AlertRaised):
        state.alerts = [*state.alerts, event.alert_id][-50:]
    elif isinstance(event, PowerPlanProposed):
        state.plans += 1
    elif isinstance(event, TimePassed):
        state.now = event.at
    return state


LEDGER: Agent[Ledger, Event] = Agent(
    name="routing",
    version="1",
    log=SITES,
    state_type=Ledger,
    initial=Ledger,
    decide=decide,
    evolve=evolve,
    retain=lambda state: bool(state.reports) or state.now > 0,
)


def louder(state: Ledger, event: Event) -> list[Event]:
    """Another version's decisions: the same answers in other words."""
    return [
        replace(answer, reason="louder") if isinstance(answer, DecisionExplained) else answer
        for answer in decide(state, event)
    ]


def unwritable(spoil: Callable[[DecisionExplained], Event]) -> Agent[Ledger, Event]:
    """The ledger with its explanations about unit u13 spoiled."""

    def spoiled(state: Ledger, event: Event) -> list[Event]:
        return [
            spoil(answer)
            if isinstance(answer, DecisionExplained) and answer.subject == "u13"
            else answer
            for answer in decide(state, event)
        ]

    return replace(LEDGER, decide=spoiled)


if __name__ == "__main__":
    sys.exit(run(LEDGER))
