"""Partitions that an open transaction holds back: which stands still, since when, and why. Pure.

This is an alert that is no event. `AlertRaised` would be written to the log that stands still,
behind the very transaction that holds it back, and nobody would read it before all is well again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from pydantic import BaseModel, Field

STANDS_STILL_S = 3.0  # a transaction of a stream processor lasts a tenth of a second


class Ends(NamedTuple):
    """stable: the offset after what may be read; high: after the last record"""

    stable: int
    high: int


class Standstill(BaseModel):
    """A partition in which nothing can be read behind an offset, for some seconds already."""

    log: str
    partition: int
    offset: int = Field(description="of the first record of the oldest transaction that is open")
    since: datetime = Field(description="when it was first seen to stand there")
    waiting: int = Field(description="offsets that are on the log and cannot be read")
    detail: str = Field(description="all of it, as a sentence")


class Standstills:
    """What it knows it has been shown; a transaction that ends, or times out, clears it.

    A look that failed says nothing: who stands at the same offset afterwards has stood there all
    the while, as offsets are not given twice.
    """

    def __init__(self) -> None:
        self._since_s: dict[tuple[str, int], tuple[int, float]] = {}

    def see(self, ends: Mapping[tuple[str, int], Ends], now_s: float) -> list[Standstill]:
        """Those that stand still by now, in order. ends: by topic and partition; now_s: epoch."""
        before, self._since_s = self._since_s, {}
        found = []
        for place, end in sorted(ends.items()):
            if end.high <= end.stable:
                continue
            offset, since_s = before.get(place, (end.stable, now_s))
            if offset != end.stable:
                since_s = now_s
            self._since_s[place] = end.stable, since_s
            if now_s - since_s >= STANDS_STILL_S:
                found.append(_standstill(place, end, since_s))
        return found


def _standstill(place: tuple[str, int], end: Ends, since_s: float) -> Standstill:
    log, partition = place
    since, waiting = datetime.fromtimestamp(int(since_s), UTC), end.high - end.stable
    return Standstill(
        log=log,
        partition=partition,
        offset=end.stable,
        since=since,
        waiting=waiting,
        detail=f"{log}:{partition} stands still at offset {end.stable} since {since:%H:%M:%S} UTC: "
        f"a producer's transaction is open there, and {waiting} offsets wait for its end",
    )
