"""A silent site holds nothing up for ever: an operator waives the wait for it."""

from __future__ import annotations

import pytest

from schemas.events import accounts
from streams.quantities import DAY_MS
from tests.streams.invoicing.account import (
    CUSTOMER,
    Folded,
    at,
    collected,
    contract,
    signed,
    tariff,
    used,
)

DOLLAR = 1_000_000


def waived(
    until: int, *, site_id: str = "plano", said: int | None = None
) -> accounts.CollectionWaived:
    return accounts.CollectionWaived(
        customer_id=CUSTOMER,
        at=until if said is None else said,
        site_id=site_id,
        waived_until=until,
        waived_by="operator",
        reason="the site burned down",
    )


def silent_for_a_year() -> Folded:
    """Plano said one hour of June and nothing since; odessa goes on for a year."""
    folded = signed().fold(used("plano", start=at(1), workload_id="p"))
    for day in range(1, 367):
        usage = used(f"u{day}", start=at(day, 1), site_id="odessa", workload_id=f"w{day}")
        folded.fold(usage, collected(at(day + 1), site_id="odessa"))
    return folded


def test_what_is_known_is_billed_once_the_wait_is_waived() -> None:
    folded = silent_for_a_year()
    assert len(folded.amounts) == 367
    assert folded.invoices == []  # one day after the other waits for the first
    folded.fold(waived(at(2), said=at(367)))
    assert sum(invoice.total_usd_micros for invoice in folded.invoices) == 367 * 3 * DOLLAR
    assert folded.state.periods == {}
    assert (
        len(folded.said(accounts.InvoiceFinalized)) == 364
    )  # the first waits for its grace, as the last does
    folded.fold(waived(at(2, 1), said=at(367)), collected(at(368), site_id="odessa"))
    assert len(folded.said(accounts.InvoiceFinalized)) == 366
    assert folded.state.drafts == {}


def test_a_customer_of_the_silent_site_alone_is_billed_too() -> None:
    folded = signed().fold(used(start=at(1)), waived(at(5)))
    assert [invoice.total_usd_micros for invoice in folded.invoices] == [3 * DOLLAR]
    assert len(folded.said(accounts.InvoiceFinalized)) == 1


def test_a_site_that_comes_back_is_billed_in_the_next_open_period() -> None:
    folded = signed().fold(used("u1", start=at(1)), waived(at(3)))
    assert folded.state.waived == {"plano": at(3)}
    folded.fold(used("u2", start=at(1, 1)), collected(at(2)))
    assert folded.reasons == []
    assert folded.state.waived == {}  # it is waited for again
    assert len(folded.invoices) == 1
    folded.fold(used("u3", start=at(2, 5)), collected(at(3)))
    late = folded.invoices[1]
    assert (late.period_start, late.lines[0].usage_ids) == (at(2), ("u2", "u3"))
    assert late.total_usd_micros == 6 * DOLLAR


def test_a_wait_beyond_what_was_waived_is_waited() -> None:
    folded = signed().fold(used("u1", start=at(1)), used("u2", start=at(2)), waived(at(2)))
    assert [invoice.period_start for invoice in folded.invoices] == [at(1)]
    folded.fold(collected(at(3)))
    assert [invoice.period_start for invoice in folded.invoices] == [at(1), at(2)]


@pytest.mark.parametrize(
    ("waiver", "reason"),
    [
        (waived(at(9), said=at(8)), "waived_ahead"),
        (waived(at(9), site_id="nowhere"), "nothing_waits"),
        (waived(at(1, 1)), "waived_already"),
        (waived(-2), "waived_already"),
    ],
)
def test_a_waiver_that_makes_no_sense_is_refused_and_changes_nothing(
    waiver: accounts.CollectionWaived, reason: str
) -> None:
    folded = signed().fold(used(start=at(1)), collected(at(1, 1)))
    before = dict(folded.state.waived)
    folded.fold(waiver)
    assert folded.reasons == [reason]
    assert folded.state.waived == before
    assert folded.invoices == []


def test_a_waiver_repeated_is_refused_and_bills_nothing_twice() -> None:
    folded = signed().fold(used(start=at(1)), waived(at(5)), waived(at(5)))
    assert folded.reasons == ["waived_already"]
    assert len(folded.invoices) == 1


def test_a_draft_that_waits_for_its_grace_can_be_waived() -> None:
    folded = Folded().fold(tariff(), contract(grace_s=86_400), used(start=at(1)), collected(at(2)))
    assert folded.said(accounts.InvoiceFinalized) == []
    folded.fold(waived(at(3)))
    assert len(folded.said(accounts.InvoiceFinalized)) == 1


@pytest.mark.parametrize("days", [900, 367])
def test_a_wall_clock_of_another_time_waives_nothing(days: int) -> None:
    """A scenario of June 2024 is played years later: until is now by the wall clock."""
    folded = Folded().fold(tariff(), contract(period="month"))
    folded.fold(used("u1", start=at(3)), collected(at(3, 2)), waived(at(3, 2) + days * DAY_MS))
    assert folded.reasons == ["waived_ahead"]
    folded.fold(used("u2", start=at(4)), collected(at(4, 2)), used("u3", start=at(30, 23)))
    assert folded.invoices == []
    folded.fold(collected(at(31)))
    (invoice,) = folded.invoices
    assert (invoice.period_start, invoice.total_usd_micros) == (at(1), 9 * DOLLAR)


def test_sentences_of_waivers_say_times_in_utc() -> None:
    folded = signed().fold(used(start=at(1)), collected(at(1, 1)))
    folded.fold(waived(at(1, 1)), waived(at(1, 1) + 400 * DAY_MS))
    details = [refusal.detail for refusal in folded.said(accounts.InputRejected)]
    assert details == [
        "Nothing waits for plano up to 2024-06-01T01:00:00Z any more.",
        "The last word of plano is of 2024-06-01T01:00:00Z, and that it is 2025-07-06T01:00:00Z "
        "there by now cannot be true.",
    ]
