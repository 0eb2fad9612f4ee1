"""What a site refuses because of what it knows already: one rule for every agent that knows it.

Routing answers with the refusal. Optimization and metering read an input before that answer, so
they must come to the same verdict, and keep the same prices afterwards. What no site takes is
`streams.site_inputs`; what only routing can judge is `streams.routing.rejection`.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Protocol

from schemas.events.sites import CurtailmentRequested, UnitRegistered
from streams.clock_text import utc
from streams.prices import Price
from streams.quantities import DAY_MS, MS_PER_S
from streams.refusal import Refusal
from streams.site_inputs import MAX_UNITS
from streams.site_memory import MAX_PRICES

PRICE_HORIZON_DAYS = 8
"""How far ahead of its clock a site takes prices: a week of day-ahead prices, and a day."""
MAX_CURTAILMENTS = 100
"""Curtailments that may be open at once. One that was lifted or is over is not open."""


class Asked(Protocol):
    """A curtailment that a site knows, open or lifted."""

    @property
    def max_power_w(self) -> int: ...
    @property
    def starts_at(self) -> int: ...
    @property
    def ends_at(self) -> int: ...
    @property
    def lifted(self) -> bool: ...


def price_refusal(known: Sequence[Price], start: int, now: int | None) -> Refusal | None:
    """Too far ahead of the clock; or, where no more are kept, later than every price that is.

    Before the first tick there is no clock to be ahead of: any price is kept then, and gives way to
    nearer ones as they come.
    """
    if now is not None and start > now + PRICE_HORIZON_DAYS * DAY_MS:
        told = f"It starts at {utc(start)}, more than {PRICE_HORIZON_DAYS} days after {utc(now)}."
        return Refusal("price_too_far_ahead", told)
    if len(known) < MAX_PRICES or start <= known[-1].start:
        return None
    return Refusal("too_many_prices", f"{MAX_PRICES} prices of earlier intervals wait already.")


def curtailment_refusal(
    known: Mapping[str, Asked], now: int | None, event: CurtailmentRequested
) -> Refusal | None:
    """A repeated request is no refusal, and changes nothing."""
    ends_at = event.starts_at + event.duration_s * MS_PER_S
    same = known.get(event.curtailment_id)
    if same is not None:
        asked = (same.max_power_w, same.starts_at, same.ends_at)
        if asked == (event.max_power_w, event.starts_at, ends_at):
            return None
        return Refusal(
            "curtailment_id_taken", f"Curtailment {event.curtailment_id} asked for something else."
        )
    if now is not None and ends_at <= now:
        return Refusal("curtailment_over", f"It would have ended at {utc(ends_at)}, before now.")
    if sum(not curtailment.lifted for curtailment in known.values()) >= MAX_CURTAILMENTS:
        return Refusal("too_many_curtailments", f"{MAX_CURTAILMENTS} curtailments are open.")
    return None


def registration_refusal(
    feeders: Container[str], kind: str | None, units: int, event: UnitRegistered
) -> Refusal | None:
    """kind: what the unit is registered as, if it is; units: how many the site has"""
    if event.feeder_id not in feeders:
        return Refusal("unknown_feeder", f"Feeder {event.feeder_id!r} is not one of this site.")
    if kind is None and units >= MAX_UNITS:
        return Refusal("too_many_units", f"The site has {MAX_UNITS} units already.")
    if kind is not None and kind != event.kind:
        return Refusal("kind_changed", f"{event.unit_id} is registered as {kind}.")
    return None
