"""Decisions with their alternatives, and alerts."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from gateway import alert_queries, queries
from gateway.context import Gateway
from gateway.database import Row
from gateway.endpoints import Call, NoBody, Query, get
from gateway.errors import NotFound
from gateway.pages import Order, Page, PageQuery
from gateway.values import Flag, Money, Number, Text, Time, money, optional_money

TAG = "decisions"
NEWEST_ALERT = Order("alerts", raised_at=datetime, alert_id=str)


class Alternative(BaseModel):
    label: str
    feasible: bool
    reason: str
    value_per_hour: Money
    power_w: int


class Decision(BaseModel):
    """`bound_per_hour`: no decision could have earned more than this."""

    decision_id: str
    site_id: str
    at: Time
    agent: str
    policy_version: str
    kind: str
    subject: str
    chosen: str
    reason: str
    alternatives: list[Alternative] = Field(description="The chosen one first")
    power_price_usd_per_mwh: Number | None
    hashprice_usd_per_ph_day: Number | None
    value_per_hour: Money
    bound_per_hour: Money | None

    @classmethod
    def of(cls, row: Row) -> Decision:
        alternatives = [
            {**item, "value_per_hour": money(item["value_usd_micros_per_hour"])}
            for item in row["alternatives"]
        ]
        return cls.model_validate(
            {
                **row,
                "alternatives": alternatives,
                "value_per_hour": money(row["value_usd_micros_per_hour"]),
                "bound_per_hour": optional_money(row["bound_usd_micros_per_hour"]),
            }
        )


class Alert(BaseModel):
    alert_id: str
    site_id: str | None = Field(description="Null where it is about a topic")
    kind: str
    severity: str
    unit_id: str | None
    workload_id: str | None
    detail: str
    raised_at: Time
    cleared_at: Time | None
    clear_reason: str | None


class AlertsQuery(PageQuery):
    order = NEWEST_ALERT

    site_id: Text | None = None
    active: Flag | None = Field(default=None, description="Not cleared")


async def read_decision(gateway: Gateway, call: Call[Query, NoBody]) -> Decision:
    decision_id = call.path["decision_id"]
    row = await queries.decision(gateway.database, decision_id)
    if row is None:
        raise NotFound(f"There is no decision {decision_id}.")
    return Decision.of(row)


async def list_alerts(gateway: Gateway, call: Call[AlertsQuery, NoBody]) -> Page[Alert]:
    query = call.query
    rows = await alert_queries.alerts(
        gateway.database,
        query.limit,
        NEWEST_ALERT.after(query),
        site_id=query.site_id,
        active=query.active,
    )
    return NEWEST_ALERT.page(rows, query.limit, Alert.model_validate)


ENDPOINTS = (
    get(
        "/decisions/{decision_id:path}",
        read_decision,
        query=Query,
        answer=Decision,
        summary="One decision, with what was not chosen",
        tag=TAG,
    ),
    get(
        "/alerts",
        list_alerts,
        query=AlertsQuery,
        answer=Page[Alert],
        summary="What needs, or needed, a person; newest first",
        tag=TAG,
    ),
)
