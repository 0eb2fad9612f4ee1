"""What every agent that knows a site keeps of it, in the same way.

Nothing is judged here: what these bounds drop was taken by the site, and no rule of
`streams.site_rules` decides what is kept of it. So a change of a rule changes no state; a change of
a bound here is a change of the states' shape (`Agent.state_version`).

Prices are kept by the start of their interval, in ascending order, in whatever form an agent keeps
them: `start_of` tells the start of one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

MAX_PRICES = 2_500
"""Prices that are kept, of power and of hashes each: the horizon at a price every five minutes."""
MAX_LIFTED = 1_000
"""Lifted curtailments that are remembered until they would have ended, so that a repeated request
does not bring one back. Of more, those that would have ended first are forgotten."""


def with_price(
    known: Sequence[T], price: T, now: int | None, start_of: Callable[[T], int]
) -> list[T]:
    """With one that was not refused. It replaces an earlier word for the same start; where more
    would be kept than may be, the furthest gives way, and not the past that is forgotten anyhow."""
    start = start_of(price)
    position = bisect_left(known, start, key=start_of)
    replaces = position < len(known) and start_of(known[position]) == start
    kept = [*known[:position], price, *known[position + replaces :]]
    return without_past(kept, now, start_of)[:MAX_PRICES]


def without_past(known: list[T], now: int | None, start_of: Callable[[T], int]) -> list[T]:
    """Of what has begun by the clock only the last is kept: it is in force."""
    begun = 0 if now is None else bisect_right(known, now, key=start_of)
    return known[begun - 1 :] if begun > 1 else known
