"""The consume loop for one partition of one agent's log, over records: no I/O in here.

Each record of the partition, in order, is one of these:

- at or below the position: applied before the snapshot; skipped
- the agent's own answer: applied when it was decided; skipped
- a repeat: its cause is at or below the mark kept for its agent and source; dropped
- not to be understood or not to be trusted: refused, with a dead letter from one of the readers
- an input that the agent cannot answer in writing: refused with a dead letter too, and not applied
- an input: decided, answered and applied

An adviser (`streams.definition`) takes the verdict on an input from the log where that holds it
(`recorded_verdict`). Where not, its own stands until the authority's is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, NamedTuple, TypeVar

from schemas.admission import admit_envelope, admit_event
from schemas.codec import Codec, OutRecord, record_for
from schemas.deadletters import UNANSWERABLE, dead_letter, writer_of_letter
from schemas.envelope import Cause, Envelope, answered
from schemas.errors import CodecError, MalformedEnvelope, Refused, UnencodableEvent
from schemas.marks import Marks, is_repeat, raise_mark
from schemas.record import Record
from schemas.topics import MAX_RECORD_BYTES, Event, topic_of, unanswered
from streams.definition import Agent, answers_to, provisional, settle
from streams.errors import AnswersIncomplete
from streams.unconfirmed import TAKEN, Unconfirmed

S = TypeVar("S")

MAX_ANSWER_BYTES = MAX_RECORD_BYTES - 64 * 1024  # the rest is Kafka's own


@dataclass(slots=True)
class Tally:
    """What became of the records since the processor began."""

    inputs: int = 0
    answers: int = 0
    own: int = 0
    repeats: int = 0
    refused: int = 0


class Input(NamedTuple):
    """A record that is to be applied."""

    envelope: Envelope
    event: Event
    key: str


class Processor(Generic[S]):
    """State of every key of one partition, and the one way to change it.

    position: every offset up to it has been seen, or is read by nobody; -1 before the first
    at: event time of the last input applied, ms
    changed: keys whose state may have moved since whoever clears it last looked
    marks: for each agent and partition that it answers, the highest (offset, index) seen here
    refused_in_a_row: records refused since the last record that was understood
    unconfirmed: an adviser's verdicts that the authority has still to confirm
    recorded_verdict: the authority's word on the input at an offset, see `RecordedVerdicts.of`
    expected: what an earlier process held for its word where the log has none yet, by offset
    """

    def __init__(self, agent: Agent[S, Any], partition: int, partitions: int, codec: Codec) -> None:
        self.agent = agent
        self.partition = partition
        self.position = -1
        self.at = 0
        self.states: dict[str, S] = {}
        self.changed: dict[str, None] = {}
        self.marks: Marks = {}
        self.tally = Tally()
        self.refused_in_a_row = 0
        self.unconfirmed = Unconfirmed({}, None)
        self.recorded_verdict: Callable[[int], str | None] = lambda _: None
        self.expected: Mapping[int, str] = {}
        self._partitions = partitions
        self._codec = codec

    def handle(self, record: Record) -> list[OutRecord]:
        """What must be published because of this record.

        Raises RegistryUnavailable, with nothing changed: try the same record again.
        VerdictOverruled: this processor is of no more use, restore another and give it the same
        record. Any other exception is a bug of the agent or the deploy, and skipping the record
        would hide it.
        """
        if record.offset <= self.position:
            return []
        try:
            admitted = self._admit(record)
        except (CodecError, Refused) as error:
            return self._refuse(record, error)
        if admitted is None:
            self.position = record.offset
            return []
        state = self._state_of(admitted.key)
        refusal = self._refusal(record, admitted, state)
        answers = answers_to(self.agent, state, admitted.event) if refusal is None else []
        # Encoded before the state moves: an encoder that cannot go on leaves nothing half done.
        try:
            outputs = self._outputs(record, admitted.envelope, answers)
        except Refused as error:
            letters = self._refuse(record, error)  # may wait for the registry: nothing moved before
            raise_mark(self.marks, admitted.envelope.cause)
            return letters
        self._settle(admitted, state, answers, refusal)
        self.tally.inputs += 1
        self.tally.answers += len(outputs)
        self._advance(record, admitted)
        return outputs

    def apply_recorded(self, record: Record, answers: Sequence[Event] | None) -> None:
        """Apply an input with the answers that the agent's own log holds for it.

        Its dead letters and its answers are in the log already. Raises as `handle` does.

        answers: None when the input was unanswerable, and so never applied
        """
        if record.offset <= self.position:
            return
        try:
            admitted = self._admit(record)
        except (CodecError, Refused):
            admitted = None
        self.position = record.offset
        if admitted is None:
            return
        if answers is None:
            raise_mark(self.marks, admitted.envelope.cause)
            return
        state = self._state_of(admitted.key)
        self._settle(admitted, state, answers, self._refusal(record, admitted, state))
        self._advance(record, admitted)

    def complete(
        self, record: Record, recorded: Mapping[int, Event], seen: Mapping[int, str], count: int
    ) -> list[OutRecord]:
        """Apply an input that another version answered in part, and give the rest of the answer.

        recorded: the answers on the agent's own log, by index
        seen: the types of the answers in any log, by index

        Raises AnswersIncomplete when this version answers in another shape, or cannot write its
        answer: there is no way to know what the rest would have been.
        """
        admitted = self._admit(record)
        if admitted is None:
            raise ValueError(f"{record.topic}:{record.partition}:{record.offset} is no input")
        state = self._state_of(admitted.key)
        answers = answers_to(self.agent, state, admitted.event)
        agree = len(answers) == count and all(
            name == answers[index].FULL_NAME for index, name in seen.items()
        )
        if not agree:
            raise self._incomplete(record, "would answer it in another way")
        try:
            outputs = self._outputs(record, admitted.envelope, answers)
        except Refused as error:
            raise self._incomplete(record, f"cannot: {error}") from error
        outputs = [output for index, output in enumerate(outputs) if index not in seen]
        for index, answer in recorded.items():
            answers[index] = answer
        self._settle(admitted, state, answers, self._refusal(record, admitted, state))
        self._advance(record, admitted)
        return outputs

    def left_out(self) -> dict[str, int]:
        """What was left out of account, of every key together."""
        totals: dict[str, int] = {}
        for state in self.states.values():
            for what, quantity in self.agent.left_out(state).items():
                totals[what] = totals.get(what, 0) + quantity
        return totals

    def _admit(self, record: Record) -> Input | None:
        """The input, or None when it is the agent's own or a repeat."""
        log = self.agent.log
        envelope = admit_envelope(log, record)
        cause = envelope.cause
        if cause is not None and cause.agent == self.agent.name:
            self.tally.own += 1
            return None
        event = admit_event(log, record, envelope, self._partitions, self._codec)
        if is_repeat(self.marks, cause):
            self.tally.repeats += 1
            return None
        return Input(envelope, event, getattr(event, log.key_field))

    def _outputs(
        self, record: Record, question: Envelope, answers: Sequence[Event]
    ) -> list[OutRecord]:
        """All of them, or Refused as unanswerable: what Kafka or a schema could not carry."""
        outputs = []
        for index, answer in enumerate(answers):
            try:
                output = self._output(record, question, answer, index, len(answers))
            except (UnencodableEvent, MalformedEnvelope) as error:
                raise Refused(UNANSWERABLE, f"{self.agent.name} cannot answer: {error}") from error
            size = _size_of(output)
            if size > MAX_ANSWER_BYTES:
                detail = f"{type(answer).FULL_NAME} would have {size} bytes"
                raise Refused(UNANSWERABLE, f"{self.agent.name} cannot answer: {detail}")
            outputs.append(output)
        return outputs

    def _output(
        self, record: Record, question: Envelope, answer: Event, index: int, count: int
    ) -> OutRecord:
        agent = self.agent
        cause = Cause(agent.name, agent.log.name, self.partition, record.offset, index, count)
        envelope = answered(
            answer, agent=agent.name, version=agent.version, input=question, cause=cause
        )
        return record_for(topic_of(type(answer)), answer, envelope, self._codec)

    def _refusal(self, record: Record, admitted: Input, state: S) -> str | None:
        """An adviser's: the reason for which the input does not move the state."""
        adviser, event, cause = self.agent.adviser, admitted.event, admitted.envelope.cause
        if adviser is None:
            return None
        if cause is not None:
            if cause.agent == adviser.authority and cause.log == self.agent.log.name:
                self.unconfirmed.hear(cause, event)
            return None
        if not adviser.concerns(state, event):
            return None
        verdict = self.recorded_verdict(record.offset)
        if verdict is None:
            verdict = self.expected.get(record.offset)
            if verdict is None:
                verdict = provisional(self.agent, state, event) or TAKEN
            self.unconfirmed.add(record.offset, verdict)
        return verdict or None

    def _settle(
        self, admitted: Input, state: S, answers: Sequence[Event], refusal: str | None
    ) -> None:
        self.changed[admitted.key] = None
        state = settle(self.agent, state, admitted.event, answers, refusal)
        if self.agent.retain(state):
            self.states[admitted.key] = state
        else:
            self.states.pop(admitted.key, None)

    def _incomplete(self, record: Record, why: str) -> AnswersIncomplete:
        return AnswersIncomplete(
            f"another version of {self.agent.name} answered {record.topic}:{record.partition}:"
            f"{record.offset} in part, and this one {why}; run that version once more so that it "
            f"can finish"
        )

    def _advance(self, record: Record, admitted: Input) -> None:
        self.position = record.offset
        self.refused_in_a_row = 0
        self.at = admitted.event.at
        raise_mark(self.marks, admitted.envelope.cause)

    def _refuse(self, record: Record, error: CodecError | Refused) -> list[OutRecord]:
        """Every reader refuses what is no event, and one says so; what is unanswerable this one."""
        agent = self.agent
        letters = []
        if error.reason == UNANSWERABLE or writer_of_letter(agent.log, record) == agent.name:
            source = f"/hcp/agents/{agent.name}"
            letters = [
                dead_letter(
                    agent.log, record, error, reader=agent.name, source=source, codec=self._codec
                )
            ]
        if error.reason == UNANSWERABLE:  # first where it is kept for ever
            letters = [replace(letters[0], topic=unanswered(agent.log)), *letters]
        self.position = record.offset
        self.refused_in_a_row += 1
        self.tally.refused += 1
        return letters

    def _state_of(self, key: str) -> S:
        state = self.states.get(key)
        return self.agent.initial(key) if state is None else state


def _size_of(record: OutRecord) -> int:
    headers = sum(len(name) + len(value or b"") for name, value in record.headers)
    return len(record.key) + len(record.value) + headers
