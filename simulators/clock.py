"""Event time against wall time: a ceiling on speed, never a promise. Pure, told the wall time."""

from __future__ import annotations

from dataclasses import dataclass

_CATCH_UP_S = 2.0


@dataclass(slots=True)
class Clock:
    """speed: simulated seconds for each wall second, at most, until event time `closes_ms`; from
    there on one.

    Time lost to waiting is made up for, as far as the last two wall seconds go; the rest is lost.
    """

    speed: float
    event_ms: int
    wall_s: float
    closes_ms: int

    def target_ms(self, wall_s: float) -> int:
        """How far event time may be at this wall time."""
        since_s = wall_s - self.wall_s
        in_play_s = min(since_s, max(0, self.closes_ms - self.event_ms) / 1000 / self.speed)
        return self.event_ms + int((in_play_s * self.speed + (since_s - in_play_s)) * 1000)

    def reached(self, event_ms: int, wall_s: float) -> None:
        """Event time stands here now; ahead of us when somebody else's tick moved it."""
        if event_ms > self.target_ms(wall_s):
            self.event_ms, self.wall_s = event_ms, wall_s
            return
        pace = self.speed if event_ms < self.closes_ms else 1.0
        allowed_ms = int(_CATCH_UP_S * pace * 1000)
        if self.target_ms(wall_s) - event_ms > allowed_ms:
            self.event_ms, self.wall_s = event_ms + allowed_ms, wall_s
