"""Events of hcp.decisions.v1. Generated from `schemas/avro/decisions`: do not edit."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

Record = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """One thing the decision could have been.

    label: The alternative, for example place on feeder-a
    feasible: Whether it could be done
    reason: Why it was or was not chosen
    value_usd_micros_per_hour: What it would earn: AI revenue plus mining revenue less power,
        against leaving things as they were
    power_w: Power it would add (negative: give back)
    """

    label: str
    feasible: bool
    reason: str
    value_usd_micros_per_hour: int
    power_w: int

    def to_record(self) -> Record:
        return {
            "label": self.label,
            "feasible": self.feasible,
            "reason": self.reason,
            "value_usd_micros_per_hour": self.value_usd_micros_per_hour,
            "power_w": self.power_w,
        }

    @classmethod
    def from_record(cls, record: Record) -> Alternative:
        return cls(
            label=record["label"],
            feasible=record["feasible"],
            reason=record["reason"],
            value_usd_micros_per_hour=record["value_usd_micros_per_hour"],
            power_w=record["power_w"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionExplained:
    """Why an agent decided what it decided, with what it did not choose.

    site_id: The site
    at: The site's clock
    decision_id: The decision
    agent: Who decided
    policy_version: The rules it used
    kind: placement, queueing, requeueing, power_plan, curtailment or cap
    subject: The workload, plan or curtailment
    chosen: The label of the alternative chosen
    reason: A sentence for people
    alternatives: Considered, the chosen one first
    power_price_usd_per_mwh: In force
    hashprice_usd_per_ph_day: In force
    value_usd_micros_per_hour: What was chosen earns
    bound_usd_micros_per_hour: No decision could have earned more than this
    """

    FULL_NAME: ClassVar[str] = "hcp.decisions.v1.DecisionExplained"

    site_id: str
    at: int
    decision_id: str
    agent: str
    policy_version: str
    kind: str
    subject: str
    chosen: str
    reason: str
    alternatives: tuple[Alternative, ...]
    power_price_usd_per_mwh: Decimal | None = None
    hashprice_usd_per_ph_day: Decimal | None = None
    value_usd_micros_per_hour: int
    bound_usd_micros_per_hour: int | None = None

    def to_record(self) -> Record:
        return {
            "site_id": self.site_id,
            "at": self.at,
            "decision_id": self.decision_id,
            "agent": self.agent,
            "policy_version": self.policy_version,
            "kind": self.kind,
            "subject": self.subject,
            "chosen": self.chosen,
            "reason": self.reason,
            "alternatives": [item.to_record() for item in self.alternatives],
            "power_price_usd_per_mwh": self.power_price_usd_per_mwh,
            "hashprice_usd_per_ph_day": self.hashprice_usd_per_ph_day,
            "value_usd_micros_per_hour": self.value_usd_micros_per_hour,
            "bound_usd_micros_per_hour": self.bound_usd_micros_per_hour,
        }

    @classmethod
    def from_record(cls, record: Record) -> DecisionExplained:
        return cls(
            site_id=record["site_id"],
            at=record["at"],
            decision_id=record["decision_id"],
            agent=record["agent"],
            policy_version=record["policy_version"],
            kind=record["kind"],
            subject=record["subject"],
            chosen=record["chosen"],
            reason=record["reason"],
            alternatives=tuple(Alternative.from_record(item) for item in record["alternatives"]),
            power_price_usd_per_mwh=record["power_price_usd_per_mwh"],
            hashprice_usd_per_ph_day=record["hashprice_usd_per_ph_day"],
            value_usd_micros_per_hour=record["value_usd_micros_per_hour"],
            bound_usd_micros_per_hour=record["bound_usd_micros_per_hour"],
        )


DecisionsEvent = (
    DecisionExplained
)

EVENTS: tuple[type[DecisionsEvent], ...] = (
    DecisionExplained,
)
