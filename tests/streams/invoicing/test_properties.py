"""Whatever the order, repeats and delays: each usage is billed once, and every sum is exact."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import accounts
from schemas.events.accounts import AccountsEvent
from streams.definition import settle, step
from streams.invoicing.agent import AGENT
from streams.invoicing.state import State
from streams.quantities import HOUR_MS
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


def _numbered(number: int) -> accounts.UsageRecorded:
    """The content is a function of the id, as metering's is; no two overlap, and each lasts over
    the end of an hour."""
    meter = "gpu_time" if number % 2 else "energy"
    return used(
        f"u{number}",
        start=at(1) + number * 7919 % 96 * HOUR_MS + HOUR_MS // 3,
        quantity=number * 104_729 % GPU_HOUR,
        meter=meter,
        workload_id=f"w{number % 5}",
        site_id=SITES[number % 3 % 2],
        gpu_model=("H100", "A100", "T4")[number % 3],
        price=None if meter == "gpu_time" or number % 7 == 0 else f"{number - 20}.25",
    )


USAGE = st.integers(0, 60).map(_numbered)
EVENTS = st.lists(
    st.one_of(
        USAGE,
        USAGE,
        st.builds(
            lambda hour, site: collected(at(1) + hour * HOUR_MS, site_id=site),
            st.integers(0, 120),
            st.sampled_from(SITES),
        ),
        st.sampled_from(
            [
                tariff("t1", prices=[("*", "1.5")]),
                contract("c0", starts_at=at(1, 20) + HOUR_MS // 2),
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


@st.composite
def account(draw: st.DrawFn) -> tuple[list[AccountsEvent], list[accounts.UsageRecorded]]:
    """An account as metering writes it, with usage that comes again, as it was or changed; and the
    usage without that."""
    numbers = draw(st.sets(st.integers(0, 60), max_size=30))
    usages = sorted((_numbered(number) for number in numbers), key=lambda u: u.interval_start)
    log: list[AccountsEvent] = [tariff("t1", prices=[("*", "1.5")]), contract("c1", starts_at=0)]
    for index, usage in enumerate(usages):
        if draw(st.booleans()):
            site_id = draw(st.sampled_from(SITES))
            log.append(collected(usage.interval_start // HOUR_MS * HOUR_MS, site_id=site_id))
        log.append(usage)
        if draw(st.booleans()):
            again = usages[draw(st.integers(0, index))]
            changed: dict[str, Any] = {
                "usage_id": "other",
                "quantity": 7,
                "gpu_model": "T4",
                "at": at(9),
            }
            name = draw(st.sampled_from([*changed, "nothing"]))
            log.append(again if name == "nothing" else replace(again, **{name: changed[name]}))
    return log, usages


@settings(deadline=None, max_examples=100)
@given(events=EVENTS)
def test_ratings_from_before_they_named_a_placement_give_the_same_state(
    events: list[AccountsEvent],
) -> None:
    state, old = (AGENT.initial(CUSTOMER) for _ in range(2))
    for event in events:
        state, answers = step(AGENT, state, event)
        recorded = [
            replace(answer, placement_id=None, interval_end=None)
            if isinstance(answer, accounts.UsageRated) and len(answers) == 1
            else answer
            for answer in answers
        ]
        old = settle(AGENT, old, event, recorded)
        assert old == state


@settings(deadline=None, max_examples=200)
@given(drawn=account())
def test_each_usage_is_billed_exactly_once_whatever_comes_again(
    drawn: tuple[list[AccountsEvent], list[accounts.UsageRecorded]],
) -> None:
    log, usages = drawn
    folded = Folded().fold(*finished(log))
    recorded = {usage.usage_id: usage.quantity for usage in usages}
    rated = dict.fromkeys(recorded, 0)
    for rating in folded.said(accounts.UsageRated):
        rated[rating.usage_id] += rating.quantity
    assert rated == recorded
    billed: dict[tuple[str, str], int] = {}
    for line in (line for invoice in folded.invoices for line in invoice.lines):
        key = line.workload_id, line.meter
        billed[key] = billed.get(key, 0) + line.quantity
    assert billed == {
        (workload_id, meter): sum(
            u.quantity for u in usages if (u.workload_id, u.meter) == (workload_id, meter)
        )
        for workload_id, meter in {(u.workload_id, u.meter) for u in usages}
    }
    terms, clean = log[:2], Folded()
    clean.fold(*finished([*terms, *usages]))
    assert sum(i.total_usd_micros for i in folded.invoices) == sum(
        i.total_usd_micros for i in clean.invoices
    )
    assert folded.state.recorded == {}


@settings(deadline=None, max_examples=300)
@given(events=EVENTS)
def test_in_any_order_no_time_of_a_placement_is_billed_twice(events: list[AccountsEvent]) -> None:
    folded = Folded().fold(*finished(events))
    ratings = folded.said(accounts.UsageRated)
    billed = [
        (invoice.contract_id, invoice.period_start, line.meter, usage_id)
        for invoice in folded.invoices
        for line in invoice.lines
        for usage_id in line.usage_ids
    ]
    assert len(set(billed)) == len(billed)
    assert set(billed) == {(r.contract_id, r.period_start, r.meter, r.usage_id) for r in ratings}
    times = sorted((r.site_id, r.meter, r.placement_id, r.interval_start, r) for r in ratings)
    for (*one, _, first), (*other, starts, _) in pairwise(times):
        assert one != other or (first.interval_end or 0) <= starts
    heard = sum(isinstance(event, accounts.UsageRecorded) for event in events)
    assert len({r.usage_id for r in ratings}) + len(folded.reasons) >= heard


@settings(deadline=None, max_examples=300)
@given(events=EVENTS)
def test_every_sum_is_exact(events: list[AccountsEvent]) -> None:
    folded = Folded().fold(*finished(events))
    ratings: dict[tuple[str, int | None, str, str | None], list[accounts.UsageRated]] = {}
    for rating in folded.said(accounts.UsageRated):
        period = rating.contract_id, rating.period_start, rating.usage_id, rating.priced_by
        ratings.setdefault(period, []).append(rating)
    for invoice in folded.invoices:
        for line in invoice.lines:
            bill = invoice.contract_id, invoice.period_start
            billed = [r for u in line.usage_ids for r in ratings[(*bill, u, line.priced_by)]]
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
