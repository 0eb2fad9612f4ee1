"""Whether a reader of a log moves: not how far behind it is, but how long it took nothing. Pure.

A thousand events behind and moving is a burst; one event behind for a minute is a dead worker.
"""

from __future__ import annotations

from collections.abc import Mapping

Place = tuple[str, int]  # topic and partition


class Progress:
    """Since when each part has left events waiting without taking one of them.

    It knows what it has been shown since it was made: a part that stood still before is found out
    as late as one that stops now.
    """

    def __init__(self) -> None:
        self._still: dict[str, dict[Place, tuple[int, float]]] = {}

    def stalled_s(
        self, part: str, at: Mapping[Place, int], ends: Mapping[Place, int], now_s: float
    ) -> float:
        """How long the part's slowest partition has stood still; 0 where nothing waits.

        at: the next offset that the part takes; ends: the offset after the last record; both by
        partition, and an absent position is 0
        """
        before, still = self._still.get(part, {}), {}
        for place, end in ends.items():
            position = at.get(place, 0)
            if position < end:
                seen, since_s = before.get(place, (position, now_s))
                still[place] = (position, since_s if seen == position else now_s)
        self._still[part] = still
        return max((now_s - since_s for _, since_s in still.values()), default=0.0)

    def forget(self, part: str) -> None:
        """Where nothing can be seen nothing is known, as while the broker is away."""
        self._still.pop(part, None)
