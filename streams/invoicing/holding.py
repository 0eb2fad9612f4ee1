"""Usage that nobody has said a price for: kept, and rated when somebody does.

It is under a tariff that does not name its model, and no list price was quoted. It waits, on no
invoice, until a tariff is published to the customer that names the model and is effective by then;
that tariff prices it, under the contract that was in force, in its period or the oldest open one.

Bound: MAX_HELD pieces a customer. Usage beyond that is refused, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator

from schemas.events.accounts import TariffPublished, UsageHeld, UsageRated, UsageRecorded
from streams.invoicing.contracts import tariff_of
from streams.invoicing.cutting import Piece
from streams.invoicing.state import MAX_HELD, Contract, Held, State
from streams.invoicing.usage import common, rate, rated
from streams.quantities import MAX_LONG

UNPRICED = "unpriced_model"


def held(usage: UsageRecorded, piece: Piece, contract: Contract) -> UsageHeld:
    return UsageHeld(
        **common(usage, piece),
        gpu_model=usage.gpu_model,
        tariff_id=contract.tariff_id,
        reason=UNPRICED,
    )


def has_room(state: State, count: int) -> bool:
    return sum(map(len, state.held.values())) + count <= MAX_HELD


def priced_at_last(state: State, event: TariffPublished) -> Iterator[UsageRated]:
    """What waits for the prices of this tariff, in ascending order of usage and time."""
    tariff = tariff_of(event)
    for usage_id, by_start in sorted(state.held.items()):
        for start, waiting in sorted(by_start.items()):
            usage = _recorded(state.customer_id, usage_id, start, waiting, at=event.at)
            found = rate(usage, waiting.quantity, tariff)
            contract = state.contracts.get(waiting.contract_id)
            is_usable = found is not None and abs(found.amount_usd_micros) <= MAX_LONG
            if found is None or contract is None or not is_usable or tariff.effective_from > start:
                continue
            piece = Piece(start, waiting.ends_at, waiting.contract_id, waiting.quantity)
            yield rated(usage, piece, contract, event.tariff_id, found)


def hold(state: State, event: UsageHeld) -> None:
    by_start = state.held.setdefault(event.usage_id, {})
    by_start[event.interval_start] = Held(
        site_id=event.site_id,
        workload_id=event.workload_id,
        placement_id=event.placement_id,
        meter=event.meter,
        gpu_model=event.gpu_model,
        ends_at=event.interval_end,
        contract_id=event.contract_id,
        quantity=event.quantity,
        unit=event.unit,
    )


def release(state: State, event: UsageRated) -> None:
    by_start = state.held.get(event.usage_id, {})
    by_start.pop(event.interval_start, None)
    if not by_start:
        state.held.pop(event.usage_id, None)


def _recorded(
    customer_id: str, usage_id: str, start: int, waiting: Held, *, at: int
) -> UsageRecorded:
    return UsageRecorded(
        customer_id=customer_id,
        at=at,
        usage_id=usage_id,
        site_id=waiting.site_id,
        workload_id=waiting.workload_id,
        placement_id=waiting.placement_id,
        meter=waiting.meter,
        gpu_model=waiting.gpu_model,
        interval_start=start,
        interval_end=waiting.ends_at,
        quantity=waiting.quantity,
        unit=waiting.unit,
    )
