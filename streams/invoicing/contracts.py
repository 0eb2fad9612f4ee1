"""Tariffs and contracts: made of events, and found for a usage."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from uuid import NAMESPACE_OID, uuid5

from schemas.events.accounts import ContractSigned, GpuPrice, TariffPublished
from streams.invoicing.state import Contract, Tariff

ANY_MODEL = "*"

ON_DEMAND = uuid5(NAMESPACE_OID, "hcp.accounts.v1.on-demand")
FALLBACK_PRICE = Decimal("0.80")
"""Dollars for a GPU-hour on demand, for usage that says no list price."""


def in_force(contracts: Mapping[str, Contract], customer_id: str, at: int) -> str:
    """The contract of a moment: the latest to have started, a signed one before the on-demand one.

    contracts: with the on-demand one, which starts in 1970
    """
    default = on_demand_id(customer_id, "contract")

    def rank(contract_id: str) -> tuple[int, bool, str]:
        return contracts[contract_id].starts_at, contract_id != default, contract_id

    started = (found for found, contract in contracts.items() if contract.starts_at <= at)
    return max(started, key=rank)


def on_demand(customer_id: str, *, at: int) -> tuple[TariffPublished, ContractSigned]:
    """The default: billed daily, energy passed through. In force when nothing else is, so also
    before the first contract that was signed starts.

    GPU time costs the list price it was placed at, so the customer pays what it was quoted and
    never more than the most it said it pays; the tariff's own price is a fallback.
    """
    tariff_id = on_demand_id(customer_id, "tariff")
    tariff = TariffPublished(
        customer_id=customer_id,
        at=at,
        tariff_id=tariff_id,
        effective_from=0,
        gpu_prices=(GpuPrice(gpu_model=ANY_MODEL, price_usd_per_gpu_hour=FALLBACK_PRICE),),
        energy_pass_through=True,
        energy_adder_usd_per_mwh=Decimal(0),
    )
    contract = ContractSigned(
        customer_id=customer_id,
        at=at,
        contract_id=on_demand_id(customer_id, "contract"),
        tariff_id=tariff_id,
        starts_at=0,
        billing_period="day",
        grace_s=3600,
        auto_finalize=True,
    )
    return tariff, contract


def on_demand_id(customer_id: str, what: str) -> str:
    """what: tariff or contract"""
    return str(uuid5(ON_DEMAND, f"{what}\n{customer_id}"))


def tariff_of(event: TariffPublished) -> Tariff:
    return Tariff(
        at_list_price=event.tariff_id == on_demand_id(event.customer_id, "tariff"),
        effective_from=event.effective_from,
        by_model={p.gpu_model: usd_micros(p.price_usd_per_gpu_hour) for p in event.gpu_prices},
        energy_pass_through=event.energy_pass_through,
        energy_adder=usd_micros(event.energy_adder_usd_per_mwh),
    )


def contract_of(event: ContractSigned) -> Contract:
    return Contract(
        tariff_id=event.tariff_id,
        starts_at=event.starts_at,
        billing_period=event.billing_period,
        grace_s=event.grace_s,
        auto_finalize=event.auto_finalize,
    )


def same_terms(contract: Contract, other: Contract) -> bool:
    """Whether two contracts say the same, whatever has been billed under them."""
    return _terms(contract) == _terms(other)


def usd_micros(price_usd: Decimal) -> int:
    """Exact for the six decimals that an event carries."""
    return int(price_usd.scaleb(6).to_integral_value(ROUND_HALF_UP))


def _terms(contract: Contract) -> tuple[str, int, str, int, bool]:
    return (
        contract.tariff_id,
        contract.starts_at,
        contract.billing_period,
        contract.grace_s,
        contract.auto_finalize,
    )
