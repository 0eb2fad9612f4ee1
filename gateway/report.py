"""The report: what happened so far, and what three naive policies would have made of it.

Money and energy cover exactly the hours that are complete (`from` to `to`), site by site, without
the hour in which a site came up; HCP's own
figures are what its agents metered and rated, and the naive policies are simulated over the same
hours with the same prices and tariffs (naive_policies.py).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, Field

from gateway import report_queries as queries
from gateway.database import Database, Row
from gateway.naive_policies import simulate_all
from gateway.price_series import PriceSeries
from gateway.site_hours import AsicGroup, GpuGroup, Job, Outcome, Policy, SiteHours
from gateway.values import MICROS, Money, Number, Time, money, to_ms

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


class Report(BaseModel):
    start: Time | None = Field(
        alias="from", description="The hour after a site came up; null before any"
    )
    until: Time | None = Field(alias="to", description="End of the last complete hour")
    workloads: WorkloadCounts
    energy: list[FeederEnergy]
    unbilled_ai_energy_mwh: Number = Field(
        description="Drawn by GPUs and in no rated usage: idle, failed switches, refused usage. "
        "Its cost is in the cost of power"
    )
    refused_usage: list[RefusedUsage]
    profit: Profit
    policies: list[PolicyProfit] = Field(description="The same hours; hcp first")
    invoices: InvoiceCounts
    clock: list[SiteClock]


@dataclass(frozen=True, slots=True)
class _Span:
    """came_up: start of the hour in which the site came up, which is not counted."""

    site_id: str
    came_up: datetime
    start: datetime
    until: datetime


class Reports:
    """One report is made at a time, and kept for a moment: asking often costs no more than once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = asyncio.Lock()
        self._kept: dict[str | None, tuple[float, Report]] = {}

    async def report(self, site_id: str | None, sites: Iterable[Row]) -> Report:
        """sites: those it is about, for their clocks."""
        async with self._lock:
            made, report = self._kept.get(site_id, (0.0, None))
            if report is None or time.monotonic() - made > KEPT_FOR_S:
                report = await self._make(site_id, sites)
                if len(self._kept) >= MAX_KEPT:
                    self._kept.clear()
                self._kept[site_id] = (time.monotonic(), report)
            return report

    async def _make(self, site_id: str | None, sites: Iterable[Row]) -> Report:
        by_id = {row["site_id"]: row for row in sites}
        spans = [
            _Span(row["site_id"], row["came_up"], row["start"], row["until"])
            for row in await queries.settled_spans(self._database, site_id)
            if row["site_id"] in by_id
        ]
        invoices = await queries.invoice_counts(self._database)
        tariffs = {row["customer_id"]: row for row in await queries.newest_tariffs(self._database)}
        actual, energy, refused, hours = Outcome(), [], [], []
        billed_wh = 0
        for span in spans:
            values = (self._database, span.site_id, span.start, span.until)
            actual += Outcome(**await queries.profit(*values))
            energy += [
                FeederEnergy(
                    site_id=span.site_id,
                    feeder_id=row["feeder_id"],
                    energy_mwh=_mwh(row["energy_wh"]),
                    ai_energy_mwh=_mwh(row["ai_energy_wh"]),
                    mining_energy_mwh=_mwh(row["mining_energy_wh"]),
                )
                for row in await queries.feeder_energy(*values)
            ]
            billed_wh += await queries.billed_energy(*values)
            refused += await queries.refused_usage(*values)
            hours.append(await self._site_hours(span, by_id[span.site_id], tariffs))
        naive = await asyncio.to_thread(simulate_all, hours)
        return Report.model_validate(
            {
                "from": min((span.start for span in spans), default=None),
                "to": max((span.until for span in spans), default=None),
                "workloads": await queries.workload_counts(self._database, site_id),
                "energy": energy,
                "unbilled_ai_energy_mwh": sum((row.ai_energy_mwh for row in energy), Decimal(0))
                - _mwh(billed_wh),
                "refused_usage": refused,
                "profit": Profit(**_amounts(actual)),
                "policies": _policies(actual, naive),
                "invoices": {**invoices, "total": money(invoices["total"])},
                "clock": [{"site_id": name, "now": row["now"]} for name, row in by_id.items()],
            }
        )

    async def _site_hours(self, span: _Span, site: Row, tariffs: Mapping[str, Row]) -> SiteHours:
        database, site_id, until = self._database, span.site_id, span.until
        caps = {feeder["feeder_id"]: feeder["power_cap_w"] for feeder in site["feeders"]}
        groups = [
            row
            for row in await queries.unit_groups(database, site_id)
            if row["feeder_id"] in caps and row["power_w"] > 0
        ]
        gpus = tuple(_gpu_group(row) for row in groups if row["kind"] == "gpu")
        models = sorted({group.model for group in gpus})
        list_prices = _prices(site["gpu_prices"])
        return SiteHours(
            start_ms=to_ms(span.came_up),
            counts_from_ms=to_ms(span.start),
            end_ms=to_ms(until),
            power_cap_w=site["power_cap_w"],
            feeder_caps_w=caps,
            asics=tuple(
                _asic_group(row) for row in groups if row["kind"] == "asic" and row["hashrate_ths"]
            ),
            gpus=gpus,
            power_prices=_series(
                await queries.power_price_steps(database, site_id, until), "price_usd_per_mwh"
            ),
            hash_prices=_series(
                await queries.hash_price_steps(database, site_id, until),
                "hashprice_usd_per_ph_day",
            ),
            jobs=tuple(
                _job(row, tariffs.get(row["customer_id"]), list_prices, models)
                for row in await queries.submissions(database, site_id, until)
            ),
            curtailments=tuple(
                (to_ms(row["starts_at"]), to_ms(row["ends_at"]), row["max_power_w"])
                for row in await queries.curtailment_spans(database, site_id, until)
            ),
        )


