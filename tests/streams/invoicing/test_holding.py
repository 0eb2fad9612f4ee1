"""Usage that nobody has said a price for is kept until somebody does."""

from __future__ import annotations

import pytest

from schemas.events import accounts
from streams.invoicing import holding
from tests.streams.invoicing.account import (
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
TPU = tariff("with-tpu", prices=[("H100", "9"), ("TPU", "7")])


def test_usage_without_any_price_is_held_and_said() -> None:
    folded = signed().fold(used(start=at(1, 10), gpu_model="TPU"))
    assert folded.answers == [
        accounts.UsageHeld(
            customer_id="acme",
            at=at(1, 11),
            usage_id="u1",
            site_id="plano",
            workload_id="w1",
            placement_id="p-w1",
            meter="gpu_time",
            gpu_model="TPU",
            interval_start=at(1, 10),
            interval_end=at(1, 11),
            contract_id="c1",
            tariff_id="t1",
            quantity=GPU_HOUR,
            unit="gpu_us",
            reason="unpriced_model",
        )
    ]


def test_it_is_rated_when_a_tariff_with_the_model_is_published() -> None:
    folded = signed().fold(
        used("u1", start=at(1, 10), gpu_model="TPU"), used("u2", start=at(1, 11))
    )
    folded.fold(collected(at(2)))
    assert [invoice.total_usd_micros for invoice in folded.invoices] == [3 * DOLLAR]
    folded.fold(tariff("other", prices=[("A100", "1")]))
    assert len(folded.amounts) == 1
    folded.fold(TPU, TPU)
    (rated,) = [r for r in folded.said(accounts.UsageRated) if r.usage_id == "u1"]
    assert (rated.amount_usd_micros, rated.tariff_id, rated.contract_id, rated.priced_by) == (
        *(7 * DOLLAR, "with-tpu", "c1", "tariff"),
    )
    assert (rated.interval_start, rated.interval_end, rated.period_start) == (
        *(at(1, 10), at(1, 11), at(2)),  # its own period is closed
    )
    assert folded.state.held == {}
    folded.fold(collected(at(3)))
    assert [invoice.total_usd_micros for invoice in folded.invoices] == [3 * DOLLAR, 7 * DOLLAR]


def test_a_tariff_prices_nothing_of_before_it_is_effective() -> None:
    late = tariff("late", prices=[("TPU", "5")], effective_from=at(1, 11))
    folded = signed().fold(
        used("u1", start=at(1, 10), gpu_model="TPU"),
        used("u2", start=at(1, 11), gpu_model="TPU"),
        late,
    )
    assert [r.usage_id for r in folded.said(accounts.UsageRated)] == ["u2"]
    assert list(folded.state.held) == ["u1"]


def test_only_the_piece_without_a_price_waits() -> None:
    folded = signed().fold(
        TPU,
        contract("c2", tariff_id="with-tpu", starts_at=at(1, 11)),
        used(start=at(1, 10), end=at(1, 12), gpu_model="TPU", quantity=2 * GPU_HOUR),
    )
    (waiting,) = folded.said(accounts.UsageHeld)
    assert (waiting.interval_start, waiting.quantity) == (at(1, 10), GPU_HOUR)
    folded.fold(tariff("again", prices=[("*", "2")]))
    assert folded.amounts == [7 * DOLLAR, 2 * DOLLAR]


def test_held_usage_that_comes_again_is_a_repeat() -> None:
    usage = used(start=at(1, 10), gpu_model="TPU")
    folded = signed().fold(usage, usage, collected(at(1, 12)), usage)
    assert folded.reasons == ["usage_recorded", "usage_too_late"]
    assert len(folded.said(accounts.UsageHeld)) == 1


def test_beyond_the_bound_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "MAX_HELD", 2)
    folded = signed().fold(
        *(used(f"u{hour}", start=at(1, hour), gpu_model="TPU") for hour in range(3))
    )
    assert folded.reasons == ["unpriced_model"]
    assert list(folded.state.held) == ["u0", "u1"]


def test_on_demand_has_a_price_for_every_model() -> None:
    folded = Folded().fold(used(start=at(1), gpu_model="TPU"))
    assert folded.amounts == [800_000]
