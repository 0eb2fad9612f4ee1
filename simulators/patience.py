"""How long event time waits for advice that may never come. Pure, told the wall time.

The optimizer says nothing when it has nothing to change, and commits how far it is once a second,
which is a whole price interval at full speed. So the wait for its plan has an end, and no fixed one
suits every machine: it follows how long plans take here. One that comes later still, or that no
price asked for, takes effect later in event time and changes what is earned: of this one step a
slow machine does not get the same results.
"""

from __future__ import annotations

from dataclasses import dataclass, field

_MARGIN = 2.0  # times what the slowest recent answer took
_FORGETS = 0.98  # with each answer, so that one slow start does not slow the whole play
_MOST = 8.0  # times the least
_FORGOTTEN_AFTER_S = 60.0


@dataclass(slots=True)
class Patience:
    """least_s: the wait while answers are quick; 0: never wait.

    wait_s: the wait now, at most eight times the least
    late: answers that came after the wait for them was over
    """

    least_s: float
    wait_s: float = 0.0
    late: int = 0
    _asked: dict[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.wait_s = self.least_s

    def ask(self, name: str, now_s: float) -> float:
        """Until when to wait for the answer to what is published now."""
        while self._asked:
            oldest = next(iter(self._asked))
            if self._asked[oldest][0] > now_s - _FORGOTTEN_AFTER_S:
                break
            del self._asked[oldest]
        self._asked[name] = now_s, now_s + self.wait_s
        return now_s + self.wait_s

    def answered(self, name: str, now_s: float) -> None:
        """Something that nobody asked here, or long ago, teaches nothing."""
        asked_s, until_s = self._asked.pop(name, (now_s, now_s))
        self.late += now_s > until_s
        wanted_s = max(_MARGIN * (now_s - asked_s), _FORGETS * self.wait_s, self.least_s)
        self.wait_s = min(wanted_s, _MOST * self.least_s)
