"""An account in few words: one customer, days of one month, folded as the loop folds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeVar

from schemas.events import accounts
from schemas.events.accounts import AccountsEvent
from schemas.topics import Event
from streams.definition import step
from streams.invoicing.agent import AGENT
from streams.invoicing.state import State
from streams.quantities import DAY_MS, HOUR_MS

CUSTOMER = "acme"
SITE = "plano"
MONTH = 1_717_200_000_000  # 2024-06-01T00:00Z, a Saturday
GPU_HOUR = 3_600_000_000

A = TypeVar("A")


def at(day: int, hour: int = 0, minute: int = 0) -> int:
    """day: of the month, from 1"""
    return MONTH + (day - 1) * DAY_MS + hour * HOUR_MS + minute * 60_000


def used(
    usage_id: str = "u1",
    *,
    start: int,
    end: int | None = None,
    quantity: int = GPU_HOUR,
    meter: str = "gpu_time",
    unit: str | None = None,
    gpu_model: str = "H100",
    workload_id: str = "w1",
    site_id: str = SITE,
    price: str | None = None,
    list_price: str | None = None,
    said: int | None = None,
) -> accounts.UsageRecorded:
    end = start + HOUR_MS if end is None else end
    return accounts.UsageRecorded(
        customer_id=CUSTOMER,
        at=end if said is None else said,
        usage_id=usage_id,
        site_id=site_id,
        workload_id=workload_id,
        placement_id=f"p-{workload_id}",
        meter=meter,
        gpu_model=gpu_model,
        interval_start=start,
        interval_end=end,
        quantity=quantity,
        unit=unit or ("gpu_us" if meter == "gpu_time" else "wh"),
        price_usd_per_mwh=None if price is None else Decimal(price),
        list_price_usd_per_gpu_hour=None if list_price is None else Decimal(list_price),
    )


def collected(
    until: int, *, site_id: str = SITE, said: int | None = None, corrected: bool = False
) -> AccountsEvent:
    return accounts.UsageCollected(
        customer_id=CUSTOMER,
        at=until if said is None else said,
        site_id=site_id,
        collected_until=until,
        corrected=corrected,
    )


def tariff(
    tariff_id: str = "t1",
    *,
    prices: Sequence[tuple[str, str]] = (("H100", "3"),),
    effective_from: int = 0,
    currency: str = "USD",
    pass_through: bool = True,
    adder: str = "5",
) -> accounts.TariffPublished:
    return accounts.TariffPublished(
        customer_id=CUSTOMER,
        at=MONTH,
        tariff_id=tariff_id,
        effective_from=effective_from,
        currency=currency,
        gpu_prices=tuple(
            accounts.GpuPrice(gpu_model=model, price_usd_per_gpu_hour=Decimal(price))
            for model, price in prices
        ),
        energy_pass_through=pass_through,
        energy_adder_usd_per_mwh=Decimal(adder),
    )


def contract(
    contract_id: str = "c1",
    *,
    tariff_id: str = "t1",
    starts_at: int = MONTH,
    period: str = "day",
    grace_s: int = 3600,
    auto_finalize: bool = True,
) -> accounts.ContractSigned:
    return accounts.ContractSigned(
        customer_id=CUSTOMER,
        at=MONTH,
        contract_id=contract_id,
        tariff_id=tariff_id,
        starts_at=starts_at,
        billing_period=period,
        grace_s=grace_s,
        auto_finalize=auto_finalize,
    )


@dataclass
class Folded:
    """A state, and everything that was said on the way to it."""

    state: State = field(default_factory=lambda: AGENT.initial(CUSTOMER))
    answers: list[Event] = field(default_factory=list)

    def fold(self, *events: AccountsEvent) -> Folded:
        for event in events:
            self.state, answers = step(AGENT, self.state, event)
            self.answers += answers
        return self

    def said(self, event_type: type[A]) -> list[A]:
        return [answer for answer in self.answers if isinstance(answer, event_type)]

    @property
    def amounts(self) -> list[int]:
        return [rated.amount_usd_micros for rated in self.said(accounts.UsageRated)]

    @property
    def reasons(self) -> list[str]:
        return [rejected.reason for rejected in self.said(accounts.InputRejected)]

    @property
    def invoices(self) -> list[accounts.InvoiceDrafted]:
        return self.said(accounts.InvoiceDrafted)


def signed() -> Folded:
    """A customer with a daily contract: $3 an H100-hour, energy with $5 added."""
    return Folded().fold(tariff(), contract())
