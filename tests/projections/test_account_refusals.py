"""What invoicing refused is no tariff, no contract and no customer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest

from schemas.events import accounts
from schemas.topics import Event
from tests.projections.conftest import Stack
from tests.projections.story import START, Said


@dataclass
class Account:
    """A customer of a test's own. batch: records in one transaction."""

    stack: Stack
    customer_id: str
    batch: int

    def say(self, event: Event) -> Said:
        return self.stack.story.report(event)

    def refuse(self, said: Said) -> None:
        refused = accounts.InputRejected(
            customer_id=self.customer_id,
            at=START,
            rejected_type=said.envelope.type,
            subject="s",
            reason="refused",
            detail="No.",
        )
        self.stack.story.answer("invoicing", said, refused)

    def tariff(self, currency: str = "USD", price: str = "2.5") -> accounts.TariffPublished:
        return accounts.TariffPublished(
            customer_id=self.customer_id,
            at=START,
            tariff_id="tA",
            effective_from=START,
            currency=currency,
            gpu_prices=(
                accounts.GpuPrice(gpu_model="H100", price_usd_per_gpu_hour=Decimal(price)),
            ),
            energy_pass_through=False,
            energy_adder_usd_per_mwh=Decimal(0),
        )

    def contract(self, tariff_id: str = "tA") -> accounts.ContractSigned:
        return accounts.ContractSigned(
            customer_id=self.customer_id,
            at=START,
            contract_id="k",
            tariff_id=tariff_id,
            starts_at=START,
            billing_period="day",
            grace_s=3600,
        )

    def shown(self, columns: str, view: str) -> list[tuple[Any, ...]]:
        self.stack.publish()
        self.stack.project(batch=self.batch)
        where = f"customer_id = '{self.customer_id}'"
        return self.stack.query(f"SELECT {columns} FROM {view} WHERE {where}")


@pytest.fixture(params=[100, 1], ids=["together", "apart"])
def account(stack: Stack, request: pytest.FixtureRequest) -> Account:
    stack.project()
    return Account(stack, f"{request.node.originalname}-{request.param}", request.param)


def test_a_refused_tariff_gives_way_to_the_accepted_one(account: Account) -> None:
    account.refuse(account.say(account.tariff(currency="EUR")))
    assert account.shown("tariff_id", "tariffs") == []
    account.say(account.tariff())
    assert account.shown("currency", "tariffs") == [("USD",)]
    account.refuse(account.say(account.tariff(price="0.1")))  # its prices never change
    assert account.shown("price_usd_per_gpu_hour", "analytics.gpu_prices") == [(Decimal("2.5"),)]


def test_a_refused_contract_is_none_and_makes_no_customer(account: Account) -> None:
    account.refuse(account.say(account.contract(tariff_id="unknown")))
    assert account.shown("contract_id", "contracts") == []
    assert account.shown("customer_id", "customers") == []


def test_a_refused_contract_leaves_the_accepted_one(account: Account) -> None:
    account.say(account.tariff())
    account.say(account.contract())
    account.refuse(account.say(account.contract(tariff_id="tB")))
    assert account.shown("contract_id, tariff_id", "analytics.contracts") == [("k", "tA")]
    assert account.shown("name", "customers") == [(account.customer_id,)]


def test_contracts_of_the_same_name_are_one_row_each_customer(account: Account) -> None:
    other = replace(account, customer_id=f"{account.customer_id}-other")
    account.say(account.contract())
    other.say(other.contract(tariff_id="tB"))
    assert account.shown("tariff_id", "contracts") == [("tA",)]
    assert other.shown("tariff_id", "contracts") == [("tB",)]


def test_a_customer_has_the_name_it_enrolled_with_last(account: Account) -> None:
    account.say(account.contract())
    for day, name in enumerate(("First", "Second"), start=1):
        at = START + day * 86_400_000
        account.say(accounts.CustomerEnrolled(customer_id=account.customer_id, at=at, name=name))
    assert account.shown("name, extract(epoch FROM since)", "customers") == [
        ("Second", START // 1000)
    ]
