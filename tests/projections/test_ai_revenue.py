"""What a rating comes to by the hour, to the micro-dollar and the watt-hour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.ai_revenue import MAX_HOURS, operations
from projections.operations import Add
from projections.record import HOUR_MS, moment
from schemas.events.accounts import UsageRated
from tests.projections.given import record
from tests.streams.invoicing.account import at, collected, contract, signed, tariff, used

MINUTE_MS = 60_000


def rating(
    start: int, end: int | None, micros: int, *, meter: str = "gpu_time", quantity: int = 1
) -> UsageRated:
    return UsageRated(
        customer_id="acme",
        at=start,
        usage_id="u1",
        site_id="plano",
        workload_id="w1",
        meter=meter,
        interval_start=start,
        interval_end=end,
        contract_id="c1",
        tariff_id="t1",
        quantity=quantity,
        unit="wh" if meter == "energy" else "gpu_us",
        amount_usd_micros=micros,
    )


def by_hour(
    ratings: Iterable[UsageRated], column: str = "amount_usd_micros"
) -> dict[datetime, int]:
    found: Counter[datetime] = Counter()
    for said in ratings:
        for operation in operations(record(said)):
            assert isinstance(operation, Add)
            found[operation.row["hour"]] += operation.row[column]
    return dict(found)


@pytest.mark.parametrize(
    ("start", "end", "micros", "right"),
    [
        (at(3, 10), at(3, 11), 3_000_000, {10: 3_000_000}),
        (at(3, 10, 5), at(3, 10, 10), 7, {10: 7}),
        # 90 minutes at $4 an hour, a third of them in the second hour
        (at(3, 10), at(3, 11, 30), 6_000_000, {10: 4_000_000, 11: 2_000_000}),
        # of 100 over three hours 33.3 are earned by 11:00, 66.6 by 12:00
        (at(3, 10), at(3, 13), 100, {10: 33, 11: 33, 12: 34}),
        # 45 minutes, 60 and 15 of two hours; 10 come to 3.75 and 8.75
        (at(3, 10, 15), at(3, 12, 15), 10, {10: 3, 11: 5, 12: 2}),
        # energy below zero dollars: -3.5 are -4 by 11:00
        (at(3, 10), at(3, 12), -7, {10: -4, 11: -3}),
        # a version before pieces did not say
        (at(3, 10, 30), None, 100, {10: 100}),
        (at(3, 10), at(3, 10) + (MAX_HOURS + 1) * HOUR_MS, 100, {10: 100}),
        (at(3, 10), at(3, 9), 100, {10: 100}),
    ],
)
def test_a_rating_is_spread_over_its_hours(
    start: int, end: int | None, micros: int, right: dict[int, int]
) -> None:
    found = by_hour([rating(start, end, micros)])
    assert found == {moment(at(3, hour)): amount for hour, amount in right.items()}


@given(
    st.integers(0, 10**13),
    st.integers(1, 40 * HOUR_MS),
    st.integers(-(10**15), 10**15),
    st.integers(0, 10**15),
)
def test_the_hours_add_up_to_the_rating(start: int, length: int, micros: int, wh: int) -> None:
    said = [rating(start, start + length, micros, meter="energy", quantity=wh)]
    amounts, energies = by_hour(said), by_hour(said, "energy_wh")
    assert sum(amounts.values()) == micros
    assert sum(energies.values()) == wh
    assert amounts.keys() == energies.keys()
    assert len(amounts) == (start + length - 1) // HOUR_MS - start // HOUR_MS + 1
    full = Fraction(micros * HOUR_MS, length)
    assert all(abs(amounts[hour] - full) <= 1 for hour in sorted(amounts)[1:-1])


def test_revenue_by_the_hour_adds_up_to_the_bills() -> None:
    """A clock that stood for days, another contract meanwhile, energy at a price below zero."""
    customer = signed().fold(
        tariff("t2", prices=[("H100", "2.345678")]),
        contract("c2", tariff_id="t2", starts_at=at(5, 7, 31), period="week"),
        used("long", start=at(3, 10, 7), end=at(9, 4, 1), quantity=2_000_003_001),
        used("hour", start=at(4), workload_id="w2"),
        used("energy", start=at(4), end=at(4, 0, 15), meter="energy", quantity=77, price="-31.17"),
    )
    customer.fold(*(collected(at(day)) for day in range(4, 30)))
    billed = sum(line.amount_usd_micros for i in customer.invoices for line in i.lines)
    assert len(customer.invoices) == 4
    ratings = customer.said(UsageRated)
    found = by_hour(ratings)
    assert len(found) == len(range(at(3, 10), at(9, 4, 1), HOUR_MS))
    assert sum(found.values()) == billed == sum(customer.amounts)
    assert sum(by_hour(ratings, "energy_wh").values()) == 77
