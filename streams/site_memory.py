"""What every agent that knows a site keeps of it, in the same way.

Nothing is judged here: what these bounds drop was taken by the site, and no rule of
`streams.site_rules` decides what is kept of it. So a change of a rule changes no state; a change of
a bound here is a change of the states' shape (`Agent.state_version`).

Which of the prices that are kept is in force is `streams.prices`.
"""

from __future__ import annotations

from collections.abc import Sequence

from streams.prices import Price, inserted, without_past

MAX_PRICES = 2_500
"""Prices that are kept, of power and of hashes each: the horizon at a price every five minutes, and
an hourly one as well."""
MAX_LIFTED = 1_000
"""Lifted curtailments that are remembered until they would have ended, so that a repeated request
does not bring one back. Of more, those that would have ended first are forgotten."""


def with_price(known: Sequence[Price], price: Price, now: int | None) -> list[Price]:
    """With one that was not refused. Where more would be kept than may be, the furthest gives way,
    and not the past that is forgotten anyhow."""
    return without_past(inserted(known, price), now)[:MAX_PRICES]
