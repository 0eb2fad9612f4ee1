"""A recorded usage: rated, and told from its repeats."""

from __future__ import annotations

import hashlib

from schemas.events.accounts import UsageRated, UsageRecorded
from streams.invoicing.contracts import ANY_MODEL, usd_micros
from streams.invoicing.periods import period_at
from streams.invoicing.rating import energy, gpu_time
from streams.invoicing.state import Contract, Heard, State, Tariff

UNITS = {"gpu_time": "gpu_us", "energy": "wh"}
"""Every meter, and the unit it counts in."""


def rate(usage: UsageRecorded, tariff: Tariff) -> int | None:
    """Micro-dollars. None: the tariff has no price for it."""
    if usage.meter == "gpu_time":
        price = _gpu_price(usage, tariff)
        return None if price is None else gpu_time.amount_usd_micros(usage.quantity, price)
    power_price = usage.price_usd_per_mwh
    return energy.amount_usd_micros(
        usage.quantity,
        None if power_price is None else usd_micros(power_price),
        pass_through=tariff.energy_pass_through,
        adder_usd_micros_per_mwh=tariff.energy_adder,
    )


def _gpu_price(usage: UsageRecorded, tariff: Tariff) -> int | None:
    quoted = usage.list_price_usd_per_gpu_hour
    if tariff.at_list_price and quoted is not None:
        return usd_micros(quoted)
    return tariff.by_model.get(usage.gpu_model, tariff.by_model.get(ANY_MODEL))


def rated(usage: UsageRecorded, contract_id: str, contract: Contract, amount: int) -> UsageRated:
    return UsageRated(
        customer_id=usage.customer_id,
        at=usage.at,
        usage_id=usage.usage_id,
        site_id=usage.site_id,
        workload_id=usage.workload_id,
        meter=usage.meter,
        interval_start=usage.interval_start,
        contract_id=contract_id,
        tariff_id=contract.tariff_id,
        quantity=usage.quantity,
        unit=usage.unit,
        amount_usd_micros=amount,
    )


def heard(usage: UsageRecorded) -> Heard:
    return Heard(
        usage_id=usage.usage_id,
        site_id=usage.site_id,
        day=period_at("day", usage.interval_end)[0],
        digest=_digest(usage),
    )


def seen_as(state: State, usage_id: str) -> int | None:
    """The digest under which a usage was rated, if it was."""
    for by_day in state.seen.values():
        for digests in by_day.values():
            if usage_id in digests:
                return digests[usage_id]
    return None


def _digest(usage: UsageRecorded) -> int:
    """Of everything but when it was said."""
    content = (
        usage.site_id,
        usage.workload_id,
        usage.placement_id,
        usage.meter,
        usage.gpu_model,
        usage.interval_start,
        usage.interval_end,
        usage.quantity,
        usage.unit,
        *(
            None if price is None else usd_micros(price)
            for price in (usage.price_usd_per_mwh, usage.list_price_usd_per_gpu_hour)
        ),
    )
    return int.from_bytes(hashlib.blake2b(repr(content).encode(), digest_size=8).digest(), "big")
