"""How fast a reader may put records of one partition aside.

A reader that understands nothing is as likely wrong as the writers: it must not drain a log at full
speed. And a flood of garbage must not take what the other partitions need. So a partition rests, by
itself, once its dead letters come faster than this, or take two thirds of the reader's time: that
is less on a busy machine. Nothing is skipped and none is left out.
"""

from __future__ import annotations

BURST = 20  # dead letters that may come at once
RATE = 600.0  # a second
MANY = 20_000  # in a row, with nothing understood in between: no burst any more
SLOW_RATE = 20.0  # a second from then on
SHARE = 1.5  # of what they take, so much until the next ones
AT_ONCE_S = 0.02  # a shorter rest waits for the next: each one costs requests of its own


class Pace:
    """Of one reader on one partition. Times are seconds of any clock that does not go back."""

    def __init__(self) -> None:
        self._paid_until = 0.0

    def put_aside(self, count: int, in_a_row: int, now_s: float, took_s: float) -> float:
        """How long the partition must rest after so many more dead letters, in seconds.

        in_a_row: dead letters since the last record that was understood, these included
        took_s: how long the reader was busy with them
        """
        rate = RATE if in_a_row < MANY else SLOW_RATE
        owed_s = max(count / rate, SHARE * took_s)
        self._paid_until = max(self._paid_until, now_s - BURST / RATE) + owed_s
        rest_s = self._paid_until - now_s
        return rest_s if rest_s >= AT_ONCE_S else 0.0
