"""What invoicing says about each event of an account."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.events import accounts
from schemas.events.accounts import AccountsEvent
from streams.invoicing.contracts import contract_of, on_demand, tariff_of
from streams.invoicing.cutting import pieces
from streams.invoicing.holding import has_room, held, priced_at_last
from streams.invoicing.invoices import invoices
from streams.invoicing.refusals import (
    contract_refusal,
    is_known_contract,
    is_known_tariff,
    refused,
    tariff_refusal,
    too_large,
    too_much_unpriced,
    usage_refusal,
    waiver_refusal,
)
from streams.invoicing.state import Period, State
from streams.invoicing.usage import rate, rated
from streams.quantities import MAX_LONG


def decide(state: State, event: AccountsEvent) -> list[AccountsEvent]:
    match event:
        case accounts.UsageRecorded():
            return _rate(state, event)
        case accounts.UsageCollected() if state.is_news(event):
            return _bill(state, event, event.collected_until)
        case accounts.CollectionWaived():
            return _waive(state, event)
        case accounts.TariffPublished():
            return _publish(state, event)
        case accounts.ContractSigned():
            why = contract_refusal(state, event)
            return [refused(event, why)] if why and not is_known_contract(state, event) else []
        case _:  # enrolment, and what invoicing itself said
            return []


def _rate(state: State, usage: accounts.UsageRecorded) -> list[AccountsEvent]:
    why = usage_refusal(state, usage)
    if why:
        return [refused(usage, why)]
    tariff, default = on_demand(usage.customer_id, at=usage.at)
    contracts = {default.contract_id: contract_of(default), **state.contracts}
    tariffs = {tariff.tariff_id: tariff_of(tariff), **state.tariffs}
    interval = usage.interval_start, usage.interval_end
    ratings: list[AccountsEvent] = []
    unpriced: list[AccountsEvent] = []
    signed: list[AccountsEvent] = []
    for piece in pieces(contracts, usage.customer_id, interval, usage.quantity):
        contract = contracts[piece.contract_id]
        priced = tariffs.get(contract.tariff_id)  # what an older version took may be none today
        found = None if priced is None else rate(usage, piece.quantity, priced)
        if found is None:
            unpriced.append(held(usage, piece, contract))
        elif abs(found.amount_usd_micros) > MAX_LONG:
            return [refused(usage, too_large(found.amount_usd_micros))]
        else:
            ratings.append(rated(usage, piece, contract, contract.tariff_id, found))
        if piece.contract_id not in state.contracts:
            signed = [tariff, default]
    if unpriced and not has_room(state, len(unpriced)):
        return [refused(usage, too_much_unpriced(usage))]
    return [*signed, *ratings, *unpriced]


def _publish(state: State, event: accounts.TariffPublished) -> list[AccountsEvent]:
    if is_known_tariff(state, event):
        return []
    why = tariff_refusal(state, event)
    return [refused(event, why)] if why else list(priced_at_last(state, event))


def _waive(state: State, event: accounts.CollectionWaived) -> list[AccountsEvent]:
    why = waiver_refusal(state, event)
    if why is not None:
        return [refused(event, why)]
    return _bill(state, event, event.waived_until)


def _bill(
    state: State,
    event: accounts.UsageCollected | accounts.CollectionWaived,
    until: int,
) -> list[AccountsEvent]:
    """Close the periods that need not wait for a site any longer, and finish the drafts due."""
    waited = {**state.waited_until(), event.site_id: until}
    answers: list[AccountsEvent] = []
    due = {
        invoice_id: (draft.number, draft.total_usd_micros)
        for invoice_id, draft in state.drafts.items()
        if draft.auto_finalize and _passed(waited, draft.sites, draft.due_at)
    }
    for contract_id, start, period in _complete(state, waited):
        contract = state.contracts[contract_id]
        answers.append(
            accounts.BillingPeriodClosed(
                customer_id=event.customer_id,
                at=event.at,
                contract_id=contract_id,
                period_start=start,
                period_end=period.ends_at,
            )
        )
        drafted = list(invoices(state, contract_id, start, period, at=event.at))
        answers += drafted
        due_at = period.ends_at + contract.grace_s * 1000
        if contract.auto_finalize and _passed(waited, period.sites, due_at):
            due |= {draft.invoice_id: (draft.number, draft.total_usd_micros) for draft in drafted}
    for invoice_id, (number, total_usd_micros) in sorted(due.items()):
        answers.append(
            accounts.InvoiceFinalized(
                customer_id=event.customer_id,
                at=event.at,
                invoice_id=invoice_id,
                number=number,
                total_usd_micros=total_usd_micros,
                finalized_by="grace",
            )
        )
    return answers


def _complete(state: State, waited: dict[str, int]) -> Iterator[tuple[str, int, Period]]:
    """Each contract's earliest periods, in order, up to the first that still waits for a site."""
    for contract_id, by_start in sorted(state.periods.items()):
        for start, period in sorted(by_start.items()):
            if not _passed(waited, period.sites, period.ends_at):
                break
            yield contract_id, start, period


def _passed(waited: dict[str, int], sites: dict[str, None], at: int) -> bool:
    return all(waited.get(site_id, -1) >= at for site_id in sites)
