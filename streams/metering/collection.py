"""When an hour is complete, and who is told.

A price for a longer interval, as of a day-ahead market, says nothing about whether the settlement
has come. So an hour waits for prices as short as the shortest that was heard of within a day before
it; where that feed died or changed to longer intervals, the allowance ends the wait.
"""

from __future__ import annotations

from collections.abc import Iterator

from schemas.events.accounts import UsageCollected
from streams.metering.differences import forget_prices
from streams.metering.intervals import covers, floor_to
from streams.metering.state import (
    ALLOWANCE_MS,
    IDLE_MS,
    MAX_PRICE_LENGTHS,
    Customer,
    State,
)
from streams.prices import FOREVER_MS, Price
from streams.quantities import DAY_MS, HOUR_MS

MAX_HOURS = 48
"""Hours collected at once; the next tick goes on."""

EAGER_MS = 48 * HOUR_MS
"""An idle customer is told hourly for two days (a draft's grace must end), then each midnight."""

MAX_GAP_MS = 60_000
"""A gap between prices that is not waited for: no market's interval is so short."""


def collectable_until(state: State, now: int, closed_until: int) -> int:
    """The end of the newest hour that is complete, all before it being complete too."""
    until = state.collected_until
    for _ in range(MAX_HOURS):
        end = until + HOUR_MS
        if end > closed_until or not _complete(state, until, now):
            break
        until = end
    return until


def watermarks(state: State, until: int, *, at: int) -> Iterator[UsageCollected]:
    """One for each customer that is due one, in ascending order."""
    for customer_id, customer in sorted(state.customers.items()):
        if _due(customer, state.collected_until, until):
            yield UsageCollected(
                customer_id=customer_id, at=at, site_id=state.site_id, collected_until=until
            )


def hear_length(state: State, price: Price) -> None:
    """Remember how long prices are. One of the future is heard of now, one of the past was then."""
    length = price.end - price.start
    heard_at = price.end if state.now is None else min(price.end, state.now)
    lengths = {**state.price_lengths, length: max(heard_at, state.price_lengths.get(length, 0))}
    kept: dict[int, int] = {}
    latest = state.collected_until - DAY_MS
    for length, heard_at in sorted(lengths.items()):
        if heard_at > latest and len(kept) < MAX_PRICE_LENGTHS:
            kept[length] = latest = heard_at
    state.price_lengths = kept


def forget(state: State) -> None:
    """Drop what no later hour needs."""
    until = state.collected_until
    for placement_id, placement in list(state.placements.items()):
        if placement.ends_at is not None and placement.ends_at <= until:
            del state.placements[placement_id]
    for unit_id, readings in list(state.readings.items()):
        for start in [start for start, reading in readings.items() if reading.ends_at <= until]:
            del readings[start]
        if not readings:
            del state.readings[unit_id]
    for feeder_id, meters in list(state.metered.items()):
        for start in [start for start, ends_at in meters.items() if ends_at <= until]:
            del meters[start]
        if not meters:
            del state.metered[feeder_id]
    forget_prices(state)
    for customer_id, customer in list(state.customers.items()):
        if not customer.admitted and until - customer.active_at > IDLE_MS:
            del state.customers[customer_id]


def _complete(state: State, hour: int, now: int) -> bool:
    """All meters and prices of what ran are there, or were waited for long enough."""
    if now >= hour + HOUR_MS + ALLOWANCE_MS:
        return True
    spans: dict[str, tuple[int, int]] = {}
    for placement in state.placements.values():
        start, end = placement.within(hour, hour + HOUR_MS)
        for feeder_id in placement.feeders if start < end else ():
            first, last = spans.get(feeder_id, (start, end))
            spans[feeder_id] = min(first, start), max(last, end)
    priced = _settled(state, hour)
    return all(_known(state, priced, feeder_id, *span) for feeder_id, span in spans.items())


def _settled(state: State, hour: int) -> list[tuple[int, int]]:
    """Prices of the finest feed: less than twice as long as its shortest, for lengths may be off by
    seconds."""
    since = hour - DAY_MS
    lengths = [length for length, heard_at in state.price_lengths.items() if heard_at > since]
    too_long = 2 * min(lengths) if lengths else FOREVER_MS
    return [
        (price.start, price.end) for price in state.prices if price.end - price.start < too_long
    ]


def _known(
    state: State, priced: list[tuple[int, int]], feeder_id: str, start: int, end: int
) -> bool:
    metered = sorted(state.metered.get(feeder_id, {}).items())
    return covers(metered, start, end) and covers(priced, start, end, MAX_GAP_MS)


def _due(customer: Customer, before: int, until: int) -> bool:
    if customer.admitted or until - customer.active_at <= EAGER_MS:
        return True
    return floor_to(until, DAY_MS) > before
