"""Where an agent begins: the newest snapshot, and what was recorded after it by another version.

A log can be read two ways. *Re-decided*: ask `decide` again; the same version says the same bytes,
so a crash only repeats. *Recorded*: apply to each input the answers that the log holds for it. What
another version answered is recorded truth and is never decided again:

- newest snapshot readable, same version since: re-decide what follows it
- another version answered after it: recorded up to that version's last answer, then re-decide; an
  input that it left answered in part is completed, where this version agrees on the shape
- newest snapshot not readable: recorded from an older one, or from the beginning, up to its offset;
  then as above
- no snapshot: as above from the beginning

An adviser is told the verdicts of its log's authority that the log holds by now, so a state that is
made again follows them, whatever the adviser had expected (`streams.unconfirmed`). What it answered
meanwhile on its own log stays recorded truth. A snapshot that rests on an overruled verdict is left
out; what it held of inputs is applied, and of other logs answered, anew.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from schemas.admission import admit_envelope
from schemas.codec import Codec
from schemas.envelope import Cause, Envelope
from schemas.errors import CodecError, Refused
from schemas.events.dlq import RecordDeadLettered
from schemas.marks import Mark
from schemas.record import Record
from schemas.topics import LOGS, Event, Topic, dlq, unanswered
from streams import snapshots
from streams.definition import Agent
from streams.log import Log
from streams.loop import UNANSWERABLE, Processor
from streams.unconfirmed import RecordedVerdicts

S = TypeVar("S")


@dataclass(slots=True)
class Restored(Generic[S]):
    """A processor that stands where the agent may go on deciding, once `replay` has ended.

    positions: for each partition it answers on, where a later start must look for its answers from
    scanned: where `positions` may move to once the processor has passed `answered`
    answered: the last input that the log holds an answer of this agent to; -1 when none was found
    settled: the last input that must be applied as it was recorded; -1 when none must
    free_slot: where the next snapshot goes, beside the newest readable one
    end: the offset that the agent's log had yet to give
    replay: applies one recorded record a step, from where the processor stands up to `settled`; a
        snapshot may be made in between
    """

    processor: Processor[S]
    positions: snapshots.Positions
    scanned: snapshots.Positions
    answered: int
    settled: int
    free_slot: int
    end: int
    replay: Callable[[], Iterator[None]]


def restore(agent: Agent[S, Any], partition: int, log: Log, codec: Codec) -> Restored[S]:
    """With what was recorded applied. Raises AnswersIncomplete, RegistryUnavailable and what the
    log raises."""
    restored = begin(agent, partition, log, codec)
    for _ in restored.replay():
        pass
    return restored


def begin(
    agent: Agent[S, Any],
    partition: int,
    log: Log,
    codec: Codec,
) -> Restored[S]:
    """With what was recorded still to be applied, by `replay`.

    Memory: the state, and what is in the logs of answers that are not whole.
    """
    processor = Processor(agent, partition, log.partitions(agent.log), codec)
    positions: snapshots.Positions = {}
    found = snapshots.newest(
        log, codec, agent, partition, lambda body: _stands(body, agent, partition, log, codec)
    )
    if found.saved is not None:
        snapshots.load(processor, found.saved)
        positions = dict(found.saved.body.positions)
    scan = _scan_answers(agent, partition, processor.position, log, positions)
    settled = max(found.settled, scan.last_of_others)
    if agent.adviser is not None:
        settled = max(settled, scan.last_here)
        authority, start = agent.adviser.authority, processor.position + 1
        recorded = RecordedVerdicts(authority, (agent.log, partition), start, log, codec)
        processor.recorded_verdict = recorded.of
        processor.expected = found.unconfirmed
    replay = partial(_replay, processor, log, codec, settled, scan.partial)
    return Restored(
        processor=processor,
        positions=positions,
        scanned=scan.ends,
        answered=scan.last,
        settled=settled,
        free_slot=found.free_slot,
        end=log.bounds(agent.log, partition)[1],
        replay=replay,
    )


def _stands(
    body: snapshots.Body, agent: Agent[Any, Any], partition: int, log: Log, codec: Codec
) -> bool:
    """Whether the authority said nothing else of what was unconfirmed than the snapshot holds."""
    waiting = sorted(body.unconfirmed)
    if agent.adviser is None or not (waiting or body.forgotten_from is not None):
        return True
    start = waiting[0] if waiting else body.forgotten_from or 0
    recorded = RecordedVerdicts(agent.adviser.authority, (agent.log, partition), start, log, codec)
    for offset in waiting:
        if recorded.of(offset) not in (None, body.unconfirmed[offset]):
            return False
    return body.forgotten_from is None or recorded.of(body.forgotten_from) is None


def _replay(
    processor: Processor[Any], log: Log, codec: Codec, last: int, parts: Mapping[int, _Seen]
) -> Iterator[None]:
    """Advance to offset `last` with the answers that the agent's own log holds.

    parts: what is in any log of the answers to inputs that were answered in part; the rest is
        decided and published
    """
    if last <= processor.position:
        return
    agent, partition = processor.agent, processor.partition
    start = processor.position + 1
    recorded_at = _Ascending(_recorded_answers(agent, partition, start, log, codec))
    unanswerable_at = _Ascending(_unanswerable(agent, partition, log, codec))
    elsewhere_at = _Ascending(_answered_elsewhere(agent, partition, log))
    for record in log.read(agent.log, partition, start, last + 1):
        recorded = {a.place: a.event for a in recorded_at(record.offset)}
        part = parts.get(record.offset)
        if part is not None:
            for output in processor.complete(record, recorded, part.types, part.count):
                log.publish(output)
        elif not recorded and unanswerable_at(record.offset) and not elsewhere_at(record.offset):
            processor.apply_recorded(record, None)
        else:
            processor.apply_recorded(record, list(recorded.values()))
        yield
    processor.position = max(processor.position, last)
    log.flush()


def answer_topics(agent: Agent[Any, Any]) -> list[Topic]:
    """Everywhere the agent's answers may be, its dead letters excepted."""
    return [
        topic for topic in LOGS if any(agent.name in writers for writers in topic.writers.values())
    ]


