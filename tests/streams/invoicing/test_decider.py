"""Given what happened to an account, when something happens, then this is said."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import msgspec
import pytest

from schemas.events import accounts
from schemas.events.accounts import AccountsEvent
from streams.definition import settle
from streams.invoicing.agent import AGENT
from streams.invoicing.contracts import on_demand, on_demand_id
from streams.invoicing.invoices import MAX_PART_BYTES
from streams.invoicing.state import State
from tests.streams.invoicing.account import (
    CUSTOMER,
    GPU_HOUR,
    Folded,
    at,
    collected,
    contract,
    signed,
    tariff,
    used,
)

DOLLAR = 1_000_000


def test_usage_is_rated_under_the_contract_in_force() -> None:
    folded = signed().fold(used(start=at(1, 10), quantity=GPU_HOUR // 2))
    (rated,) = folded.answers
    assert rated == accounts.UsageRated(
        customer_id=CUSTOMER,
        at=at(1, 11),
        usage_id="u1",
        site_id="plano",
        workload_id="w1",
        meter="gpu_time",
        interval_start=at(1, 10),
        contract_id="c1",
        tariff_id="t1",
        quantity=GPU_HOUR // 2,
        unit="gpu_us",
        amount_usd_micros=1_500_000,
        placement_id="p-w1",
        interval_end=at(1, 11),
        period_start=at(1),
        priced_by="tariff",
    )


def test_energy_is_passed_through_with_its_adder() -> None:
    folded = signed().fold(
        used("u1", start=at(1, 10), meter="energy", quantity=1000, price="40"),
        used("u2", start=at(1, 11), meter="energy", quantity=1000, price=None),
        used("u3", start=at(1, 12), meter="energy", quantity=1000, price="-25"),
    )
    assert folded.amounts == [45_000, 5_000, -20_000]


def test_a_customer_who_signed_nothing_gets_the_on_demand_contract_once() -> None:
    folded = Folded().fold(
        used("u1", start=at(1, 10), list_price="2.35"),
        used("u2", start=at(1, 11), list_price="1.234567", gpu_model="A100"),
        used("u3", start=at(1, 12), gpu_model="T4"),
        used("u4", start=at(1, 12), meter="energy", quantity=1_000_000, price="31.5"),
    )
    assert [type(answer).__name__ for answer in folded.answers] == [
        "TariffPublished",
        "ContractSigned",
        *["UsageRated"] * 4,
    ]
    assert folded.amounts == [2_350_000, 1_234_567, 800_000, 31_500_000]


def test_on_demand_never_costs_more_than_the_list_price_quoted() -> None:
    folded = Folded().fold(
        used("u1", start=at(1, 10), list_price="0.50"),
        used("u2", start=at(1, 11), list_price="0.25", gpu_model="T4"),
        used("u3", start=at(1, 12), list_price="0", gpu_model="T4"),
    )
    assert folded.amounts == [500_000, 250_000, 0]


def test_a_signed_contract_replaces_the_on_demand_one_even_from_the_same_moment() -> None:
    folded = Folded().fold(
        used("u1", start=at(1, 10), list_price="2.35"),
        tariff(),
        contract(starts_at=0),
        used("u2", start=at(1, 11), list_price="2.35"),
    )
    assert folded.amounts == [2_350_000, 3_000_000]
    assert folded.reasons == []


def test_before_the_first_contract_a_customer_is_on_demand() -> None:
    folded = Folded().fold(
        tariff("t1", prices=[("H100", "3")]),
        tariff("t2", prices=[("H100", "2")]),
        contract("c1", tariff_id="t1", starts_at=at(5)),
        contract("c2", tariff_id="t2", starts_at=at(10)),
        *(used(f"u{day}", start=at(day), list_price="1") for day in (1, 5, 9, 10)),
    )
    assert folded.amounts == [1 * DOLLAR, 3 * DOLLAR, 3 * DOLLAR, 2 * DOLLAR]


def test_a_day_is_closed_drafted_and_after_its_grace_final() -> None:
    folded = signed().fold(
        used("u2", start=at(1, 10)),
        used("u1", start=at(1, 11)),
        used("u3", start=at(1, 11), meter="energy", quantity=700, price="40"),
        used("u4", start=at(1, 12), workload_id="w0"),
        collected(at(1, 23)),
    )
    assert folded.invoices == []
    folded.fold(collected(at(2)))
    (closed,) = folded.said(accounts.BillingPeriodClosed)
    assert (closed.period_start, closed.period_end) == (at(1), at(2))
    (invoice,) = folded.invoices
    assert [
        (line.line_id, line.workload_id, line.meter, line.amount_usd_micros, line.usage_ids)
        for line in invoice.lines
    ] == [
        ("1", "w0", "gpu_time", 3 * DOLLAR, ("u4",)),
        ("2", "w1", "energy", 31_500, ("u3",)),
        ("3", "w1", "gpu_time", 6 * DOLLAR, ("u1", "u2")),
    ]
    assert [line.description for line in invoice.lines] == [
        "GPU time, 1.000 GPU-hours",
        "Energy, 0.700 kWh",
        "GPU time, 2.000 GPU-hours",
    ]
    assert invoice.total_usd_micros == 9 * DOLLAR + 31_500
    assert invoice.number.startswith("acme-2024-06-01-")
    folded.fold(collected(at(2, 0, 59)), collected(at(9), site_id="odessa"))
    assert folded.said(accounts.InvoiceFinalized) == []
    folded.fold(collected(at(2, 1)), collected(at(2, 2)))
    (final,) = folded.said(accounts.InvoiceFinalized)
    assert (final.invoice_id, final.number) == (invoice.invoice_id, invoice.number)
    assert (final.total_usd_micros, final.finalized_by) == (invoice.total_usd_micros, "grace")


def test_customers_with_a_contract_of_the_same_name_have_invoices_of_their_own() -> None:
    def invoice_id(customer_id: str, contract_id: str) -> str:
        folded = Folded(AGENT.initial(customer_id))
        log: list[AccountsEvent] = [tariff(), contract(contract_id)]
        log += [used(start=at(1)), collected(at(2))]
        folded.fold(*(replace(event, customer_id=customer_id) for event in log))
        (invoice,) = folded.invoices
        return invoice.invoice_id

    names = [
        ("acme", "standard"),
        ("umbra", "standard"),
        ("acme\numbra", "b"),
        ("acme", "umbra\nb"),
    ]
    assert len({invoice_id(*name) for name in names}) == len(names)


def test_a_watermark_far_ahead_drafts_and_finalizes_at_once() -> None:
    folded = signed().fold(used("u1", start=at(1)), used("u2", start=at(2)), collected(at(9)))
    assert [type(answer).__name__ for answer in folded.answers[2:]] == [
        "BillingPeriodClosed",
        "InvoiceDrafted",
        "BillingPeriodClosed",
        "InvoiceDrafted",
        "InvoiceFinalized",
        "InvoiceFinalized",
    ]
    assert folded.state.drafts == {}
    assert folded.state.periods == {}


def test_a_draft_that_a_person_finalizes_waits() -> None:
    folded = Folded().fold(
        tariff(), contract(auto_finalize=False), used(start=at(1)), collected(at(9))
    )
    assert len(folded.invoices) == 1
    assert folded.said(accounts.InvoiceFinalized) == []


def test_a_period_waits_for_every_site_with_usage_in_it() -> None:
    folded = signed().fold(
        used("u1", start=at(1), site_id="plano"),
        used("u2", start=at(1), site_id="odessa"),
        collected(at(4), site_id="plano"),
    )
    assert folded.invoices == []
    folded.fold(collected(at(2), site_id="odessa"))
    assert len(folded.invoices) == 1


def test_a_site_without_usage_in_it_does_not_hold_a_period_up() -> None:
    folded = signed().fold(
        used("u1", start=at(1), site_id="odessa"),
        collected(at(2), site_id="odessa"),
        used("u2", start=at(2), site_id="plano"),
        collected(at(3), site_id="plano"),
    )
    assert len(folded.invoices) == 2


def test_periods_close_in_order() -> None:
    folded = signed().fold(
        used("u1", start=at(1), site_id="odessa"),
        used("u2", start=at(2), site_id="plano"),
        collected(at(3), site_id="plano"),
    )
    assert folded.invoices == []
    folded.fold(collected(at(2), site_id="odessa"))
    assert [invoice.period_start for invoice in folded.invoices] == [at(1), at(2)]


def test_usage_for_a_drafted_period_is_billed_in_the_next_one() -> None:
    folded = signed().fold(
        used("u1", start=at(1, 10)),
        collected(at(2)),
        used("u2", start=at(1, 11), site_id="odessa"),
        used("u3", start=at(2, 11)),
        collected(at(3)),
        collected(at(3), site_id="odessa"),
    )
    first, second = folded.invoices
    assert [line.usage_ids for line in first.lines] == [("u1",)]
    assert (second.period_start, [line.usage_ids for line in second.lines]) == (
        at(2),
        [("u2", "u3")],
    )


def test_a_clock_that_was_set_back_opens_what_it_had_closed_ahead_of_time() -> None:
    # Given two days that a wrong clock has closed and drafted
    folded = signed().fold(used("u1", start=at(1, 10)), used("u2", start=at(2, 10)))
    folded.fold(collected(at(9)))
    assert [invoice.period_start for invoice in folded.invoices] == [at(1), at(2)]
    # When the clock is set back into the first, and both days come once more
    folded.fold(
        collected(at(1, 12), corrected=True),
        used("u3", start=at(1, 13), workload_id="w3"),
        used("u4", start=at(2, 13), workload_id="w4"),
        collected(at(3)),
    )
    # Then the day that it stood in stays closed, and the next is billed in an invoice of its own
    *first, again = folded.invoices
    assert again.period_start == at(2)
    assert [line.usage_ids for line in again.lines] == [("u3",), ("u4",)]
    assert again.invoice_id not in {invoice.invoice_id for invoice in first}
    assert again.number not in {invoice.number for invoice in first}
    assert folded.said(accounts.InputRejected) == []


def test_a_day_without_usage_has_no_invoice() -> None:
    folded = signed().fold(used(start=at(1)), *(collected(at(day)) for day in range(2, 9)))
    assert len(folded.invoices) == 1


@pytest.mark.parametrize(
    ("period", "last_open", "first_closed"),
    [
        ("hour", at(3, 10), at(3, 11)),
        ("week", at(9), at(10)),  # 3 June 2024 was a Monday
        ("month", at(30), at(31)),
    ],
)
def test_other_billing_periods(period: str, last_open: int, first_closed: int) -> None:
    folded = Folded().fold(
        tariff(), contract(period=period, grace_s=0), used(start=at(3, 10)), collected(last_open)
    )
    assert folded.invoices == []
    folded.fold(collected(first_closed))
    assert len(folded.invoices) == 1


@pytest.mark.parametrize(
    "again",
    [
        used("u1", start=at(1)),
        used("u1", start=at(1), said=at(9)),
        used("u1", start=at(1), quantity=1),
        used("u1", start=at(1), gpu_model="A100"),
        used("u9", start=at(1)),
        used("u9", start=at(1, 0, 59)),
    ],
)
def test_a_meter_of_a_placement_is_billed_once_for_any_time(again: AccountsEvent) -> None:
    folded = signed().fold(used("u1", start=at(1)), again)
    assert folded.reasons == ["usage_recorded"]
    assert folded.amounts == [3 * DOLLAR]
    # and once its site has said that this was all
    folded.fold(collected(at(1, 1)), again, collected(at(2)))
    assert folded.reasons == ["usage_recorded", "usage_too_late"]
    assert [invoice.total_usd_micros for invoice in folded.invoices] == [3 * DOLLAR]


@pytest.mark.parametrize(
    "other",
    [
        used("u2", start=at(1, 1)),
        used("u2", start=at(1), workload_id="w2"),
        used("u2", start=at(1), site_id="odessa"),
        used("u2", start=at(1), meter="energy"),
    ],
)
def test_later_usage_and_usage_of_something_else_is_no_repeat(other: AccountsEvent) -> None:
    folded = signed().fold(used("u1", start=at(1)), other)
    assert folded.reasons == []
    assert len(folded.amounts) == 2


def test_what_was_collected_is_not_remembered() -> None:
    usages = (used(f"u{n}", start=at(1), workload_id=f"w{n}") for n in range(100))
    folded = signed().fold(*usages, collected(at(1)))
    assert len(folded.state.recorded["plano"]["gpu_time"]) == 100
    folded.fold(collected(at(1, 1)))
    assert folded.state.recorded == {}


@pytest.mark.parametrize(
    ("usage", "reason"),
    [
        (used(start=at(1), quantity=-1), "negative_quantity"),
        (used(start=at(1), meter="steam"), "unknown_meter"),
        (used(start=at(1), unit="kwh"), "wrong_unit"),
        (used(start=at(1), list_price="-1"), "negative_price"),
        (used(start=at(1), end=at(1)), "bad_interval"),
        (used(start=-5, end=5), "bad_interval"),
        (used(start=at(1), end=10**17), "bad_interval"),
        (used(start=at(1), quantity=2**63 - 1, meter="energy", price="5000"), "amount_too_large"),
    ],
)
def test_usage_that_cannot_be_billed_is_refused(usage: accounts.UsageRecorded, reason: str) -> None:
    folded = signed().fold(usage)
    (rejected,) = folded.said(accounts.InputRejected)
    assert rejected.reason == reason
    assert rejected.subject == "u1"
    assert rejected.rejected_type == "hcp.accounts.v1.UsageRecorded"
    assert rejected.detail.endswith(".")
    assert folded.amounts == []
    assert folded.state.periods == {}


def test_a_model_that_the_tariff_lacks_costs_the_list_price_quoted() -> None:
    folded = signed().fold(
        used("u1", start=at(1), gpu_model="L40S", list_price="1.25"),
        used("u2", start=at(1, 1), list_price="9.99"),
        collected(at(2)),
    )
    assert [(r.priced_by, r.amount_usd_micros) for r in folded.said(accounts.UsageRated)] == [
        ("list_price", 1_250_000),
        ("tariff", 3 * DOLLAR),
    ]
    (invoice,) = folded.invoices
    assert [(line.priced_by, line.description, line.usage_ids) for line in invoice.lines] == [
        ("list_price", "GPU time, 1.000 GPU-hours at the list price quoted", ("u1",)),
        ("tariff", "GPU time, 1.000 GPU-hours", ("u2",)),
    ]


def test_a_refused_usage_may_be_mended() -> None:
    folded = signed().fold(used(start=at(1), quantity=-1), used(start=at(1)))
    assert folded.amounts == [3 * DOLLAR]


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (tariff("t1", prices=[("H100", "4")]), "tariff_id_taken"),
        (tariff("t2", currency="EUR"), "unknown_currency"),
        (tariff("t2", prices=[("H100", "4"), ("H100", "5")]), "duplicate_model"),
        (tariff("t2", prices=[("H100", "-1")]), "negative_price"),
        (tariff("t2", prices=[("A100", "1"), ("H100", "100000.000001")]), "price_out_of_range"),
        (tariff("t2", adder="100000.000001"), "price_out_of_range"),
        (tariff("t2", adder="-100000.000001"), "price_out_of_range"),
        (tariff("t2", prices=[(f"g{n}", "1") for n in range(1_001)]), "too_many_models"),
        (tariff("t2", prices=[("g" * 49, "1")]), "bad_model"),
        (tariff("t2", prices=[("", "1")]), "bad_model"),
        (tariff("t" * 201), "bad_tariff_id"),
        (tariff(""), "bad_tariff_id"),
        (tariff("t\0"), "bad_tariff_id"),
        (replace(tariff("t2"), customer_id="c" * 201), "bad_customer_id"),
        (tariff(on_demand_id(CUSTOMER, "tariff")), "reserved_id"),
        (contract("c1", grace_s=5), "contract_id_taken"),
        (contract("c2", tariff_id="nowhere"), "unknown_tariff"),
        (contract("c2", starts_at=-1), "tariff_not_effective"),
        (contract("c2", starts_at=at(5), period="year"), "unknown_billing_period"),
        (contract("c2", starts_at=at(5), grace_s=-1), "bad_grace"),
        (contract("c2", starts_at=at(5), grace_s=10**9), "bad_grace"),
        (contract("c2"), "contract_overlap"),
        (contract("c" * 201), "bad_contract_id"),
        (contract("\x1b[2J"), "bad_contract_id"),
        (replace(contract("c2"), customer_id="\n"), "bad_customer_id"),
        (contract(on_demand_id(CUSTOMER, "contract"), starts_at=at(5)), "reserved_id"),
    ],
)
def test_terms_that_cannot_hold_are_refused(
    event: accounts.TariffPublished | accounts.ContractSigned, reason: str
) -> None:
    folded = signed()
    tariffs, contracts = dict(folded.state.tariffs), dict(folded.state.contracts)
    folded.fold(event)
    assert folded.reasons == [reason]
    assert (folded.state.tariffs, folded.state.contracts) == (tariffs, contracts)


@pytest.mark.parametrize(
    "event",
    [
        tariff("t2", prices=[(f"g{n}", "100000") for n in range(1_000)], adder="100000"),
        tariff("t" * 200, prices=[("g" * 48, "0")], adder="-100000"),
        replace(contract("c" * 200), starts_at=at(5)),
    ],
)
def test_terms_up_to_every_bound_are_taken(event: AccountsEvent) -> None:
    assert signed().fold(event).answers == []


def test_a_contract_whose_tariff_is_no_event_any_more_holds_its_usage() -> None:
    """Versions before took prices that no schema allows; their contracts stand in their logs."""
    folded = signed()
    del folded.state.tariffs["t1"]
    folded.fold(used(start=at(2)), collected(at(3)))
    assert [waiting.tariff_id for waiting in folded.said(accounts.UsageHeld)] == ["t1"]
    folded.fold(tariff("t2"))
    assert folded.amounts == [3 * DOLLAR]


@pytest.mark.parametrize("event", [tariff(), contract(), *on_demand(CUSTOMER, at=at(1))])
def test_terms_may_be_repeated(event: AccountsEvent) -> None:
    folded = signed().fold(*on_demand(CUSTOMER, at=at(1)), event)
    assert folded.answers == []


def test_a_terms_repeat_after_billing_is_still_a_repeat() -> None:
    folded = signed().fold(used(start=at(1)), collected(at(3)), contract())
    assert folded.reasons == []
    assert folded.state.contracts["c1"].billed_until == at(2)


def test_an_invoice_too_big_for_a_record_comes_in_parts() -> None:
    long_id = "w" * 1000
    count = MAX_PART_BYTES // 4000
    folded = signed()
    for number in range(count):
        folded.fold(used(f"u{number:05}", start=at(1), workload_id=f"{long_id}{number}"))
    folded.fold(collected(at(2)), collected(at(3)))
    first, second = folded.invoices
    assert first.invoice_id != second.invoice_id
    assert first.number != second.number
    assert {
        usage for invoice in folded.invoices for line in invoice.lines for usage in line.usage_ids
    } == {f"u{number:05}" for number in range(count)}
    assert len(first.lines) + len(second.lines) == count
    for invoice in folded.invoices:
        assert invoice.total_usd_micros == sum(line.amount_usd_micros for line in invoice.lines)
    assert len(folded.said(accounts.BillingPeriodClosed)) == 1
    assert len(folded.said(accounts.InvoiceFinalized)) == 2


def test_sums_that_no_record_holds_come_in_parts() -> None:
    quantity = 2**62
    folded = Folded().fold(tariff(prices=[("H100", "0")]), contract())
    folded.fold(*(used(f"u{i}", start=at(1, i), quantity=quantity) for i in range(3)))
    folded.fold(collected(at(2)))
    assert [invoice.lines[0].quantity for invoice in folded.invoices] == [quantity] * 3


def test_a_stale_watermark_changes_nothing() -> None:
    folded = signed().fold(
        used(start=at(1)), collected(at(2)), collected(at(1, 5)), collected(at(2))
    )
    assert len(folded.invoices) == 1
    assert folded.state.watermarks == {"plano": at(2)}


def test_an_account_of_refusals_only_is_not_kept() -> None:
    folded = Folded().fold(used(start=at(1), quantity=-1), contract(tariff_id="nowhere"))
    assert folded.reasons == ["negative_quantity", "unknown_tariff"]
    assert not AGENT.retain(folded.state)
    assert AGENT.retain(signed().state)


def test_enrolment_is_nobodys_bill() -> None:
    enrolled = accounts.CustomerEnrolled(customer_id=CUSTOMER, at=at(1), name="Acme")
    assert Folded().fold(enrolled).answers == []


def test_prices_keep_six_decimals() -> None:
    folded = Folded().fold(tariff(prices=[("H100", "2.345678")]), contract(), used(start=at(1)))
    assert folded.amounts == [2_345_678]
    assert Decimal(2_345_678).scaleb(-6) == Decimal("2.345678")


def test_lines_of_before_they_said_what_priced_them_are_billed_on() -> None:
    recorded = used("u1", start=at(1))
    old = accounts.UsageRated(
        customer_id=CUSTOMER,
        at=at(1),
        usage_id="u1",
        site_id="plano",
        workload_id="w1",
        meter="gpu_time",
        interval_start=at(1),
        contract_id="c1",
        tariff_id="t1",
        quantity=GPU_HOUR,
        unit="gpu_us",
        amount_usd_micros=3 * DOLLAR,
    )
    state = settle(AGENT, signed().state, recorded, [old])
    rebuilt = msgspec.msgpack.encode(state)
    plain = msgspec.msgpack.decode(rebuilt)
    (part,) = plain["periods"]["c1"][at(1)]["parts"]
    part["lines"] = {"w1": {"gpu_time": part["lines"]["w1"]["gpu_time"][""]}}  # as version 2 did
    state = msgspec.convert(AGENT.upcasters["2"](plain), State)
    assert msgspec.msgpack.encode(state) == rebuilt
    folded = Folded(state).fold(used("u2", start=at(1, 1)), collected(at(2)))
    assert [(line.priced_by, line.usage_ids) for line in folded.invoices[0].lines] == [
        (None, ("u1",)),
        ("tariff", ("u2",)),
    ]
