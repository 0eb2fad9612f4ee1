"""A recorded usage: rated, and told from one that was recorded before.

The loop drops an answer of metering that comes again (`cause` marks), so the same usage gets here
twice only if metering decided about it twice, which no version of it may. A bill should not depend
on that, and needs no ids for it: metering records each meter of a placement in ascending time,
without overlap, and nothing behind its watermark. So what starts before the end of the last, or
before the site's watermark, was recorded before, or contradicts what was.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple, TypedDict

from schemas.events.accounts import AccountsEvent, UsageHeld, UsageRated, UsageRecorded
from streams.invoicing.contracts import ANY_MODEL, usd_micros
from streams.invoicing.cutting import Piece
from streams.invoicing.invoices import LIST_PRICE, TARIFF, billing_period
from streams.invoicing.rating import energy, gpu_time
from streams.invoicing.state import Contract, State, Tariff

UNITS = {"gpu_time": "gpu_us", "energy": "wh"}
"""Every meter, and the unit it counts in."""


class Rate(NamedTuple):
    """by: TARIFF or LIST_PRICE"""

    by: str
    amount_usd_micros: int


def rate(usage: UsageRecorded, quantity: int, tariff: Tariff) -> Rate | None:
    """What so much of a usage costs: the one rule. None: nobody has said a price for it.

    GPU time costs what the tariff says for its model, and where the tariff does not name the model
    the list price that the customer was quoted; on demand it costs that price first.
    """
    if usage.meter == "energy":
        power_price = usage.price_usd_per_mwh
        amount = energy.amount_usd_micros(
            quantity,
            None if power_price is None else usd_micros(power_price),
            pass_through=tariff.energy_pass_through,
            adder_usd_micros_per_mwh=tariff.energy_adder,
        )
        return Rate(TARIFF, amount)
    agreed = tariff.by_model.get(usage.gpu_model, tariff.by_model.get(ANY_MODEL))
    quoted = usage.list_price_usd_per_gpu_hour
    if quoted is not None and (tariff.at_list_price or agreed is None):
        return Rate(LIST_PRICE, gpu_time.amount_usd_micros(quantity, usd_micros(quoted)))
    return None if agreed is None else Rate(TARIFF, gpu_time.amount_usd_micros(quantity, agreed))


class Common(TypedDict):
    """What every word about a piece of usage says, whether it has a price or not."""

    customer_id: str
    at: int
    usage_id: str
    site_id: str
    workload_id: str
    placement_id: str
    meter: str
    interval_start: int
    interval_end: int
    contract_id: str
    quantity: int
    unit: str


def common(usage: UsageRecorded, piece: Piece) -> Common:
    return Common(
        customer_id=usage.customer_id,
        at=usage.at,
        usage_id=usage.usage_id,
        site_id=usage.site_id,
        workload_id=usage.workload_id,
        placement_id=usage.placement_id,
        meter=usage.meter,
        interval_start=piece.start,
        interval_end=piece.end,
        contract_id=piece.contract_id,
        quantity=piece.quantity,
        unit=usage.unit,
    )


def rated(
    usage: UsageRecorded, piece: Piece, contract: Contract, tariff_id: str, found: Rate
) -> UsageRated:
    period_start, _ = billing_period(contract, piece.start)
    return UsageRated(
        **common(usage, piece),
        tariff_id=tariff_id,
        amount_usd_micros=found.amount_usd_micros,
        period_start=period_start,
        priced_by=found.by,
    )


def completed(usage: AccountsEvent, rating: AccountsEvent) -> AccountsEvent:
    """A rating from before it named the placement and the end, with those of the usage it answers;
    every other answer as it is."""
    if not isinstance(rating, UsageRated) or not isinstance(usage, UsageRecorded):
        return rating
    if rating.placement_id is not None:
        return rating
    return replace(rating, placement_id=usage.placement_id, interval_end=usage.interval_end)


def recorded_until(state: State, usage: UsageRecorded) -> int:
    """Up to when this meter of this placement was rated, as far as its site's watermark has not
    passed that."""
    by_placement = state.recorded.get(usage.site_id, {}).get(usage.meter, {})
    return by_placement.get(usage.placement_id, 0)


def remember(state: State, said: UsageRated | UsageHeld) -> None:
    """What starts before the watermark is refused for that, and needs no remembering.

    Raises ValueError for an old rating without its usage: `completed` gives it what it lacks.
    """
    if said.placement_id is None or said.interval_end is None:
        raise ValueError(f"the rating of {said.usage_id} does not name its placement")
    if said.interval_end <= state.watermarks.get(said.site_id, 0):
        return
    by_placement = state.recorded.setdefault(said.site_id, {}).setdefault(said.meter, {})
    until = by_placement.get(said.placement_id, 0)
    by_placement[said.placement_id] = max(until, said.interval_end)


def forget(state: State, site_id: str, watermark: int) -> None:
    """What the watermark refuses anyway."""
    by_meter = state.recorded.get(site_id, {})
    for meter, by_placement in list(by_meter.items()):
        for placement_id in [p for p, ends_at in by_placement.items() if ends_at <= watermark]:
            del by_placement[placement_id]
        if not by_placement:
            del by_meter[meter]
    if not by_meter:
        state.recorded.pop(site_id, None)
