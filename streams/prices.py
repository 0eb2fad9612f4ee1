"""Which price is in force at a moment: one rule for every agent, and for the views of money.

- A price holds from its start up to its end, whatever that is: five minutes, fifteen, an hour, on
  the clock's grid or off it by seconds.
- Of several that hold at once, the one of the shortest interval is in force, and of equally long
  ones the latest to start: a five-minute price counts inside an hourly one, in whatever order the
  two come, and a settlement fills what finer prices leave open.
- A later word for the same interval replaces the earlier one.
- Where none holds, the one that ended last is carried forward, for at most `MAX_CARRY_MS`: a gap
  between two prices loses nothing, and a feed that died is not believed for ever.

A hashprice has no end: it holds until `FOREVER_MS`, so by the same rule the latest to start is in
force.

What an agent keeps is a list in ascending order of start and end.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import pairwise
from operator import attrgetter
from typing import NamedTuple

from schemas.events.sites import HashpricePublished, PowerPricePublished

MAX_CARRY_MS = 3_600_000
"""How long past its end a price is carried forward: the longest interval of a market."""

FOREVER_MS = 2**53
"""Later than any time: the end of what has none."""

MAX_NESTED = 8
"""Prices that hold at once and are kept for when a shorter one ends; of more the longest give way.
No market nests more than three (a day's, an hour's, a dispatch)."""


@dataclass(frozen=True, slots=True)
class Price:
    """From start up to end, ms. micros: micro-dollars a MWh, or a PH/s for a day."""

    start: int
    end: int
    micros: int


class Stretch(NamedTuple):
    """A stretch of time with one price, or with none."""

    start: int
    end: int
    micros: int | None


START = attrgetter("start")
INTERVAL = attrgetter("start", "end")


def power_price(event: PowerPricePublished) -> Price:
    """Exact: a price has at most six decimals."""
    micros = int(event.price_usd_per_mwh.scaleb(6))
    return Price(event.interval_start, event.interval_end, micros)


def hashprice(event: HashpricePublished) -> Price:
    micros = int(event.hashprice_usd_per_ph_day.scaleb(6))
    return Price(event.interval_start, FOREVER_MS, micros)


def in_force(known: Sequence[Price], at: int) -> Price | None:
    begun = known[: bisect_right(known, at, key=START)]
    holding = [price for price in begun if price.end > at]
    if holding:
        return min(holding, key=_rank)
    last = max(begun, key=_ended, default=None)
    return last if last is not None and at < last.end + MAX_CARRY_MS else None


def stretches(known: Iterable[Price], start: int, end: int) -> list[Stretch]:
    """[start, end) cut wherever another price comes into force, or none does."""
    near = sorted(
        (price for price in known if price.start < end and price.end + MAX_CARRY_MS > start),
        key=INTERVAL,
    )
    moments = {start, end}
    for price in near:
        moments |= {price.start, price.end, price.end + MAX_CARRY_MS}
    cuts = sorted(moment for moment in moments if start <= moment <= end)
    by_end = sorted(near, key=_ended)
    holding: list[tuple[tuple[int, int], Price]] = []
    found: list[Stretch] = []
    begun = ended = 0
    for at, until in pairwise(cuts):
        while begun < len(near) and near[begun].start <= at:
            heappush(holding, (_rank(near[begun]), near[begun]))
            begun += 1
        while holding and holding[0][1].end <= at:
            heappop(holding)
        while ended < len(by_end) and by_end[ended].end <= at:
            ended += 1
        last = by_end[ended - 1] if ended else None
        if holding:
            micros: int | None = holding[0][1].micros
        else:
            micros = last.micros if last is not None and at < last.end + MAX_CARRY_MS else None
        if found and found[-1].micros == micros:
            found[-1] = found[-1]._replace(end=until)
        else:
            found.append(Stretch(at, until, micros))
    return found


def find(known: Sequence[Price], price: Price) -> Price | None:
    """The one for the same interval."""
    position = bisect_left(known, INTERVAL(price), key=INTERVAL)
    found = known[position] if position < len(known) else None
    return found if found is not None and INTERVAL(found) == INTERVAL(price) else None


def inserted(known: Sequence[Price], price: Price) -> list[Price]:
    """In its place; a word for the same interval replaces the earlier one."""
    position = bisect_left(known, INTERVAL(price), key=INTERVAL)
    replaces = find(known, price) is not None
    return [*known[:position], price, *known[position + replaces :]]


def without_past(known: list[Price], now: int | None) -> list[Price]:
    """Without what can never be in force again from `now` on.

    Of the prices that hold, one is of no use when another that is preferred to it ends no sooner.
    Of those that ended, the last is carried forward while none holds.
    """
    begun = 0 if now is None else bisect_right(known, now, key=START)
    if now is None or not begun or (begun == 1 and in_force(known, now) is not None):
        return known
    kept: list[Price] = []
    until = now
    for price in sorted(known[:begun], key=_rank):
        if price.end > until and len(kept) < MAX_NESTED:
            kept.append(price)
            until = price.end
    if not kept:
        carried = in_force(known, now)
        kept = [] if carried is None else [carried]
    return [*sorted(kept, key=INTERVAL), *known[begun:]]


def _rank(price: Price) -> tuple[int, int]:
    """The smallest is in force, of those that hold."""
    return price.end - price.start, -price.start


def _ended(price: Price) -> tuple[int, int]:
    """The greatest is carried forward: the last to end, of those the shortest."""
    return price.end, price.start
