"""What invoicing remembers of each event of an account, its own answers included.

Nothing is judged here: an input that invoicing refused comes as `RefusedInput` and moves nothing.
A tariff or contract that is known already was repeated; what names a contract that this version
does not know, because it reads the log otherwise than the one that wrote it, moves nothing.
"""

from __future__ import annotations

from schemas.events import accounts
from schemas.events.accounts import AccountsEvent
from streams.invoicing.contracts import contract_of, tariff_of
from streams.invoicing.holding import hold, release
from streams.invoicing.invoices import add
from streams.invoicing.periods import period_at
from streams.invoicing.state import Draft, State
from streams.invoicing.usage import forget, remember
from streams.refusal import RefusedInput


def evolve(state: State, event: AccountsEvent | RefusedInput[AccountsEvent]) -> State:
    match event:
        case accounts.TariffPublished():
            state.tariffs.setdefault(event.tariff_id, tariff_of(event))
        case accounts.ContractSigned():
            state.contracts.setdefault(event.contract_id, contract_of(event))
        case accounts.UsageRated():
            remember(state, event)
            release(state, event)
            add(state, event)
        case accounts.UsageHeld():
            remember(state, event)
            hold(state, event)
        case accounts.UsageCollected():
            _collect(state, event)
        case accounts.CollectionWaived():
            state.waived[event.site_id] = event.waived_until
        case accounts.BillingPeriodClosed():
            _close(state, event)
        case accounts.InvoiceDrafted():
            _draft(state, event)
        case accounts.InvoiceFinalized():
            state.drafts.pop(event.invoice_id, None)
        case _:  # refused, or nothing that is billed
            pass
    return state


def retain(state: State) -> bool:
    """An account of which nothing but refusals is known is not worth remembering."""
    return bool(state.tariffs or state.contracts or state.watermarks)


def _collect(state: State, event: accounts.UsageCollected) -> None:
    if not state.is_news(event):
        return
    state.watermarks[event.site_id] = event.collected_until
    state.waived.pop(event.site_id, None)  # it is back, and waited for again
    forget(state, event.site_id, event.collected_until)
    if event.corrected:
        _reopen(state, event.collected_until)


def _reopen(state: State, at: int) -> None:
    """What a wrong clock has closed ahead of `at` is open again, for invoices of their own: those
    that were drafted stand."""
    for contract in state.contracts.values():
        _, end = period_at(contract.billing_period, at)
        if contract.billed_until > end:
            contract.billed_until = end
            contract.reopened += 1


def _close(state: State, event: accounts.BillingPeriodClosed) -> None:
    contract = state.contracts.get(event.contract_id)
    if contract is None:
        return
    by_start = state.periods.get(event.contract_id, {})
    period = by_start.pop(event.period_start, None)
    contract.closing = {} if period is None else period.sites
    contract.billed_until = max(contract.billed_until, event.period_end)
    if not by_start:
        state.periods.pop(event.contract_id, None)


def _draft(state: State, event: accounts.InvoiceDrafted) -> None:
    contract = state.contracts.get(event.contract_id)
    if contract is None:
        return
    state.drafts[event.invoice_id] = Draft(
        number=event.number,
        total_usd_micros=event.total_usd_micros,
        due_at=event.period_end + contract.grace_s * 1000,
        auto_finalize=contract.auto_finalize,
        sites=dict(contract.closing),
    )
