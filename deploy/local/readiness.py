"""Does a process serve? Asked again and again, beside the loop that keeps processes running.

An answer may take seconds, or never come, and the loop must not wait for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

ASK_EVERY_S = 5.0  # one that serves
ASK_AGAIN_S = 0.25  # one that does not, measured from the question before
SLOW_S = 5.0  # no answer for this long is one


class Question(threading.Thread):
    def __init__(self, ready: Callable[[], bool]) -> None:
        super().__init__(daemon=True)  # one that hangs must not keep us from ending
        self._ready = ready
        self.asked_at = time.monotonic()
        self.answer = False

    def run(self) -> None:
        self.answer = self._ready()


class Readiness:
    """Of one process, from its start."""

    def __init__(self, ready: Callable[[], bool]) -> None:
        self._ready = ready
        self._question: Question | None = None
        self._next_at = time.monotonic()
        self._failing_since: float | None = time.monotonic()  # it has not served yet

    def unready_s(self) -> float:
        """For how long it has not served; 0 when it serves. Never waits; call it often."""
        now = time.monotonic()
        asked = self._question
        if asked is not None and not asked.is_alive():
            self._learn(asked)
            asked = self._question = None
        if asked is None and now >= self._next_at:
            self._question = Question(self._ready)
            self._question.start()
        elif asked is not None and now - asked.asked_at > SLOW_S:
            self._failing_since = self._failing_since or asked.asked_at
        return 0.0 if self._failing_since is None else max(1e-9, now - self._failing_since)

    def _learn(self, asked: Question) -> None:
        if asked.answer:
            self._failing_since = None
        elif self._failing_since is None:
            self._failing_since = asked.asked_at
        self._next_at = asked.asked_at + (ASK_EVERY_S if asked.answer else ASK_AGAIN_S)
