"""Usage over a moment that changes its price or its period: (period, quantity, amount) a piece."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import accounts
from schemas.events.accounts import AccountsEvent
from streams.invoicing import cutting
from streams.invoicing.contracts import in_force, on_demand_id
from streams.invoicing.cutting import MAX_PIECES, pieces
from streams.invoicing.periods import period_at
from streams.invoicing.state import Contract
from streams.metering.intervals import hourly
from streams.quantities import DAY_MS, HOUR_MS
from tests.streams.invoicing.account import (
    CUSTOMER,
    GPU_HOUR,
    MONTH,
    Folded,
    at,
    collected,
    contract,
    tariff,
    used,
)

DOLLAR = 1_000_000
MINUTE = 60_000
FEBRUARY = 1_706_745_600_000  # 2024-02-01T00:00Z, of a leap year
ON_DEMAND = on_demand_id(CUSTOMER, "contract")

FOUR = tariff("four", prices=[("H100", "4")])
TWO = tariff("two", prices=[("H100", "2")])
Terms = Sequence[AccountsEvent]
Said = tuple[str, int, float, int]


def four_then_two(change: int, *, period: str = "day", before: int = MONTH) -> Terms:
    """$4 a GPU-hour, and from a moment on $2."""
    first = contract("c4", tariff_id="four", starts_at=before, period=period)
    second = contract("c2", tariff_id="two", starts_at=change, period=period)
    return FOUR, TWO, first, second


def ran(start: int, end: int, *, list_price: str | None = None) -> accounts.UsageRecorded:
    """One GPU the whole time."""
    quantity = (end - start) * 1000
    return used(start=start, end=end, quantity=quantity, list_price=list_price)


def monthly(change: int) -> Terms:
    return four_then_two(change, period="month", before=0)


# What was agreed, what ran, and what must be said of it: (contract, start, hours, dollars)
CASES: dict[str, tuple[Terms, accounts.UsageRecorded, Sequence[Said]]] = {
    # half an hour at $4 is $2, half an hour at $2 is $1: 3,000,000 micro-dollars
    "price changes inside": (
        four_then_two(at(1, 10, 30)),
        ran(at(1, 10), at(1, 11)),
        [("c4", at(1, 10), 0.5, 2), ("c2", at(1, 10, 30), 0.5, 1)],
    ),
    "price changes as it starts": (
        four_then_two(at(1, 10)),
        ran(at(1, 10), at(1, 11)),
        [("c2", at(1, 10), 1, 2)],
    ),
    "price changes as it ends": (
        four_then_two(at(1, 11)),
        ran(at(1, 10), at(1, 11)),
        [("c4", at(1, 10), 1, 4)],
    ),
    # one hour each at the list price of $3, at $4 and at $2
    "on demand before the first contract, then two in a row": (
        four_then_two(at(1, 12), before=at(1, 11)),
        ran(at(1, 10), at(1, 13), list_price="3"),
        [(ON_DEMAND, at(1, 10), 1, 3), ("c4", at(1, 11), 1, 4), ("c2", at(1, 12), 1, 2)],
    ),
    # a contract of June says nothing about May
    "only on demand before the first contract": (
        four_then_two(at(5), before=at(2)),
        ran(at(1, 10), at(1, 11), list_price="3"),
        [(ON_DEMAND, at(1, 10), 1, 3)],
    ),
    "the hour ends inside": (
        four_then_two(at(9), period="hour"),
        ran(at(1, 10, 45), at(1, 11, 15)),
        [("c4", at(1, 10, 45), 0.25, 1), ("c4", at(1, 11), 0.25, 1)],
    ),
    "the day ends inside": (
        four_then_two(at(9)),
        ran(at(1, 23, 30), at(2, 1)),
        [("c4", at(1, 23, 30), 0.5, 2), ("c4", at(2), 1, 4)],
    ),
    "the week ends inside": (  # 3 June 2024 is a Monday
        four_then_two(at(9), period="week"),
        ran(at(2, 23), at(3, 2)),
        [("c4", at(2, 23), 1, 4), ("c4", at(3), 2, 8)],
    ),
    # February 2024 has 29 days
    "a leap month ends inside": (
        monthly(at(1)),
        ran(FEBRUARY + 28 * DAY_MS, FEBRUARY + 30 * DAY_MS),
        [("c4", FEBRUARY + 28 * DAY_MS, 24, 96), ("c4", FEBRUARY + 29 * DAY_MS, 24, 96)],
    ),
    # 30 days from 17 June 10:00: 326 hours of June at $4 are $1,304, 394 of July at $2 are $788
    "the clock stood still over the end of a month": (
        monthly(at(31)),
        ran(at(17, 10), at(47, 10)),
        [("c4", at(17, 10), 326, 1304), ("c2", at(31), 394, 788)],
    ),
    # one hour of June, all of July (744 hours), all of August (744), one hour of September
    "the clock stood still over the ends of three months": (
        monthly(at(31)),
        ran(at(30, 23), at(93, 1)),
        [
            ("c4", at(30, 23), 1, 4),
            ("c2", at(31), 744, 1488),
            ("c2", at(62), 744, 1488),
            ("c2", at(93), 1, 2),
        ],
    ),
    "another calendar from the middle of a period": (
        [
            FOUR,
            contract("m", tariff_id="four", starts_at=at(1), period="month"),
            contract("d", tariff_id="four", starts_at=at(1, 12), period="day"),
        ],
        ran(at(1, 11), at(2, 1)),
        [("m", at(1, 11), 1, 4), ("d", at(1, 12), 12, 48), ("d", at(2), 1, 4)],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_usage_is_priced_and_billed_as_it_was_used(case: str) -> None:
    terms, usage, expected = CASES[case]
    folded = Folded().fold(*terms, usage)
    ratings = folded.said(accounts.UsageRated)
    assert [
        (r.contract_id, r.interval_start, r.quantity, r.amount_usd_micros) for r in ratings
    ] == [(who, start, hours * GPU_HOUR, usd * DOLLAR) for who, start, hours, usd in expected]
    for rating in ratings:
        terms_of = folded.state.contracts[rating.contract_id]
        period = period_at(terms_of.billing_period, rating.interval_start)
        assert rating.period_start == period[0]
        assert rating.interval_end is not None
        assert rating.interval_end <= period[1]
    ends = [rating.interval_end for rating in ratings]
    assert ends == [*(r.interval_start for r in ratings[1:]), usage.interval_end]
    assert {rating.placement_id for rating in ratings} == {usage.placement_id}


def test_a_clock_that_stood_still_for_a_month_is_billed_at_the_prices_of_its_days() -> None:
    # metering gives hours for two days and one long slice for the rest: right is $2,092
    start, end = at(17, 10), at(47, 10)
    slices = list(hourly(start, end))
    assert max(until - since for since, until in slices) > 27 * DAY_MS
    folded = Folded().fold(
        *monthly(at(31)),
        *(ran(since, until) for since, until in slices),
        collected(at(90)),
        collected(at(130)),
    )
    assert [(i.period_start, i.total_usd_micros) for i in folded.invoices] == [
        (at(31), 788 * DOLLAR),  # of contract c2, and c2 is named first
        (at(1), 1304 * DOLLAR),
    ]


def test_energy_is_cut_as_gpu_time_is() -> None:
    # 1000 Wh over four hours at $40 a MWh: two hours with $5 added, two hours with $1 added
    folded = Folded().fold(
        tariff("five", adder="5"),
        tariff("one", adder="1"),
        contract("c5", tariff_id="five"),
        contract("c1", tariff_id="one", starts_at=at(1, 12)),
        used(start=at(1, 10), end=at(1, 14), meter="energy", quantity=1000, price="40"),
    )
    assert folded.amounts == [22_500, 20_500]


def test_nothing_is_lost_of_what_does_not_divide() -> None:
    # 10 Wh over three hours of three periods: 4, 3 and 3
    folded = Folded().fold(
        tariff(),
        contract(period="hour"),
        used(start=at(1, 10), end=at(1, 13), meter="energy", quantity=10, price="0"),
    )
    assert [r.quantity for r in folded.said(accounts.UsageRated)] == [4, 3, 3]


def test_a_tariff_begins_with_the_contract_that_names_it() -> None:
    # a contract never starts before its tariff is effective, so no price can change in between
    later = tariff("t2", prices=[("H100", "2")], effective_from=at(1, 12))
    early = contract("early", tariff_id="t2", starts_at=at(1, 11))
    folded = Folded().fold(
        FOUR,
        later,
        contract("c4", tariff_id="four"),
        early,
        contract("c2", tariff_id="t2", starts_at=at(1, 12)),
        ran(at(1, 11), at(1, 13)),
    )
    assert folded.reasons == ["tariff_not_effective"]
    assert folded.amounts == [4 * DOLLAR, 2 * DOLLAR]


def test_a_contract_signed_afterwards_changes_nothing_that_is_rated() -> None:
    terms = four_then_two(at(1, 10, 30))
    folded = Folded().fold(*terms[:3], ran(at(1, 10), at(1, 11)), terms[3])
    assert folded.amounts == [4 * DOLLAR]
    # and holds for what is rated from now on, also of hours before it was signed
    folded.fold(used("u2", start=at(1, 11), workload_id="w2"), collected(at(2)), collected(at(3)))
    assert folded.amounts == [4 * DOLLAR, 2 * DOLLAR]
    assert sum(invoice.total_usd_micros for invoice in folded.invoices) == 6 * DOLLAR


def test_late_usage_of_a_closed_period_goes_on_the_next_and_says_so() -> None:
    folded = Folded().fold(FOUR, contract(tariff_id="four"), ran(at(1, 10), at(1, 11)))
    folded.fold(collected(at(2)), used("late", start=at(1, 23), end=at(2, 1), site_id="odessa"))
    late = folded.said(accounts.UsageRated)[1:]
    assert [(r.interval_start, r.period_start) for r in late] == [
        (at(1, 23), at(2)),
        (at(2), at(2)),
    ]
    folded.fold(collected(at(3)), collected(at(3), site_id="odessa"))
    line = folded.invoices[1].lines[0]
    assert (line.usage_ids, line.amount_usd_micros) == (("late",), 4 * DOLLAR)


def test_a_year_of_hours_is_billed_hour_by_hour() -> None:
    folded = Folded().fold(FOUR, contract(tariff_id="four", starts_at=0, period="hour"))
    folded.fold(ran(MONTH, MONTH + 366 * DAY_MS))
    ratings = folded.said(accounts.UsageRated)
    assert len(ratings) == 366 * 24
    assert {rating.amount_usd_micros for rating in ratings} == {4 * DOLLAR}


def test_at_the_bound_prices_are_right_and_the_rest_is_one_piece() -> None:
    years = MONTH + 3 * 366 * DAY_MS
    folded = Folded().fold(*four_then_two(MONTH + 2 * 366 * DAY_MS, period="hour"))
    folded.fold(ran(MONTH, years))
    ratings = folded.said(accounts.UsageRated)
    assert len(ratings) == MAX_PIECES
    assert [rating.contract_id for rating in ratings[-2:]] == ["c4", "c2"]
    hours = 366 * 24
    assert sum(folded.amounts) == 2 * hours * 4 * DOLLAR + hours * 2 * DOLLAR


STARTS = st.lists(
    st.tuples(st.integers(0, 400), st.sampled_from(["hour", "day", "week", "month"])), max_size=8
)


@settings(deadline=None, max_examples=300)
@given(
    starts=STARTS,
    start=st.integers(0, 500 * HOUR_MS),
    length=st.integers(1, 900 * HOUR_MS),
    quantity=st.integers(0, 10**12),
    bound=st.sampled_from([0, 3, MAX_PIECES]),
)
def test_pieces_lose_nothing_and_each_has_one_price_and_one_period(
    starts: list[tuple[int, str]], start: int, length: int, quantity: int, bound: int
) -> None:
    contracts = {ON_DEMAND: signed_contract(0, "day")}
    for index, (hour, period) in enumerate(starts):
        contracts[f"c{index}"] = signed_contract(hour * HOUR_MS + 7 * MINUTE, period)
    monkeypatch = pytest.MonkeyPatch()
    with monkeypatch.context() as patched:
        patched.setattr(cutting, "MAX_PIECES", bound)
        found = pieces(contracts, CUSTOMER, (start, start + length), quantity)
    assert found[0].start == start
    assert found[-1].end == start + length
    assert all(one.end == other.start for one, other in pairwise(found))
    assert sum(piece.quantity for piece in found) == quantity
    for piece in found:
        assert abs(piece.quantity * length - quantity * (piece.end - piece.start)) < length
        for moment in (piece.start, piece.end - 1):
            assert in_force(contracts, CUSTOMER, moment) == piece.contract_id
    assert len(found) <= max(bound, len(starts) + 1)
    if bound == MAX_PIECES:
        for piece in found:
            calendar = contracts[piece.contract_id].billing_period
            assert period_at(calendar, piece.start) == period_at(calendar, piece.end - 1)


def signed_contract(starts_at: int, period: str) -> Contract:
    return Contract(
        tariff_id="t", starts_at=starts_at, billing_period=period, grace_s=0, auto_finalize=True
    )
