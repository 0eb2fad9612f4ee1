"""Customers, their tariffs and contracts.

Every tariff and contract is kept with its place in the log, and of those under one id of a customer
the first that invoicing did not refuse counts, as it does for billing. Who has such a contract is a
customer, enrolled or not (view `customers`).
"""

from __future__ import annotations

from projections.operations import Operation, Put, Table, Update
from projections.record import LogRecord, ReadModel, moment
from schemas.envelope import Cause
from schemas.events import accounts
from schemas.topics import ACCOUNTS

ENROLMENTS = Table(
    "customer_enrolments",
    key=("partition", "offset"),
    columns=("partition", "offset", "customer_id", "name", "enrolled_at"),
)
TARIFFS = Table(
    "tariff_publications",
    key=("partition", "offset"),
    columns=(
        *("partition", "offset", "customer_id", "tariff_id", "effective_from", "currency"),
        *("gpu_prices", "energy_pass_through", "energy_adder_usd_per_mwh", "rejected"),
    ),
    json=frozenset({"gpu_prices"}),
)
CONTRACTS = Table(
    "contract_signatures",
    key=("partition", "offset"),
    columns=(
        *("partition", "offset", "customer_id", "contract_id", "tariff_id", "starts_at"),
        *("billing_period", "grace_s", "auto_finalize", "signed_at", "rejected"),
    ),
)


def operations(record: LogRecord) -> list[Operation]:
    match record.event:
        case accounts.CustomerEnrolled() as event:
            return [Put(ENROLMENTS, _enrolment(record, event))]
        case accounts.TariffPublished() as event:
            return [Put(TARIFFS, _tariff(record, event))]
        case accounts.ContractSigned() as event:
            return [Put(CONTRACTS, _contract(record, event))]
        case accounts.InputRejected():
            cause = record.envelope.cause
            return _refused(cause) if cause else []
        case _:
            return []


def _refused(cause: Cause) -> list[Operation]:
    """Only one of them holds what that record said."""
    place = (cause.partition, cause.offset)
    return [Update(table, place, {"rejected": True}) for table in (TARIFFS, CONTRACTS)]


def _enrolment(record: LogRecord, event: accounts.CustomerEnrolled) -> dict[str, object]:
    return {
        "partition": record.partition,
        "offset": record.offset,
        "customer_id": event.customer_id,
        "name": event.name,
        "enrolled_at": moment(event.at),
    }


def _tariff(record: LogRecord, event: accounts.TariffPublished) -> dict[str, object]:
    return {
        "partition": record.partition,
        "offset": record.offset,
        "customer_id": event.customer_id,
        "tariff_id": event.tariff_id,
        "effective_from": moment(event.effective_from),
        "currency": event.currency,
        "gpu_prices": [price.to_record() for price in event.gpu_prices],
        "energy_pass_through": event.energy_pass_through,
        "energy_adder_usd_per_mwh": event.energy_adder_usd_per_mwh,
        "rejected": False,
    }


def _contract(record: LogRecord, event: accounts.ContractSigned) -> dict[str, object]:
    return {
        "partition": record.partition,
        "offset": record.offset,
        "customer_id": event.customer_id,
        "contract_id": event.contract_id,
        "tariff_id": event.tariff_id,
        "starts_at": moment(event.starts_at),
        "billing_period": event.billing_period,
        "grace_s": event.grace_s,
        "auto_finalize": event.auto_finalize,
        "signed_at": moment(event.at),
        "rejected": False,
    }


READ_MODEL = ReadModel(
    name="customers",
    doc="Customers, their tariffs and contracts.",
    tables=(ENROLMENTS, TARIFFS, CONTRACTS),
    topics=(ACCOUNTS,),
    reads=frozenset(
        {
            accounts.CustomerEnrolled,
            accounts.TariffPublished,
            accounts.ContractSigned,
            accounts.InputRejected,
        }
    ),
    operations=operations,
    owner=__name__,
)
