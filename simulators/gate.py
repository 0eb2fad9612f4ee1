"""How far routing is: the reason why a slow machine gets the same results, only later.

Event time goes no further than routing can follow:

- after a question (a submission, a completion, a failure, …) it stands still until routing is past
  it, so an answer takes effect at the moment of event time that asked for it;
- without questions it runs at most `lead_ms` ahead of what routing is known to have read.

Routing is known to be past an input by the `cause` of what it answered, or by the offset its
consumer group committed. Pure.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from schemas.envelope import Cause
from schemas.events import sites
from schemas.topics import Event

QUESTIONS: tuple[type[Event], ...] = (
    sites.WorkloadSubmitted,
    sites.WorkloadCompleted,
    sites.WorkloadCancelled,
    sites.UnitFailed,
    sites.UnitRecovered,
)


@dataclass(slots=True)
class Gate:
    """For one partition of the site log.

    passed: routing is past every offset below it
    confirmed_at: event time of the newest of our records that routing is past
    undelivered: questions whose offset the broker has not told yet
    """

    lead_ms: int
    passed: int = 0
    confirmed_at: int | None = None
    undelivered: int = 0
    _sent: deque[tuple[int, int, bool]] = field(default_factory=deque)
    _questions: int = 0

    def published(self, event: Event) -> None:
        if is_question(event):
            self.undelivered += 1

    def delivered(self, event: Event, offset: int) -> None:
        """The broker has our record. Offsets rise."""
        question = is_question(event)
        self.undelivered -= question
        self.found(event, offset)

    def found(self, event: Event, offset: int) -> None:
        """Our record is in the log: delivered now, or before this process began."""
        question = is_question(event)
        self._questions += question
        self._sent.append((offset, event.at, question))
        self._forget_passed()

    def answered(self, cause: Cause) -> None:
        """The last of an input's answers: routing is past it."""
        complete = cause.index == cause.count - 1
        self.committed(cause.offset + complete)

    def committed(self, next_offset: int) -> None:
        if next_offset > self.passed:
            self.passed = next_offset
            self._forget_passed()

    def is_open(self, at: int) -> bool:
        """Whether event time may reach `at`."""
        if self.undelivered or self._questions:
            return False
        if not self._sent or self.confirmed_at is None:
            return True
        return at - self.confirmed_at <= self.lead_ms

    def waits_for(self) -> str:
        if self.undelivered:
            return "Kafka to take our records"
        if not self._sent:
            return "nothing"
        return f"routing to read offset {self._sent[0][0]}"

    def _forget_passed(self) -> None:
        while self._sent and self._sent[0][0] < self.passed:
            _, at, question = self._sent.popleft()
            self._questions -= question
            self.confirmed_at = max(at, self.confirmed_at or at)
        if self.confirmed_at is None and self._sent:
            self.confirmed_at = self._sent[0][1]


def is_question(event: Event) -> bool:
    if isinstance(event, sites.UnitSwitched):
        return not event.succeeded
    return isinstance(event, QUESTIONS)
