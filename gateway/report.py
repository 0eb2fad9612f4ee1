"""The report: what happened so far, and what three naive policies would have made of it.

Money and energy cover exactly the hours that are settled, site by site, without the hour in which a
site came up; HCP's own figures are what its agents metered and rated. The naive policies are
simulated over the same hours (comparison.py). A long history takes them a while after a start; so
they, and HCP beside them, cover the hours that they have come to.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, Field

from gateway import report_queries as queries
from gateway.comparison import Compared, Comparisons, Span
from gateway.database import Database, Row
from gateway.site_hours import POLICIES, Outcome
from gateway.values import Money, Number, Time, money

KEPT_FOR_S = 5.0
MAX_KEPT = 64
WH_PER_MWH = 1_000_000


class WorkloadCounts(BaseModel):
    """`placed` counts every workload that was ever placed; the states count where each is now."""

    submitted: int
    placed: int
    queued: int
    switching: int
    running: int
    completed: int
    cancelled: int
    failed: int
    rejected: int


class FeederEnergy(BaseModel):
    site_id: str
    feeder_id: str
    energy_mwh: Number
    ai_energy_mwh: Number = Field(description="Of it by GPUs")
    mining_energy_mwh: Number = Field(description="Of it by ASICs")


class RefusedUsage(BaseModel):
    """Usage that invoicing refused: nobody pays it."""

    site_id: str
    reason: str
    count: int


class BillingDifference(BaseModel):
    """What came too late for a bill that stands: a price, or metered energy."""

    site_id: str
    reason: str
    count: int
    energy_mwh: Number = Field(description="Billed at another price, or on no bill")
    difference: Money = Field(description="What the energy costs more at the late prices")


class Profit(BaseModel):
    ai_revenue: Money = Field(description="As rated, with the energy that is passed through")
    mining_revenue: Money
    power_cost: Money = Field(description="Of all energy, AI and mining")
    profit: Money


class PolicyProfit(Profit):
    policy: Literal["hcp", "always_mine", "ai_first", "strike_2_up_4_down"]


class InvoiceCounts(BaseModel):
    """Of the whole platform: an invoice may bill several sites. `total` adds up both states."""

    drafted: int
    finalized: int
    total: Money


class SiteClock(BaseModel):
    site_id: str
    now: Time | None


class ReportedHours(BaseModel):
    site_id: str
    start: Time = Field(alias="from", description="The hour after the site came up")
    until: Time = Field(alias="to", description="End of its last settled hour")
    compared_until: Time | None = Field(
        alias="compared_to",
        description="`policies` covers its hours up to here: before `to` while the simulation of a "
        "long history is under way, null when it has just begun",
    )


class Report(BaseModel):
    start: Time | None = Field(
        alias="from", description="The hour after a site came up; null before any"
    )
    until: Time | None = Field(alias="to", description="End of the last settled hour")
    hours: list[ReportedHours] = Field(description="Site by site; energy and profit cover these")
    workloads: WorkloadCounts = Field(description="So far")
    energy: list[FeederEnergy]
    unbilled_ai_energy_mwh: Number = Field(
        description="Drawn by GPUs and in no rated usage: idle, failed switches, refused usage. "
        "Its cost is in the cost of power"
    )
    refused_usage: list[RefusedUsage]
    billing_differences: list[BillingDifference] = Field(
        description="In `profit` (late prices, late meters) and on no invoice"
    )
    profit: Profit
    policies: list[PolicyProfit] = Field(
        description="All over the same hours, `from` to `compared_to` of each site; hcp first"
    )
    invoices: InvoiceCounts
    clock: list[SiteClock]


class Reports:
    """Whoever asks for the same while it is being made gets the same, and for a moment after."""

    def __init__(self, database: Database, patience_s: float) -> None:
        """patience_s: how long a report waits for the simulation"""
        self._database = database
        self._patience_s = patience_s
        self.comparisons = Comparisons(database)
        self._kept: dict[str | None, tuple[float, Report]] = {}
        self._making: dict[str | None, asyncio.Task[Report]] = {}

    async def report(self, site_id: str | None, sites: Iterable[Row]) -> Report:
        """sites: those it is about, for their clocks."""
        made, report = self._kept.get(site_id, (0.0, None))
        if report is not None and time.monotonic() - made <= KEPT_FOR_S:
            return report
        task = self._making.get(site_id)
        if task is None:
            task = asyncio.create_task(self._make(site_id, list(sites)), name="report")
            self._making[site_id] = task
            task.add_done_callback(lambda done: self._made(site_id, done))
        return await asyncio.shield(task)

    async def close(self) -> None:
        tasks = list(self._making.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.comparisons.close()

    def _made(self, site_id: str | None, task: asyncio.Task[Report]) -> None:
        del self._making[site_id]
        if task.cancelled() or task.exception() is not None:
            return
        if len(self._kept) >= MAX_KEPT:
            self._kept.clear()
        self._kept[site_id] = (time.monotonic(), task.result())

    async def _make(self, site_id: str | None, sites: list[Row]) -> Report:
        by_id = {row["site_id"]: row for row in sites}
        spans = [
            Span(row["site_id"], row["came_up"], row["start"], row["until"])
            for row in await queries.settled_spans(self._database, site_id)
            if row["site_id"] in by_id
        ]
        invoices = await queries.invoice_counts(self._database)
        energy = [row for span in spans for row in await self._energy(span)]
        ai_mwh = sum((row.ai_energy_mwh for row in energy), Decimal(0))
        return Report.model_validate(
            {
                "from": min((span.start for span in spans), default=None),
                "to": max((span.until for span in spans), default=None),
                "workloads": await queries.workload_counts(self._database, site_id),
                "energy": energy,
                "unbilled_ai_energy_mwh": ai_mwh - await self._billed_mwh(spans),
                "refused_usage": [
                    row
                    for span in spans
                    for row in await queries.refused_usage(
                        self._database, span.site_id, span.start, span.until
                    )
                ],
                "billing_differences": [
                    {
                        **row,
                        "energy_mwh": _mwh(row["energy_wh"]),
                        "difference": money(row["difference_usd_micros"]),
                    }
                    for span in spans
                    for row in await queries.billing_differences(
                        self._database, span.site_id, span.start, span.until
                    )
                ],
                **await self._money(spans),
                "invoices": {**invoices, "total": money(invoices["total"])},
                "clock": [{"site_id": name, "now": row["now"]} for name, row in by_id.items()],
            }
        )

    async def _energy(self, span: Span) -> list[FeederEnergy]:
        return [
            FeederEnergy(
                site_id=span.site_id,
                feeder_id=row["feeder_id"],
                energy_mwh=_mwh(row["energy_wh"]),
                ai_energy_mwh=_mwh(row["ai_energy_wh"]),
                mining_energy_mwh=_mwh(row["mining_energy_wh"]),
            )
            for row in await queries.feeder_energy(
                self._database, span.site_id, span.start, span.until
            )
        ]

    async def _billed_mwh(self, spans: Iterable[Span]) -> Decimal:
        found = [
            await queries.billed_energy(self._database, span.site_id, span.start, span.until)
            for span in spans
        ]
        return _mwh(sum(found))

    async def _money(self, spans: list[Span]) -> dict[str, Any]:
        """HCP over all settled hours, and beside the naive policies over the hours of those."""
        compared = await self.comparisons.compare(spans, self._patience_s)
        actual = beside = Outcome()
        for span in spans:
            whole = await self._actual(span, span.until)
            actual += whole
            reached = compared.get(span.site_id)
            if reached is not None:
                same = reached.until == span.until
                beside += whole if same else await self._actual(span, reached.until)
        return {
            "hours": [_hours(span, compared.get(span.site_id)) for span in spans],
            "profit": Profit(**_amounts(actual)),
            "policies": _policies(beside, compared.values()),
        }

    async def _actual(self, span: Span, until: datetime) -> Outcome:
        return Outcome(**await queries.profit(self._database, span.site_id, span.start, until))


def _hours(span: Span, compared: Compared | None) -> ReportedHours:
    return ReportedHours.model_validate(
        {
            "site_id": span.site_id,
            "from": span.start,
            "to": span.until,
            "compared_to": compared.until if compared else None,
        }
    )


def _policies(hcp: Outcome, compared: Iterable[Compared]) -> list[PolicyProfit]:
    """Sites added up."""
    naive = dict.fromkeys(POLICIES, Outcome())
    for site in compared:
        for policy, outcome in site.outcomes.items():
            naive[policy] += outcome
    return [
        PolicyProfit(policy="hcp", **_amounts(hcp)),
        *(PolicyProfit(policy=policy, **_amounts(outcome)) for policy, outcome in naive.items()),
    ]


def _mwh(energy_wh: int) -> Decimal:
    return Decimal(energy_wh) / WH_PER_MWH


def _amounts(outcome: Outcome) -> dict[str, Money]:
    return {
        "ai_revenue": money(outcome.ai_revenue),
        "mining_revenue": money(outcome.mining_revenue),
        "power_cost": money(outcome.power_cost),
        "profit": money(outcome.profit),
    }
