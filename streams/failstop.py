"""Work that goes on only as long as all of it so far was done whole.

A process that failed half way through may hold in memory what no log holds. So the first failure is
the last thing it does: nothing may be made durable after it, and nothing acknowledged. A new
process begins from what the log says.
"""

from __future__ import annotations

from types import TracebackType

from streams.errors import StreamError


class FailStop:
    """Entered around each piece of work. After one that raised, entering raises `refusal`.

    harmless: what work may raise when it has changed nothing, and so may be tried again
    """

    def __init__(
        self, refusal: type[StreamError], *, harmless: tuple[type[Exception], ...] = ()
    ) -> None:
        self._refusal = refusal
        self._harmless = harmless
        self._reason: str | None = None

    def fail(self, reason: str) -> None:
        """The first reason stands."""
        self._reason = self._reason or reason

    def check(self) -> None:
        if self._reason is not None:
            raise self._refusal(self._reason)

    def __enter__(self) -> None:
        self.check()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None and not isinstance(error, self._harmless):
            self.fail(f"nothing more after {type(error).__name__}: {error}")
