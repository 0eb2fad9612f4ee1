"""Being asked to stop: by Ctrl-C, `hcp down`, or a terminal that closes."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
IMPATIENT_AFTER_S = 0.5  # a key that is held down, or pressed twice at once, is one wish


class StopSignals:
    """Remembers what arrived, from when `install` is called."""

    def __init__(self) -> None:
        self._asked = False
        self._interrupted_at: float | None = None  # monotonic
        self._hurried = False
        self._interrupts = False

    def install(self) -> None:
        for number in SIGNALS:
            # nohup has its reason, and a closed terminal is not one to stop then
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._arrived)

    def requested(self) -> bool:
        return self._asked

    def hurried(self) -> bool:
        """A second Ctrl-C. Not any second signal: a closing terminal sends several."""
        return self._hurried

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """Within, a signal raises KeyboardInterrupt: for what has nothing to stop in order."""
        self._interrupts = True
        try:
            if self._asked:
                raise KeyboardInterrupt
            yield
        finally:
            self._interrupts = False

    def _arrived(self, number: int, _frame: FrameType | None) -> None:
        self._asked = True
        if number == signal.SIGINT:
            now = time.monotonic()
            first = self._interrupted_at
            self._hurried |= first is not None and now - first > IMPATIENT_AFTER_S
            self._interrupted_at = first or now
        if self._interrupts:
            self._interrupts = False
            raise KeyboardInterrupt
