"""Which times can be of a site, by the site's own clock: one rule for every agent that reads it.

A price stamped in seconds instead of milliseconds is a price of January 1970, and the last of many
such would come into force. So each time that a producer writes must be near the site's clock;
before the first tick, not long before the site was configured.

The clock itself is `streams.site_inputs.tick`. An operator's correction of it is judged by neither:
it is what helps when the clock is wrong. When a customer asked is what the customer's clock said:
nothing is decided by it, so it is refused to nobody, and the site's time stands where it is not of
it (`time_among`).
"""

from __future__ import annotations

from typing import NamedTuple

from schemas.events.sites import (
    ClockCorrected,
    CurtailmentRequested,
    EnergyMetered,
    HashpricePublished,
    PowerPricePublished,
    SitesEvent,
    TimePassed,
    WorkloadCancelled,
    WorkloadSubmitted,
)
from streams.clock_text import utc
from streams.quantities import DAY_MS
from streams.refusal import Refusal
from streams.site_inputs import INPUTS, MAX_JUMP_MS, possible_time

MAX_PAST_MS = 366 * DAY_MS
"""Nothing older reaches a site: markets and meters are settled anew for months, not for years."""
MAX_AHEAD_MS = MAX_JUMP_MS
"""As far ahead as the clock itself may go in one step. How far ahead prices may lie is
`streams.site_rules.PRICE_HORIZON_DAYS`; a deadline or a curtailment may be in any later year."""


class TimeField(NamedTuple):
    """A field that holds a time, and whether it may lie ahead of everything else."""

    name: str
    may_be_far_ahead: bool = False


_AT = TimeField("at")
_TIMES: dict[type, tuple[TimeField, ...]] = {
    TimePassed: (),
    ClockCorrected: (),
    CurtailmentRequested: (_AT, TimeField("starts_at", may_be_far_ahead=True)),
    EnergyMetered: (_AT, TimeField("interval_start"), TimeField("interval_end")),
    HashpricePublished: (_AT, TimeField("interval_start", may_be_far_ahead=True)),
    PowerPricePublished: (
        _AT,
        TimeField("interval_start", may_be_far_ahead=True),
        TimeField("interval_end", may_be_far_ahead=True),
    ),
    WorkloadCancelled: (),
    WorkloadSubmitted: (TimeField("deadline", may_be_far_ahead=True),),
}


def times_of(kind: type) -> tuple[TimeField, ...]:
    """The times in inputs of this type that must be of the site's time."""
    return _TIMES.get(kind, (_AT,))


def time_among(now: int | None, at: int) -> int:
    """`at`, unless a clock that stands at `now` cannot be near it."""
    if now is not None and abs(at - now) > MAX_JUMP_MS:
        return now
    return possible_time(at)


def time_refusal(event: SitesEvent, now: int | None, configured_at: int | None) -> Refusal | None:
    """Why a time of this input cannot be of this site; None when each can, or nobody can tell.

    now: the site's clock, ms, None before the first tick
    configured_at: when the site was last configured, None where that was not remembered
    """
    reference = configured_at if now is None else now
    if reference is None or type(event) not in INPUTS:
        return None
    for name, may_be_far_ahead in times_of(type(event)):
        at: int | None = getattr(event, name)
        if at is None or (at >= reference and (may_be_far_ahead or now is None)):
            continue
        if not reference - MAX_PAST_MS <= at <= reference + MAX_AHEAD_MS:
            return Refusal("bad_time", _told(name, at, now, reference))
    return None


def _told(name: str, at: int, now: int | None, reference: int) -> str:
    stands = "clock stands at" if now is not None else "configuration is of"
    return (
        f"{name} is {utc(at)}, but the site's {stands} {utc(reference)}: a time must be at most "
        f"{MAX_PAST_MS // DAY_MS} days before it and {MAX_AHEAD_MS // DAY_MS} after it. Times are "
        "milliseconds since 1970, UTC."
    )
