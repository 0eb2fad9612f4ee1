"""What an operator's correction of the clock does to what is counted and what is collected.

Moved back, hours that a wrong clock had closed come once more. Energy is then collected for them as
for any other: no meter told of them. GPU time was recorded up to where the wrong clock had stood:
it is not recorded a second time, so a placement that goes on has been billed ahead. Customers'
bills learn by a lower watermark that the site's hours come once more.
"""

from __future__ import annotations

from collections.abc import Iterator

from schemas.events.accounts import UsageCollected
from streams.metering.intervals import floor_to
from streams.metering.state import State
from streams.quantities import HOUR_MS


def correct(state: State, now: int) -> None:
    """Go on from `now`, in place."""
    hour = floor_to(now, HOUR_MS)
    is_first = state.now is None
    state.now, state.doubted = now, None
    if is_first:
        state.closed_until = state.collected_until = hour
    for placement in state.placements.values():
        if placement.starts_at < state.closed_until:
            placement.recorded_until = max(placement.recorded_until, state.closed_until)
        if placement.ends_at is not None:
            placement.ends_at = min(placement.ends_at, now)
        placement.starts_at = now if is_first else min(placement.starts_at, now)
    lengths = state.price_lengths.items()
    state.price_lengths = {length: min(heard_at, now) for length, heard_at in lengths}
    state.closed_until = min(state.closed_until, hour)
    state.collected_until = min(state.collected_until, hour)


def watermarks(state: State, now: int, *, at: int) -> Iterator[UsageCollected]:
    """For every customer, where the correction takes the watermark back."""
    hour = floor_to(now, HOUR_MS)
    if state.now is None or hour >= state.collected_until:
        return
    for customer_id in sorted(state.customers):
        yield UsageCollected(
            customer_id=customer_id,
            at=at,
            site_id=state.site_id,
            collected_until=hour,
            corrected=True,
        )
