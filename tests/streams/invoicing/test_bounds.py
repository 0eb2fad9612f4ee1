"""The state holds what is open, not what is closed, and repeats stay repeats."""

from __future__ import annotations

import random

import msgspec
import pytest

from schemas.events import accounts
from schemas.events.accounts import AccountsEvent
from streams.invoicing.state import MAX_CONTRACTS, MAX_TARIFFS
from tests.streams.invoicing.account import (
    CUSTOMER,
    Folded,
    at,
    collected,
    contract,
    tariff,
    used,
)

DAYS = 400


def a_day(day: int, pick: random.Random) -> list[AccountsEvent]:
    """Usage of workloads that nobody saw before, on two sites; plano tells a day late at times."""
    events: list[AccountsEvent] = []
    for number in range(pick.randint(1, 6)):
        hour, site_id = pick.randint(0, 22), pick.choice(("plano", "odessa"))
        name = f"{day}-{number}"
        model = pick.choice(("H100", "H100", "TPU"))
        usage = used(
            name, start=at(day, hour, 30), workload_id=name, site_id=site_id, gpu_model=model
        )
        events.append(usage)
    events.append(collected(at(day + 1), site_id="odessa"))
    if pick.random() < 0.7:
        events.append(collected(at(day + 1)))
    if day % 30 == 0:
        events.append(tariff(f"t{day}", prices=[("*", "2")]))
    return events


def size(folded: Folded) -> int:
    """Of what is remembered apart from the terms, which are limited in number."""
    whole = msgspec.to_builtins(folded.state)
    return len(msgspec.msgpack.encode({**whole, "tariffs": {}, "contracts": {}}))


@pytest.mark.parametrize("period", ["hour", "day", "week"])
@pytest.mark.parametrize("seed", range(3))
def test_a_year_leaves_no_more_behind_than_a_month(seed: int, period: str) -> None:
    pick = random.Random(seed)
    folded = Folded().fold(tariff(), contract(period=period))
    seen: list[AccountsEvent] = []
    sizes: list[int] = []
    for day in range(1, DAYS):
        events = a_day(day, pick)
        seen += events
        folded.fold(*events)
        sizes.append(size(folded))
    assert max(sizes[60:]) <= 2 * max(sizes[:60])
    folded.fold(*(collected(at(DAYS + 20), site_id=site) for site in ("plano", "odessa")))
    folded.fold(*(collected(at(DAYS + 40), site_id=site) for site in ("plano", "odessa")))
    folded.fold(tariff("last", prices=[("*", "2")]))
    folded.fold(*(collected(at(DAYS + 80), site_id=site) for site in ("plano", "odessa")))
    state = folded.state
    assert (state.periods, state.drafts, state.recorded, state.held) == ({}, {}, {}, {})
    # everything that was ever said, said again: nothing of it is billed twice
    billed, reasons = len(folded.amounts), len(folded.reasons)
    before = msgspec.msgpack.encode(state)
    folded.fold(*seen)
    assert len(folded.amounts) == billed
    usages = sum(isinstance(event, accounts.UsageRecorded) for event in seen)
    assert len(folded.reasons) == reasons + usages
    assert msgspec.msgpack.encode(folded.state) == before


def test_terms_are_limited_in_number_and_on_demand_always_has_room() -> None:
    folded = Folded()
    for number in range(MAX_TARIFFS + 1):
        folded.fold(tariff(f"t{number}"))
    for number in range(MAX_CONTRACTS + 1):
        folded.fold(contract(f"c{number}", tariff_id="t0", starts_at=at(2, 0, number)))
    assert folded.reasons == ["too_many_tariffs", "too_many_contracts"]
    folded.fold(used(start=at(1), list_price="1.5"), used("u2", start=at(3)), collected(at(9)))
    assert folded.amounts == [1_500_000, 3_000_000]
    assert len(folded.state.contracts) == MAX_CONTRACTS + 1
    assert folded.state.customer_id == CUSTOMER
