"""When an hour is complete, and who is told."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.events.accounts import UsageCollected
from streams.metering.intervals import DAY_MS, HOUR_MS, QUARTER_MS, covers, floor_to
from streams.metering.state import ALLOWANCE_MS, IDLE_MS, Customer, Placement, State
from streams.metering.usage import placements_by_unit, price_at

MAX_HOURS = 48
"""Hours collected at once; the next tick goes on."""

EAGER_MS = 48 * HOUR_MS
"""An idle customer is told hourly for two days (a draft's grace must end), then each midnight."""


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


def forget(state: State) -> None:
    """Drop what no later hour needs."""
    until = state.collected_until
    for placement_id, placement in list(state.placements.items()):
        if placement.ends_at is not None and placement.ends_at <= until:
            del state.placements[placement_id]
    for feeder_id, by_start in list(state.readings.items()):
        for start in [start for start, reading in by_start.items() if reading.ends_at <= until]:
            del by_start[start]
        if not by_start:
            del state.readings[feeder_id]
    for start in [start for start, price in state.prices.items() if price.ends_at <= until]:
        del state.prices[start]
    for customer_id, customer in list(state.customers.items()):
        if not customer.admitted and until - customer.active_at > IDLE_MS:
            del state.customers[customer_id]


def _complete(state: State, hour: int, now: int) -> bool:
    """All meters and prices of what ran are there, or were waited for long enough."""
    if now >= hour + HOUR_MS + ALLOWANCE_MS:
        return True
    on_unit = placements_by_unit(state, hour)
    for feeder_id, unit_ids in state.gpus.items():
        placements = [
            placement for unit_id in unit_ids for placement in on_unit.get(unit_id, {}).values()
        ]
        if placements and not _known(state, feeder_id, *_span(placements, hour)):
            return False
    return True


def _span(placements: list[Placement], hour: int) -> tuple[int, int]:
    end = hour + HOUR_MS
    return (
        max(hour, min(placement.starts_at for placement in placements)),
        min(end, max(end if p.ends_at is None else p.ends_at for p in placements)),
    )


def _known(state: State, feeder_id: str, start: int, end: int) -> bool:
    by_start = state.readings.get(feeder_id, {})
    metered = ((start, reading.ends_at) for start, reading in sorted(by_start.items()))
    quarters = range(floor_to(start, QUARTER_MS), end, QUARTER_MS)
    return covers(metered, start, end) and all(
        price_at(state, quarter) is not None for quarter in quarters
    )


def _due(customer: Customer, before: int, until: int) -> bool:
    if customer.admitted or until - customer.active_at <= EAGER_MS:
        return True
    return floor_to(until, DAY_MS) > before
