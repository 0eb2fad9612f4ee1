"""A price that holds from one moment until the next, and the strike rule that watches one.

Prices are integer micro-dollars, times integer milliseconds, so an integral over time is exact:
what a constant power costs between two moments is the power times the difference of two integrals,
however many prices lie between them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import pairwise

WINDOW_MS = 5 * 60_000
STRIKE_USD_MICROS = 80_000_000
SCARCITY_USD_MICROS = 150_000_000
WINDOWS_TO_STOP = 2
WINDOWS_TO_START = 4


class PriceSeries:
    """The first price holds before its time too, the last for ever; no price at all is zero."""

    def __init__(self, prices: Iterable[tuple[int, int]]) -> None:
        """prices: (from when, micro-dollars); of two at one moment the later given counts."""
        ordered = sorted(dict(prices).items()) or [(0, 0)]
        self._times = [moment for moment, _ in ordered]
        self._values = [value for _, value in ordered]
        self._integrals = [0]
        for (start, value), (end, _) in pairwise(ordered):
            self._integrals.append(self._integrals[-1] + value * (end - start))

    def at(self, moment_ms: int) -> int:
        return self._values[self._index(moment_ms)]

    def integral(self, moment_ms: int) -> int:
        """Micro-dollars times milliseconds since the first price."""
        index = max(0, bisect_right(self._times, moment_ms) - 1)
        return self._integrals[index] + self._values[index] * (moment_ms - self._times[index])

    def _index(self, moment_ms: int) -> int:
        return max(0, bisect_right(self._times, moment_ms) - 1)


class StrikeRule:
    """The 2-up/4-down rule, from window to window; mining starts on.

    Off after 2 five-minute windows above $80, off at once at $150 or more, on after 4 windows
    below $80. A window counts when it is over; its price is the one at its start.
    """

    def __init__(self) -> None:
        self._running, self._above, self._below = True, 0, 0

    def switches(self, prices: PriceSeries, start_ms: int, end_ms: int) -> list[tuple[int, bool]]:
        """When it turns mining off and on again; goes on where the last call ended."""
        found = []
        for moment in range(start_ms, end_ms, WINDOW_MS):
            price = prices.at(moment)
            if price >= SCARCITY_USD_MICROS:
                wanted = False
            elif self._running:
                wanted = self._above < WINDOWS_TO_STOP
            else:
                wanted = self._below >= WINDOWS_TO_START
            if wanted != self._running:
                self._running = wanted
                found.append((moment, wanted))
            self._above = self._above + 1 if price > STRIKE_USD_MICROS else 0
            self._below = self._below + 1 if price < STRIKE_USD_MICROS else 0
        return found
