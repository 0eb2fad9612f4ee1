"""Whatever the order, repeats and delays: each usage is billed once, and every sum is exact."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import accounts
from schemas.events.accounts import AccountsEvent
from streams.definition import settle, step
from streams.invoicing.agent import AGENT
from streams.invoicing.periods import HOUR_MS
from streams.invoicing.state import State
from tests.streams.invoicing.account import (
    CUSTOMER,
    GPU_HOUR,
    Folded,
    at,
    collected,
    contract,
    tariff,
    used,
)

SITES = ("odessa", "plano")


@st.composite
def usage(draw: st.DrawFn) -> accounts.UsageRecorded:
    number = draw(st.integers(0, 60))
    # the content is a function of the id, as metering's is: a repeat is the same
    meter = "gpu_time" if number % 2 else "energy"
    return used(
        f"u{number}",
        start=at(1) + number * 7919 % 96 * HOUR_MS,
        quantity=number * 104_729 % GPU_HOUR,
        meter=meter,
        workload_id=f"w{number % 5}",
        site_id=SITES[number % 3 % 2],
        gpu_model=("H100", "A100", "T4")[number % 3],
        price=None if meter == "gpu_time" or number % 7 == 0 else f"{number - 20}.25",
    )


EVENTS = st.lists(
    st.one_of(
        usage(),
        usage(),
        st.builds(
            lambda hour, site: collected(at(1) + hour * HOUR_MS, site_id=site),
            st.integers(0, 120),
            st.sampled_from(SITES),
        ),
        st.sampled_from(
            [
                tariff("t1", prices=[("*", "1.5")]),
                contract("c1", starts_at=at(2)),
                contract("c2", starts_at=at(3), period="hour", grace_s=0),
                contract("c3", starts_at=at(4), period="week"),
            ]
        ),
    ),
    max_size=60,
)


def finished(events: list[AccountsEvent]) -> list[AccountsEvent]:
    """Everything is collected in the end."""
    return [*events, *(collected(at(30), site_id=site) for site in SITES)]


@settings(deadline=None, max_examples=300)
@given(events=EVENTS)
def test_each_usage_is_rated_and_billed_exactly_once(events: list[AccountsEvent]) -> None:
    folded = Folded().fold(*finished(events))
    recorded = {e.usage_id for e in events if isinstance(e, accounts.UsageRecorded)}
    rated = [rating.usage_id for rating in folded.said(accounts.UsageRated)]
    billed = [
        usage_id
        for invoice in folded.invoices
        for line in invoice.lines
        for usage_id in line.usage_ids
    ]
    assert sorted(rated) == sorted(recorded)
    assert sorted(billed) == sorted(recorded)


@settings(deadline=None, max_examples=300)
@given(events=EVENTS)
def test_every_sum_is_exact(events: list[AccountsEvent]) -> None:
    folded = Folded().fold(*finished(events))
    ratings = {rating.usage_id: rating for rating in folded.said(accounts.UsageRated)}
    for invoice in folded.invoices:
        for line in invoice.lines:
            billed = [ratings[usage_id] for usage_id in line.usage_ids]
            assert line.amount_usd_micros == sum(r.amount_usd_micros for r in billed)
            assert line.quantity == sum(r.quantity for r in billed)
            assert {(r.workload_id, r.meter, r.unit) for r in billed} == {
                (line.workload_id, line.meter, line.unit)
            }
            assert {r.contract_id for r in billed} == {invoice.contract_id}
        assert invoice.total_usd_micros == sum(line.amount_usd_micros for line in invoice.lines)
    assert sum(invoice.total_usd_micros for invoice in folded.invoices) == sum(folded.amounts)


@settings(deadline=None, max_examples=150)
@given(events=EVENTS)
def test_every_draft_becomes_final_once_and_as_drafted(events: list[AccountsEvent]) -> None:
    folded = Folded().fold(*finished(events), *(collected(at(60), site_id=s) for s in SITES))
    drafted = {(i.invoice_id, i.number, i.total_usd_micros) for i in folded.invoices}
    final = [
        (f.invoice_id, f.number, f.total_usd_micros) for f in folded.said(accounts.InvoiceFinalized)
    ]
    assert len(drafted) == len(folded.invoices)
    assert sorted(final) == sorted(drafted)
    assert folded.state.drafts == {}
    assert folded.state.periods == {}


@settings(deadline=None, max_examples=150)
@given(events=EVENTS, cut=st.integers(0, 60))
def test_a_snapshot_anywhere_changes_nothing(events: list[AccountsEvent], cut: int) -> None:
    events = finished(events)
    whole = Folded().fold(*events)
    broken = Folded().fold(*events[:cut])
    broken.state = msgspec.msgpack.decode(msgspec.msgpack.encode(broken.state), type=State)
    broken.fold(*events[cut:])
    assert broken.answers == whole.answers
    assert msgspec.msgpack.encode(broken.state) == msgspec.msgpack.encode(whole.state)


@settings(deadline=None, max_examples=150)
@given(events=EVENTS)
def test_a_rebuild_from_the_recorded_log_is_the_same_state(events: list[AccountsEvent]) -> None:
    state, recorded = AGENT.initial(CUSTOMER), []
    for event in finished(events):
        before = msgspec.msgpack.encode(state)
        answers = AGENT.decide(state, event)
        assert msgspec.msgpack.encode(state) == before
        state, again = step(AGENT, state, event)
        assert again == answers
        recorded.append((event, answers))
    rebuilt = AGENT.initial(CUSTOMER)
    for event, answers in recorded:
        rebuilt = settle(AGENT, rebuilt, event, answers)
    assert msgspec.msgpack.encode(rebuilt) == msgspec.msgpack.encode(state)
