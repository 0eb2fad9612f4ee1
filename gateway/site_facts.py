"""Rows of the read models as the facts that the naive policies are told. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from gateway.database import Row
from gateway.price_series import PriceSeries
from gateway.site_hours import (
    ON_DEMAND,
    Configured,
    Curtailed,
    Fact,
    Job,
    JobEnded,
    Terms,
    TermsBook,
    Timed,
    UnitsChanged,
    timed,
)
from gateway.values import MICROS, to_ms

# Invoicing names the contract and the tariff of a customer who signed none so, for all readers.
_ON_DEMAND_IDS = uuid5(NAMESPACE_OID, "hcp.accounts.v1.on-demand")


def on_demand_id(customer_id: str, what: str) -> str:
    """what: tariff or contract"""
    return str(uuid5(_ON_DEMAND_IDS, f"{what}\n{customer_id}"))


def site_facts(
    configurations: Iterable[Row], unit_changes: Iterable[Row], curtailments: Iterable[Row]
) -> list[Timed]:
    """What the site was and may, over all time."""
    facts: list[tuple[int, Fact]] = []
    newest = 0
    for row in configurations:
        newest = max(newest, to_ms(row["at"]))  # one never comes before an earlier one
        facts.append((newest, _configured(row)))
    facts += [(to_ms(row["at"]), _units_changed(row)) for row in unit_changes]
    return timed([*facts, *_levels(curtailments)])


def job_facts(queued: Iterable[Row], ended: Iterable[Row]) -> list[Timed]:
    facts: list[tuple[int, Fact]] = [(to_ms(row["queued_at"]), _job(row)) for row in queued]
    facts += [(to_ms(row["ended_at"]), _job_ended(row)) for row in ended]
    return timed(facts)


def terms_book(contracts: Iterable[Row]) -> TermsBook:
    by_customer: dict[str, list[tuple[int, bool, str, Terms]]] = defaultdict(list)
    for row in contracts:
        customer_id, contract_id = row["customer_id"], row["contract_id"]
        signed = contract_id != on_demand_id(customer_id, "contract")
        ranked = to_ms(row["starts_at"]), signed, contract_id, _terms(row)
        by_customer[customer_id].append(ranked)
    return TermsBook({customer: _in_turn(ranked) for customer, ranked in by_customer.items()})


def power_series(rows: Iterable[Row]) -> PriceSeries:
    """No price is zero, as for the actuals: energy without a price costs nothing yet."""
    steps = {to_ms(row["starts_at"]): micros(row["price_usd_per_mwh"] or 0) for row in rows}
    return PriceSeries({0: 0, **steps}.items())


def hash_series(rows: Iterable[Row]) -> PriceSeries:
    steps = {to_ms(row["interval_start"]): micros(row["hashprice_usd_per_ph_day"]) for row in rows}
    return PriceSeries({0: 0, **steps}.items())


def micros(amount: Decimal | str | int) -> int:
    return int(Decimal(str(amount)) * MICROS)


def _configured(row: Row) -> Configured:
    return Configured(
        power_cap_w=row["power_cap_w"],
        feeder_caps_w={feeder["feeder_id"]: feeder["power_cap_w"] for feeder in row["feeders"]},
        list_prices=_prices(row["gpu_prices"]),
    )


def _units_changed(row: Row) -> UnitsChanged:
    return UnitsChanged(
        feeder_id=row["feeder_id"],
        kind=row["kind"],
        model=row["model"],
        power_w=row["power_w"],
        hashrate_ths=row["hashrate_ths"],
        count=row["count"],
    )


def _levels(curtailments: Iterable[Row]) -> list[tuple[int, Fact]]:
    """The lowest of those that hold, whenever it changes."""
    spans = [
        (to_ms(row["starts_at"]), to_ms(row["ends_at"]), row["max_power_w"]) for row in curtailments
    ]
    starts: dict[int, list[int]] = defaultdict(list)
    ends: dict[int, list[int]] = defaultdict(list)
    for start, end, level in spans:
        if start < end:
            starts[start].append(level)
            ends[end].append(level)
    facts: list[tuple[int, Fact]] = []
    holding: list[int] = []
    for moment in sorted({*starts, *ends}):
        for level in ends.get(moment, ()):
            holding.remove(level)
        holding += starts.get(moment, ())
        facts.append((moment, Curtailed(min(holding, default=None))))
    return facts


def _job(row: Row) -> Job:
    most = row["max_price_usd_per_gpu_hour"]
    return Job(
        workload_id=row["workload_id"],
        customer_id=row["customer_id"],
        gpu_model=row["gpu_model"],
        gpu_count=row["gpu_count"],
        gpu_milli=row["gpu_milli"],
        duration_ms=row["duration_s"] * 1000,
        max_price=None if most is None else micros(most),
    )


def _job_ended(row: Row) -> JobEnded:
    if row["state"] == "cancelled":
        return JobEnded(row["workload_id"], None)
    return JobEnded(row["workload_id"], to_ms(row["ended_at"]) - to_ms(row["started_at"]))


def _terms(row: Row) -> Terms:
    if row["tariff_id"] == on_demand_id(row["customer_id"], "tariff"):
        return ON_DEMAND
    adder = micros(row["energy_adder_usd_per_mwh"]) if row["energy_pass_through"] else None
    return Terms(prices=_prices(row["gpu_prices"]), energy_adder=adder)


def _in_turn(contracts: list[tuple[int, bool, str, Terms]]) -> tuple[tuple[int, Terms], ...]:
    """Of several that start at one moment a signed one counts, as invoicing chooses; before the
    first the customer is on demand."""
    found: list[tuple[int, Terms]] = [(0, ON_DEMAND)]
    for starts_ms, _, _, terms in sorted(contracts, key=lambda contract: contract[:3]):
        if found and found[-1][0] == starts_ms:
            found.pop()
        if not found or found[-1][1] != terms:
            found.append((starts_ms, terms))
    return tuple(found)


def _prices(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    return {row["gpu_model"]: micros(row["price_usd_per_gpu_hour"]) for row in rows}