class _Of(Protocol):
    """Something about the input at an offset."""

    @property
    def of(self) -> int: ...


A = TypeVar("A", bound=_Of)


class _Ascending(Generic[A]):
    """What is about one input after the other; nothing is read before it is asked for."""

    def __init__(self, found: Iterator[A]) -> None:
        self._found = found
        self._next: A | None = None

    def __call__(self, offset: int) -> list[A]:
        """All about the input at this offset. Asked in ascending order."""
        at: list[A] = []
        current = self._next or next(self._found, None)
        while current is not None and current.of <= offset:
            if current.of == offset:
                at.append(current)
            current = next(self._found, None)
        self._next = current
        return at


class _Recorded(NamedTuple):
    of: int
    place: int
    event: Event


def _recorded_answers(
    agent: Agent[Any, Any], partition: int, begin: int, log: Log, codec: Codec
) -> Iterator[_Recorded]:
    """In the order of the inputs that they answer, each once."""
    mark: Mark = (begin, -1)
    for record in log.read(agent.log, partition, begin):
        cause = _own_cause(agent, partition, agent.log, record)
        if cause is None or cause.position <= mark:
            continue
        try:
            event = codec.decode(record.value)
        except CodecError:  # it only looks like an answer: anybody may write there
            continue
        mark = cause.position
        yield _Recorded(cause.offset, cause.index, event)


class _Answered(NamedTuple):
    of: int
    place: int
    places: int
    type: str


def _answered_elsewhere(agent: Agent[Any, Any], partition: int, log: Log) -> Iterator[_Answered]:
    others = [topic for topic in answer_topics(agent) if topic is not agent.log]
    return _in_order(
        _answered(_first(_answers(agent, partition, topic, log.read(topic, target, 0))))
        for topic in others
        for target in range(log.partitions(topic))
    )


def _unanswerable(
    agent: Agent[Any, Any], partition: int, log: Log, codec: Codec
) -> Iterator[_Answered]:
    """The inputs that the agent understood, could not answer and did not apply.

    Versions before `<log>.unanswered` wrote them among the dead letters only.
    """
    return _in_order(
        _answered(
            (record, cause)
            for record, cause in _first(
                _answers(agent, partition, topic, log.read(topic, target, 0))
            )
            if _is_unanswerable(record, codec)
        )
        for topic in (unanswered(agent.log), dlq(agent.log))
        for target in range(log.partitions(topic))
    )