def _mwh(energy_wh: int) -> Decimal:
    return Decimal(energy_wh) / WH_PER_MWH


def _job(row: Row, tariff: Row | None, list_prices: dict[str, int], models: list[str]) -> Job:
    """A customer without a contract pays list prices and the energy, as invoicing would sign it."""
    wanted = [row["gpu_model"]] if row["gpu_model"] else models
    paid = list_prices | (_prices(tariff["gpu_prices"]) if tariff else {})
    most = row["max_price_usd_per_gpu_hour"]
    prices = {
        model: paid[model]
        for model in wanted
        if model in paid and (most is None or list_prices.get(model, 0) <= _micros(most))
    }
    duration_ms = row["duration_s"] * 1000
    if row["state"] in {"completed", "failed"} and row["started_at"] is not None:
        duration_ms = to_ms(row["ended_at"]) - to_ms(row["started_at"])
    return Job(
        workload_id=row["workload_id"],
        submitted_ms=to_ms(row["submitted_at"]),
        gpu_count=row["gpu_count"],
        gpu_milli=row["gpu_milli"],
        duration_ms=max(1, duration_ms),
        prices=prices,
        leaves_ms=to_ms(row["ended_at"]) if row["state"] == "cancelled" else None,
        energy_adder_usd_micros_per_mwh=_adder(tariff),
    )


def _adder(tariff: Row | None) -> int | None:
    if tariff is None:
        return 0
    return _micros(tariff["energy_adder_usd_per_mwh"]) if tariff["energy_pass_through"] else None


def _prices(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    return {row["gpu_model"]: _micros(row["price_usd_per_gpu_hour"]) for row in rows}


def _series(rows: Iterable[Row], column: str) -> PriceSeries:
    return PriceSeries((to_ms(row["interval_start"]), _micros(row[column])) for row in rows)


def _micros(amount: Decimal | str | int) -> int:
    return int(Decimal(str(amount)) * MICROS)


def _asic_group(row: Row) -> AsicGroup:
    return AsicGroup(
        feeder_id=row["feeder_id"],
        count=row["count"],
        power_w=row["power_w"],
        hashrate_ths=row["hashrate_ths"],
    )


def _gpu_group(row: Row) -> GpuGroup:
    return GpuGroup(
        feeder_id=row["feeder_id"], model=row["model"], count=row["count"], power_w=row["power_w"]
    )


def _policies(actual: Outcome, naive: Mapping[Policy, Outcome]) -> list[PolicyProfit]:
    return [
        PolicyProfit(policy="hcp", **_amounts(actual)),
        *(PolicyProfit(policy=policy, **_amounts(outcome)) for policy, outcome in naive.items()),
    ]


def _amounts(outcome: Outcome) -> dict[str, Money]:
    return {
        "ai_revenue": money(outcome.ai_revenue),
        "mining_revenue": money(outcome.mining_revenue),
        "power_cost": money(outcome.power_cost),
        "profit": money(outcome.profit),
    }
