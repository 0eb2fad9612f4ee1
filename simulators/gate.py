"""How far an agent is: why a slow machine gets the same answers of routing and brokering, only
later.

Event time goes no further than the agent can follow:

- after a question (a submission, a completion, a failure, a plan, …) it stands still until the
  agent is past it, so an answer takes effect at the moment of event time that asked for it;
- without questions it runs at most `lead_ms` ahead of what the agent is known to have read.

An agent is known to be past an input by the `cause` of what it answered, or by the offset its
consumer group committed. Pure.
"""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.envelope import Cause
from schemas.events import intake, sites
from schemas.topics import INTAKE, SITES, Event, Topic, home_partition, key_of, topic_of

FOLLOWED: Mapping[str, Topic] = {"routing": SITES, "brokering": INTAKE}
"""The agents that event time waits for, and what each reads."""
QUESTIONS: tuple[type[Event], ...] = (
    # Brokering has to know what there is before the first submission comes.
    sites.SiteConfigured,
    sites.UnitRegistered,
    intake.WorkloadSubmitted,
    sites.PowerPlanProposed,
    sites.WorkloadSubmitted,
    sites.WorkloadCompleted,
    sites.WorkloadCancelled,
    sites.UnitFailed,
    sites.UnitRecovered,
)


@dataclass(slots=True)
class Gate:
    """For one agent and one partition of the log that it reads.

    passed: the agent is past every offset below it
    confirmed_at: event time of the newest of the records here that the agent is past
    undelivered: questions whose offset the broker has not told yet
    _sent: offset, event time and whether it is a question, by offset
    """

    lead_ms: int
    agent: str = "routing"
    passed: int = 0
    confirmed_at: int | None = None
    undelivered: int = 0
    _sent: deque[tuple[int, int, bool]] = field(default_factory=deque)
    _questions: int = 0
    _early: set[int] = field(default_factory=set)

    def published(self, event: Event) -> None:
        if is_question(event):
            self.undelivered += 1

    def delivered(self, event: Event, offset: int) -> None:
        """The broker has our record."""
        question = is_question(event)
        self.undelivered -= question
        self.found(event, offset)

    def found(self, event: Event, offset: int) -> None:
        """A record is in the log: ours, or a question that another agent asks because of one."""
        if offset in self._early:
            self._early.remove(offset)
            return
        question = is_question(event)
        self._questions += question
        sent = (offset, event.at, question)
        if not self._sent or self._sent[-1] < sent:
            self._sent.append(sent)
        else:  # somebody else's: it is read after what we wrote behind it was delivered
            bisect.insort(self._sent, sent)
        self._forget_passed()

    def answered(self, cause: Cause) -> None:
        """The last of an input's answers: routing is past it."""
        complete = cause.index == cause.count - 1
        self.committed(cause.offset + complete)

    def answered_alone(self, offset: int) -> None:
        """One input, whose answer is on a log of its own order: it tells nothing of those before.

        An answer may overtake the delivery report; what is not ours is not waited for.
        """
        asked = next((sent for sent in self._sent if sent[0] == offset), None)
        if asked is not None:
            self._sent.remove(asked)
            self._questions -= asked[2]
        elif self.undelivered:
            self._early.add(offset)

    def committed(self, next_offset: int) -> None:
        if next_offset > self.passed:
            self.passed = next_offset
            self._forget_passed()

    @property
    def is_asked(self) -> bool:
        """Whether a question has not been passed yet."""
        return bool(self.undelivered or self._questions)

    def is_open(self, at: int) -> bool:
        """Whether event time may reach `at`."""
        if self.is_asked:
            return False
        if not self._sent or self.confirmed_at is None:
            return True
        return at - self.confirmed_at <= self.lead_ms

    def waits_for(self) -> str:
        if self.undelivered:
            return "Kafka to take our records"
        if not self._sent:
            return "nothing"
        return f"{self.agent} to read offset {self._sent[0][0]}"

    def _forget_passed(self) -> None:
        while self._sent and self._sent[0][0] < self.passed:
            _, at, question = self._sent.popleft()
            self._questions -= question
            self.confirmed_at = max(at, self.confirmed_at or at)
        if self._early:  # a stranger's are never found
            self._early = {offset for offset in self._early if offset >= self.passed}
        if self.confirmed_at is None and self._sent:
            self.confirmed_at = self._sent[0][1]


class Gates:
    """Routing's, by partition of the site log, and brokering's, by partition of the intake log."""

    def __init__(self, lead_ms: int, partitions: Mapping[str, int]) -> None:
        self._of = {
            log.name: [Gate(lead_ms, agent) for _ in range(partitions[log.name])]
            for agent, log in FOLLOWED.items()
        }

    def published(self, event: Event) -> None:
        topic = topic_of(type(event))
        gates = self._of[topic.name]
        gates[home_partition(key_of(topic, event), len(gates))].published(event)

    def delivered(self, event: Event, partition: int, offset: int) -> None:
        self._of[topic_of(type(event)).name][partition].delivered(event, offset)

    def found(self, event: Event, partition: int, offset: int) -> None:
        self._of[topic_of(type(event)).name][partition].found(event, offset)

    def answered(self, topic: Topic, cause: Cause) -> None:
        """An agent's answer was read from a log.

        On its own log it comes after its answers to everything before. Elsewhere it may come before
        them, so there brokering's answers count one by one, and routing's not at all.
        """
        log = FOLLOWED.get(cause.agent)
        if log is None or log.name != cause.log or cause.partition >= len(self._of[log.name]):
            return
        gate = self._of[log.name][cause.partition]
        if cause.agent == "brokering":
            gate.answered_alone(cause.offset)
        elif topic is log:
            gate.answered(cause)

    def committed(self, agent: str, next_offsets: Mapping[int, int]) -> None:
        for partition, offset in next_offsets.items():
            self._of[FOLLOWED[agent].name][partition].committed(offset)

    def is_asked(self, agent: str) -> bool:
        return any(gate.is_asked for gate in self._of[FOLLOWED[agent].name])

    def shut(self, site_id: str, at: int) -> Gate | None:
        """What a site's event time has to wait for before it reaches `at`."""
        routing = self._of[SITES.name]
        gate = routing[home_partition(site_id.encode(), len(routing))]
        waits = (gate, *self._of[INTAKE.name])
        return next((gate for gate in waits if not gate.is_open(at)), None)


def is_question(event: Event) -> bool:
    if isinstance(event, sites.UnitSwitched):
        return not event.succeeded
    return isinstance(event, QUESTIONS)