def _in_order(several: Iterable[Iterator[_Answered]]) -> Iterator[_Answered]:
    """Each of them is in order."""
    return heapq.merge(*several, key=lambda answer: answer.of)


def _answered(answers: Iterable[tuple[Record, Cause]]) -> Iterator[_Answered]:
    for record, cause in answers:
        kind = Envelope.from_headers(record.headers).type
        yield _Answered(cause.offset, cause.index, cause.count, kind)


def _answers(
    agent: Agent[Any, Any], partition: int, topic: Topic, records: Iterable[Record]
) -> Iterator[tuple[Record, Cause]]:
    for record in records:
        cause = _own_cause(agent, partition, topic, record)
        if cause is not None:
            yield record, cause


def _first(answers: Iterable[tuple[Record, Cause]]) -> Iterator[tuple[Record, Cause]]:
    """Those on one partition without repeats, and so in the order of what they answer."""
    mark: Mark = (-1, -1)
    for record, cause in answers:
        if cause.position > mark:
            mark = cause.position
            yield record, cause


def _is_unanswerable(record: Record, codec: Codec) -> bool:
    try:
        letter = codec.decode(record.value)
    except CodecError:  # anyone may write there; it takes nothing away
        return False
    return isinstance(letter, RecordDeadLettered) and letter.reason == UNANSWERABLE


@dataclass(slots=True)
class _Seen:
    """The answers to one input that are in some log: their types by index, of so many."""

    count: int
    types: dict[int, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Scan:
    """The agent's answers to inputs above some offset.

    last: the last input answered by any version; last_of_others: by another one than this;
        last_here: on the agent's own log
    partial: by the offset of the input, where not all of its answers are in some log
    ends: the offset after the last record looked at, by partition
    """

    last: int = -1
    last_of_others: int = -1
    last_here: int = -1
    partial: dict[int, _Seen] = field(default_factory=dict)
    ends: snapshots.Positions = field(default_factory=dict)


def _scan_answers(
    agent: Agent[Any, Any],
    partition: int,
    after: int,
    log: Log,
    positions: snapshots.Positions,
) -> _Scan:
    scan, streams = _Scan(), []
    for topic in answer_topics(agent):
        for target in range(log.partitions(topic)):
            name = f"{topic.name}:{target}"
            first, end = log.bounds(topic, target)
            scan.ends[name] = end
            records = log.read(topic, target, max(first, positions.get(name, 0)), end)
            answers = _note(scan, agent, after, _answers(agent, partition, topic, records))
            streams.append(_answered(_first(answers)))
    for offset, all_of_one in groupby(_in_order(streams), key=lambda answer: answer.of):
        if offset > after:
            _see(scan, offset, list(all_of_one))
    return scan


def _see(scan: _Scan, offset: int, answers: Sequence[_Answered]) -> None:
    scan.last = offset
    types = {answer.place: answer.type for answer in answers}
    if len(types) < answers[0].places:
        scan.partial[offset] = _Seen(answers[0].places, types)


def _note(
    scan: _Scan, agent: Agent[Any, Any], after: int, answers: Iterable[tuple[Record, Cause]]
) -> Iterator[tuple[Record, Cause]]:
    """The answers, and on the way who wrote them and where; a repeat may be another version's."""
    ours = f"/hcp/agents/{agent.name}/{agent.version}"
    for record, cause in answers:
        if cause.offset > max(after, scan.last_of_others):
            source = Envelope.from_headers(record.headers).source
            scan.last_of_others = scan.last_of_others if source == ours else cause.offset
        if cause.offset > after and record.topic == agent.log.name:
            scan.last_here = max(scan.last_here, cause.offset)
        yield record, cause


def _own_cause(
    agent: Agent[Any, Any], partition: int, topic: Topic, record: Record
) -> Cause | None:
    """Of a record that every reader of the log admits as the agent's. A dead letter answers nothing
    and is judged by its envelope alone."""
    prefix = f"{agent.name}/{agent.log.name}:{partition}:".encode()
    if not any(
        name == "ce_cause" and value is not None and value.startswith(prefix)
        for name, value in record.headers
    ):
        return None
    try:
        if topic in LOGS:
            cause = admit_envelope(topic, record).cause
        else:
            cause = Envelope.from_headers(record.headers).cause
    except (CodecError, Refused):
        return None
    return cause if cause is not None and str(cause).encode().startswith(prefix) else None
