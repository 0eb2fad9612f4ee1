"""An agent's answers to one partition, read back from wherever the agent writes them.

Whoever reads takes a step for each record, of interest or not: a log may be long, and a reader must
be able to say how far it is, and to stop.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from schemas.admission import admit_envelope, admit_event
from schemas.codec import Codec
from schemas.deadletters import UNANSWERABLE
from schemas.envelope import Cause, Envelope
from schemas.errors import CodecError, Refused
from schemas.events.dlq import RecordDeadLettered
from schemas.marks import Mark
from schemas.record import Record
from schemas.topics import LOGS, Event, Topic, unanswered
from streams.definition import Agent
from streams.log import Log


class Told(NamedTuple):
    """What an answer says.

    event: on the agent's own log, and of a dead letter; None elsewhere
    """

    source: str
    type: str
    cause: Cause
    event: Event | None


class Asked:
    """Whose answers, to which partition of its log.

    agent: its name; place: the log's topic, and the partition
    """

    def __init__(self, agent: str, place: tuple[Topic, int], log: Log, codec: Codec) -> None:
        self._log, partition = place
        self._partitions = log.partitions(self._log)
        self._codec = codec
        self._prefix = f"{agent}/{self._log.name}:{partition}:".encode()

    def told(self, topic: Topic, record: Record) -> Told | None:
        """Of a record that every reader of the log admits as the agent's answer, or a dead letter
        that says that there is none. None where it only looks like one: anybody may write there."""
        if not any(
            name == "ce_cause" and value is not None and value.startswith(self._prefix)
            for name, value in record.headers
        ):
            return None
        try:
            if topic in LOGS:
                envelope = admit_envelope(topic, record)
            else:
                envelope = Envelope.from_headers(record.headers)
            event = self._event(topic, record, envelope)
        except (CodecError, Refused):
            return None
        cause = envelope.cause
        if cause is None or not str(cause).encode().startswith(self._prefix):
            return None
        if isinstance(event, RecordDeadLettered) and event.reason != UNANSWERABLE:
            return None
        return Told(envelope.source, envelope.type, cause, event)

    def _event(self, topic: Topic, record: Record, envelope: Envelope) -> Event | None:
        if topic is self._log:
            return admit_event(topic, record, envelope, self._partitions, self._codec)
        return None if topic in LOGS else self._codec.decode(record.value)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, or a dead letter that says that there is none.

    of: offset of the input
    place: its index, of so many `places`
    type: of its event
    event: on the agent's own log, and a dead letter; None elsewhere
    offset: where it lies
    """

    of: int
    place: int
    places: int
    type: str
    event: Event | None
    offset: int

    @property
    def is_letter(self) -> bool:
        return self.type == RecordDeadLettered.FULL_NAME


class Answers:
    """Those on one partition of one topic, without repeats, and so in the order of the inputs.

    place: topic and partition
    positions: where to begin, by name
    resume: where a later reader must begin who has applied all inputs before the one asked for
        last: what was found of that one is still told to him
    """

    def __init__(
        self,
        asked: Asked,
        place: tuple[Topic, int],
        positions: Mapping[str, int],
        log: Log,
    ) -> None:
        self.topic, self.target = place
        self.name = f"{self.topic.name}:{self.target}"
        self.resume = positions.get(self.name, 0)
        self._asked = asked
        self._log = log
        self._records: Iterator[Record] | None = None
        self._mark: Mark = (-1, -1)
        self._read_to = self.resume
        self._next: Answer | None = None

    def at(self, offset: int) -> Generator[None, None, list[Answer]]:
        """Those to the input at this offset. Asked in ascending order; nothing is read before."""
        self.resume = self._read_to if self._next is None else self._next.offset
        found: list[Answer] = []
        if self._next is not None:
            if self._next.of > offset:
                return found
            if self._next.of == offset:
                found.append(self._next)
            self._next = None
        if self._records is None:
            self._records = self._log.read(self.topic, self.target, self._read_to)
        for record in self._records:
            yield
            answer = self._answer(record)
            self._read_to = record.offset + 1
            if answer is not None and answer.of == offset:
                found.append(answer)
            if not found:
                self.resume = self._read_to if answer is None else record.offset
            if answer is not None and answer.of > offset:
                self._next = answer
                break
        return found

    def _answer(self, record: Record) -> Answer | None:
        told = self._asked.told(self.topic, record)
        if told is None or told.cause.position <= self._mark:
            return None
        cause = told.cause
        self._mark = cause.position
        return Answer(cause.offset, cause.index, cause.count, told.type, told.event, record.offset)


def answer_topics(agent: Agent[Any, Any]) -> list[Topic]:
    """Everywhere the agent's answers may be."""
    return [
        topic for topic in LOGS if any(agent.name in writers for writers in topic.writers.values())
    ]


def kept_topics(agent: Agent[Any, Any]) -> list[Topic]:
    """Everywhere its word on an input is kept for ever, also that it could not answer it."""
    return [*answer_topics(agent), unanswered(agent.log)]
