"""Customers, their tariffs and contracts. Who has a contract is a customer, enrolled or not."""

from __future__ import annotations

from projections.operations import Insert, Operation, Put, Table
from projections.record import LogRecord, ReadModel, moment
from schemas.events import accounts
from schemas.topics import ACCOUNTS

CUSTOMERS = Table("customers", key=("customer_id",), columns=("customer_id", "name", "since"))
TARIFFS = Table(
    "tariffs",
    key=("customer_id", "tariff_id"),
    columns=(
        *("customer_id", "tariff_id", "effective_from", "currency", "gpu_prices"),
        *("energy_pass_through", "energy_adder_usd_per_mwh"),
    ),
    json=frozenset({"gpu_prices"}),
)
CONTRACTS = Table(
    "contracts",
    key=("customer_id", "contract_id"),
    columns=(
        *("customer_id", "contract_id", "tariff_id", "starts_at", "billing_period"),
        *("grace_s", "auto_finalize", "signed_at"),
    ),
)


def operations(record: LogRecord) -> list[Operation]:
    match record.event:
        case accounts.CustomerEnrolled() as event:
            return [Put(CUSTOMERS, _customer(event, event.name))]
        case accounts.TariffPublished() as event:
            return [Insert(TARIFFS, _tariff(event))]
        case accounts.ContractSigned() as event:
            customer = Insert(CUSTOMERS, _customer(event, event.customer_id))
            return [customer, Put(CONTRACTS, _contract(event))]
        case _:
            return []


def _customer(
    event: accounts.CustomerEnrolled | accounts.ContractSigned, name: str
) -> dict[str, object]:
    return {"customer_id": event.customer_id, "name": name, "since": moment(event.at)}


def _tariff(event: accounts.TariffPublished) -> dict[str, object]:
    return {
        "customer_id": event.customer_id,
        "tariff_id": event.tariff_id,
        "effective_from": moment(event.effective_from),
        "currency": event.currency,
        "gpu_prices": [price.to_record() for price in event.gpu_prices],
        "energy_pass_through": event.energy_pass_through,
        "energy_adder_usd_per_mwh": event.energy_adder_usd_per_mwh,
    }


def _contract(event: accounts.ContractSigned) -> dict[str, object]:
    return {
        "customer_id": event.customer_id,
        "contract_id": event.contract_id,
        "tariff_id": event.tariff_id,
        "starts_at": moment(event.starts_at),
        "billing_period": event.billing_period,
        "grace_s": event.grace_s,
        "auto_finalize": event.auto_finalize,
        "signed_at": moment(event.at),
    }


READ_MODEL = ReadModel(
    name="customers",
    doc="Customers, their tariffs and contracts.",
    tables=(CUSTOMERS, TARIFFS, CONTRACTS),
    topics=(ACCOUNTS,),
    reads=frozenset({accounts.CustomerEnrolled, accounts.TariffPublished, accounts.ContractSigned}),
    operations=operations,
    owner=__name__,
)
