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

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Generic, NamedTuple, TypeVar

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
    """A processor that stands where the agent may go on deciding.

    positions: for each partition it answers on, where a later start must look for its answers from
    scanned: where `positions` may move to once the processor has passed `answered`
    answered: the last input that the log holds an answer of this agent to; -1 when none was found
    free_slot: where the next snapshot goes, beside the newest readable one
    """

    processor: Processor[S]
    positions: snapshots.Positions
    scanned: snapshots.Positions
    answered: int
    free_slot: int


def restore(agent: Agent[S, Any], partition: int, log: Log, codec: Codec) -> Restored[S]:
    """Raises AnswersIncomplete, RegistryUnavailable and what the log raises."""
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
        authority, begin = agent.adviser.authority, processor.position + 1
        recorded = RecordedVerdicts(authority, (agent.log, partition), begin, log, codec)
        processor.recorded_verdict = recorded.of
        processor.expected = found.unconfirmed
    if settled > processor.position:
        apply_recorded(processor, log, codec, settled, scan.seen)
        log.flush()
    return Restored(processor, positions, scan.ends, scan.last, found.free_slot)


def _stands(
    body: snapshots.Body, agent: Agent[Any, Any], partition: int, log: Log, codec: Codec
) -> bool:
    """Whether the authority said nothing else of what was unconfirmed than the snapshot holds."""
    waiting = sorted(body.unconfirmed)
    if agent.adviser is None or not (waiting or body.forgotten_from is not None):
        return True
    begin = waiting[0] if waiting else body.forgotten_from or 0
    recorded = RecordedVerdicts(agent.adviser.authority, (agent.log, partition), begin, log, codec)
    for offset in waiting:
        if recorded.of(offset) not in (None, body.unconfirmed[offset]):
            return False
    return body.forgotten_from is None or recorded.of(body.forgotten_from) is None


def apply_recorded(
    processor: Processor[Any], log: Log, codec: Codec, last: int, seen: Mapping[int, _Seen]
) -> None:
    """Advance to offset `last` with the answers that the agent's own log holds.

    seen: what is in any log of the answers to the inputs that may have been answered in part; the
        rest is decided and published
    """
    agent, partition = processor.agent, processor.partition
    begin = processor.position + 1
    answers = groupby(_recorded_answers(agent, partition, begin, log, codec), lambda a: a.of)
    of, group = next(answers, (None, iter(())))
    unanswered = _unanswered(agent, partition, log, codec)
    for record in log.read(agent.log, partition, begin, last + 1):
        while of is not None and of < record.offset:
            of, group = next(answers, (None, iter(())))
        recorded = {a.place: a.event for a in group} if of == record.offset else {}
        part = seen.get(record.offset)
        if part is not None and len(part.types) < part.count:
            for output in processor.complete(record, recorded, part.types, part.count):
                log.publish(output)
        elif part is None and not recorded and record.offset in unanswered:
            processor.apply_recorded(record, None)
        else:
            processor.apply_recorded(record, list(recorded.values()))
    processor.position = max(processor.position, last)


def answer_topics(agent: Agent[Any, Any]) -> list[Topic]:
    """Everywhere the agent's answers may be, its dead letters excepted."""
    return [
        topic for topic in LOGS if any(agent.name in writers for writers in topic.writers.values())
    ]


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


def _unanswered(agent: Agent[Any, Any], partition: int, log: Log, codec: Codec) -> set[int]:
    """Offsets of the inputs that the agent understood, could not answer and did not apply.

    Versions before `<log>.unanswered` wrote them among the dead letters only.
    """
    found = set()
    for topic in (unanswered(agent.log), dlq(agent.log)):
        for target in range(log.partitions(topic)):
            for record in log.read(topic, target, 0):
                cause = _own_cause(agent, partition, topic, record)
                if cause is not None and _is_unanswerable(record, codec):
                    found.add(cause.offset)
    return found


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
    seen: by the offset of the input
    ends: the offset after the last record looked at, by partition
    """

    last: int = -1
    last_of_others: int = -1
    last_here: int = -1
    seen: dict[int, _Seen] = field(default_factory=dict)
    ends: snapshots.Positions = field(default_factory=dict)


def _scan_answers(
    agent: Agent[Any, Any], partition: int, after: int, log: Log, positions: snapshots.Positions
) -> _Scan:
    scan = _Scan()
    for topic in answer_topics(agent):
        for target in range(log.partitions(topic)):
            name = f"{topic.name}:{target}"
            first, end = log.bounds(topic, target)
            scan.ends[name] = end
            for record in log.read(topic, target, max(first, positions.get(name, 0)), end):
                cause = _own_cause(agent, partition, topic, record)
                if cause is not None and cause.offset > after:
                    _see(scan, agent, record, cause)
    return scan


def _see(scan: _Scan, agent: Agent[Any, Any], record: Record, cause: Cause) -> None:
    source = f"/hcp/agents/{agent.name}/{agent.version}"
    envelope = Envelope.from_headers(record.headers)
    seen = scan.seen.setdefault(cause.offset, _Seen(cause.count))
    seen.types[cause.index] = envelope.type
    scan.last = max(scan.last, cause.offset)
    if record.topic == agent.log.name:
        scan.last_here = max(scan.last_here, cause.offset)
    if envelope.source != source:
        scan.last_of_others = max(scan.last_of_others, cause.offset)


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
