"""What was billed, and what it differs by from what came to be known later.

A bill stands: what comes after its hour was collected changes no usage. It is said instead, as
`BillingDifferenceFound`, so that what a site paid for power and what it billed can be reconciled. A
late price is compared with what was billed under the price rule: one that would not have been in
force makes no difference. The differences of several late prices add up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from schemas.events.accounts import UsageRecorded
from schemas.events.sites import BillingDifferenceFound, EnergyMetered, PowerPricePublished
from streams.metering.readings import told
from streams.metering.state import MAX_BILLED, MAX_FORGOTTEN_PRICES, Billed, State
from streams.metering.usage import Piece, mean, usd
from streams.prices import (
    INTERVAL,
    MAX_CARRY_MS,
    Price,
    find,
    inserted,
    power_price,
    stretches,
    without_past,
)

MICROS = 1_000_000


def late_price(state: State, event: PowerPricePublished) -> list[BillingDifferenceFound]:
    """What it differs by from what was billed; nothing where no bill would be another."""
    price = power_price(event)
    at = event.at if state.now is None else state.now
    if is_told(state, price) or is_too_old(state, price):
        return []
    if price.start < state.forgotten_until:
        unknown = BillingDifferenceFound(
            site_id=state.site_id,
            at=at,
            reason="late_price",
            interval_start=price.start,
            interval_end=price.end,
            price_usd_per_mwh=event.price_usd_per_mwh,
        )
        return [unknown]
    changes = list(_repriced(state, price))
    if not changes:
        return []
    energy_wh = sum(before.energy_wh for before, _ in changes)
    cost = sum(before.energy_wh * (before.micros or 0) for before, _ in changes)
    more = sum(now.energy_wh * (now.micros or 0) for _, now in changes) - cost
    priced_wh = sum(before.energy_wh for before, _ in changes if before.micros is not None)
    found = BillingDifferenceFound(
        site_id=state.site_id,
        at=at,
        reason="late_price",
        interval_start=changes[0][0].start,
        interval_end=max(before.end for before, _ in changes),
        energy_wh=energy_wh,
        price_usd_per_mwh=event.price_usd_per_mwh,
        billed_price_usd_per_mwh=usd(_half_up(cost, priced_wh) if priced_wh else None),
        difference_usd_micros=_half_up(more, MICROS),
    )
    return [found]


def is_told(state: State, price: Price) -> bool:
    """Whether the newest word for its interval was the same; of what is over, also one that was
    forgotten."""
    newest = find(state.prices, price)
    if newest is None and price.end <= state.collected_until:
        newest = find(state.forgotten_prices, price)
    return newest == price


def is_too_old(state: State, price: Price) -> bool:
    """Whether it may have been told, and nobody knows any more."""
    known = state.forgotten_prices
    is_full = len(known) >= MAX_FORGOTTEN_PRICES
    return is_full and price.start < min(known[0].start, state.forgotten_until)


def left_out(state: State, meter: EnergyMetered) -> list[BillingDifferenceFound]:
    """Of the readings that are on no bill, by reason. A repeat is on one."""
    energy_wh: dict[str, int] = {}
    for piece in told(state, meter):
        if piece.reason is not None and piece.reason != "repeated":
            energy_wh[piece.reason] = energy_wh.get(piece.reason, 0) + piece.energy_wh
    return [
        BillingDifferenceFound(
            site_id=state.site_id,
            at=meter.at if state.now is None else state.now,
            reason=reason,
            feeder_id=meter.feeder_id,
            interval_start=meter.interval_start,
            interval_end=meter.interval_end,
            energy_wh=lost_wh,
        )
        for reason, lost_wh in sorted(energy_wh.items())
        if lost_wh
    ]


def reprice(state: State, price: Price) -> None:
    """Remember what was told, so that a repeat of the price tells nothing."""
    changed = dict(_repriced(state, price))
    state.billed = [changed.get(billed, billed) for billed in state.billed]


def bill(state: State, usages: Iterable[tuple[Piece, UsageRecorded]]) -> None:
    """Remember what was recorded of an hour's energy, all placements together, and the time that
    its price is of: a mean is of its whole piece, whatever part of that was metered."""
    pieces: dict[int, Billed] = {}
    for piece, usage in usages:
        start, end = usage.interval_start, usage.interval_end
        if piece.is_mean:
            start, end = piece.start, piece.end
        known = pieces.get(piece.start, Billed(start, end, piece.micros, 0))
        pieces[piece.start] = Billed(
            min(known.start, start),
            max(known.end, end),
            piece.micros,
            known.energy_wh + usage.quantity,
        )
    state.billed += [piece for _, piece in sorted(pieces.items())]
    if len(state.billed) > MAX_BILLED:
        state.forgotten_until = state.billed[-MAX_BILLED - 1].end
        state.billed = state.billed[-MAX_BILLED:]


def forget_prices(state: State) -> None:
    """Those that no bill was, or will be, made by; of more than MAX_BILLED that are past, the older
    ones, with what was billed by them."""
    past = [price for price in state.prices if price.end <= state.collected_until]
    if len(past) > MAX_BILLED:
        kept_from = past[-MAX_BILLED].start
        state.forgotten_until = max(state.forgotten_until, kept_from)
        state.billed = [billed for billed in state.billed if billed.start >= kept_from]
    since = state.billed[0].start if state.billed else state.collected_until
    before, state.prices = state.prices, without_past(state.prices, since)
    kept = dict.fromkeys(map(INTERVAL, state.prices))
    for price in before:
        if INTERVAL(price) not in kept:
            state.forgotten_prices = inserted(state.forgotten_prices, price)
    state.forgotten_prices = state.forgotten_prices[-MAX_FORGOTTEN_PRICES:]


def _repriced(state: State, price: Price) -> Iterator[tuple[Billed, Billed]]:
    """What was billed at another price than would be in force with this one: before and after."""
    if price.start >= state.collected_until:
        return
    reach = min(price.end + MAX_CARRY_MS, state.collected_until)
    known = inserted(state.prices, price)
    for billed in state.billed:
        if billed.start < reach and price.start < billed.end:
            micros = mean(stretches(known, billed.start, billed.end)).micros
            if micros != billed.micros:
                yield billed, billed._replace(micros=micros)


def _half_up(total: int, whole: int) -> int:
    return (2 * total + whole) // (2 * whole)
