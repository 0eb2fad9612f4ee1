"""An agent's state after an offset, written to a compacted topic and found again in O(1).

A snapshot is one body in chunks of at most 512 KiB. Each chunk is a record; the last one is the
pointer: it holds the offsets of the others, which must be durable before, and the digest of the
whole. Whoever dies before the pointer is durable has written nothing that counts.

The topic is compacted by key. Keys alternate between two slots, so the chunks of a snapshot that is
only half written never replace those of the last whole one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

import msgspec

from schemas.codec import Codec, OutRecord, record_for
from schemas.envelope import produced
from schemas.errors import CodecError
from schemas.events.snapshots import SnapshotWritten
from schemas.marks import Mark
from schemas.record import Record
from schemas.topics import Event, snapshots_topic
from streams.definition import Agent
from streams.encoding import Encodings
from streams.log import Log
from streams.loop import Processor
from streams.unconfirmed import Unconfirmed

S = TypeVar("S")

MAX_CHUNK_BYTES = 512 * 1024
# Records to read at a time, from the end, until one is a pointer. The first is one unless a writer
# died between chunks; what is not found in all of them (512 MiB) is taken for lost.
_LOOK_BACK = (1, *[32] * 32)

Positions = dict[str, int]


class Body(msgspec.Struct, frozen=True):
    """What a snapshot says.

    version: of the agent that wrote it
    positions: for each partition the agent answers on, the offset after its last answer to an input
        at or below the snapshot's; later answers of its own answer later inputs
    states: one key's state each, left encoded until its shape is known
    unconfirmed, forgotten_from: an adviser's verdicts in these states that the authority had still
        to confirm, see `streams.unconfirmed`; older snapshots do not say
    settled: made in the middle of a recovery, up to where its inputs are applied as recorded; at or
        below the snapshot's offset otherwise, and -1 in an older one
    """

    version: str
    marks: dict[str, Mark]
    positions: Positions
    states: dict[str, msgspec.Raw]
    unconfirmed: dict[int, str] = {}
    forgotten_from: int | None = None
    settled: int = -1


@dataclass(frozen=True, slots=True)
class Saved:
    """A snapshot that this version of the agent can read.

    offset: last offset applied
    at: event time of the last input applied, ms
    """

    offset: int
    at: int
    state_version: str
    body: Body


@dataclass(frozen=True, slots=True)
class Found:
    """What the topic holds.

    settled: the offset of the newest snapshot, readable or not (damaged, or of an unknown
        state_version), or what that knew to be settled: every answer to an input up to there is
        durable. -1 when there is none
    saved: the newest readable one
    free_slot: the slot that does not hold it
    unconfirmed: the verdicts in the newest one, readable or not, that had still to be confirmed

    A snapshot whose verdicts were overruled counts as none.
    """

    settled: int
    saved: Saved | None
    free_slot: int
    unconfirmed: Mapping[int, str] = field(default_factory=dict)


def state_bytes(processor: Processor[Any]) -> bytes:
    """Every key's state: equal bytes for equal states, in whatever process."""
    states = processor.states
    return msgspec.msgpack.encode({key: states[key] for key in sorted(states)})


@dataclass(frozen=True, slots=True)
class Capture:
    """A processor at one position, so that it may go on while this is written.

    states: by key, encoded, in pieces; the rest as in `Body`
    """

    partition: int
    offset: int
    at: int
    marks: dict[str, Mark]
    positions: Positions
    unconfirmed: dict[int, str]
    forgotten_from: int | None
    settled: int
    states: dict[str, tuple[bytes, ...]]


def capture(
    processor: Processor[Any], encodings: Encodings, positions: Positions, settled: int
) -> Capture:
    """Nothing may move meanwhile."""
    return Capture(
        partition=processor.partition,
        offset=processor.position,
        at=processor.at,
        marks=dict(sorted(processor.marks.items())),
        positions=dict(sorted(positions.items())),
        unconfirmed=dict(processor.unconfirmed.verdicts),
        forgotten_from=processor.unconfirmed.forgotten_from,
        settled=settled,
        states=encodings.take(processor),
    )


def write(log: Log, codec: Codec, agent: Agent[Any, Any], taken: Capture, slot: int) -> None:
    """Returns when the pointer is durable. Raises PublishingFailed."""
    body = msgspec.msgpack.encode(
        Body(
            version=agent.version,
            marks=taken.marks,
            positions=taken.positions,
            settled=taken.settled,
            states={key: msgspec.Raw(b"".join(pieces)) for key, pieces in taken.states.items()},
            unconfirmed=taken.unconfirmed,
            forgotten_from=taken.forgotten_from,
        )
    )
    count = max(1, -(-len(body) // MAX_CHUNK_BYTES))
    whole = SnapshotWritten(
        agent=agent.name,
        at=taken.at,
        log=agent.log.name,
        partition=taken.partition,
        offset=taken.offset,
        state_version=agent.state_version,
        index=0,
        count=count,
        chunk_offsets=(),
        digest=hashlib.sha256(body).hexdigest(),
        body=b"",
    )
    chunks = [
        replace(whole, index=i, body=body[i * MAX_CHUNK_BYTES : (i + 1) * MAX_CHUNK_BYTES])
        for i in range(count)
    ]
    offsets = [-1] * (count - 1)
    for index, chunk in enumerate(chunks[:-1]):
        record = _record_of(codec, agent, chunk, slot)
        log.publish(record, partial(offsets.__setitem__, index))
    if count > 1:
        log.flush()
    pointer = replace(chunks[-1], chunk_offsets=tuple(offsets))
    log.publish(_record_of(codec, agent, pointer, slot))
    log.flush()


def newest(
    log: Log,
    codec: Codec,
    agent: Agent[Any, Any],
    partition: int,
    stands: Callable[[Body], bool] = lambda _: True,
) -> Found:
    """The newest readable snapshot and the newest of all, which may be another one.

    stands: False of one that rests on a verdict that was overruled
    """
    settled, unconfirmed = -1, dict[int, str]()
    for pointer, slot in _pointers(log, codec, agent, partition):
        known = {agent.state_version, *agent.upcasters}
        is_newest = settled < 0
        if pointer.state_version not in known and not (is_newest and agent.adviser):
            settled = max(settled, pointer.offset)
            continue
        body = _body_of(log, codec, agent, partition, pointer)
        if body is not None and not stands(body):
            continue
        settled = max(settled, pointer.offset)
        if is_newest and body is not None:
            unconfirmed = body.unconfirmed
        if body is not None and pointer.state_version in known:
            saved = Saved(pointer.offset, pointer.at, pointer.state_version, body)
            settled = max(settled, body.settled)
            return Found(settled, saved, 1 - slot, unconfirmed)
    return Found(settled, None, 0, unconfirmed)


def load(processor: Processor[Any], saved: Saved) -> None:
    """Put a readable snapshot into a new processor."""
    agent = processor.agent
    upcast = agent.upcasters.get(saved.state_version)
    for key, raw in saved.body.states.items():
        if upcast is None:
            processor.states[key] = msgspec.msgpack.decode(raw, type=agent.state_type)
        else:
            plain = upcast(msgspec.msgpack.decode(raw))
            processor.states[key] = msgspec.convert(plain, agent.state_type)
    processor.changed = dict.fromkeys(processor.states)
    processor.marks = dict(saved.body.marks)
    processor.unconfirmed = Unconfirmed(saved.body.unconfirmed, saved.body.forgotten_from)
    processor.position = saved.offset
    processor.at = saved.at


def _record_of(
    codec: Codec, agent: Agent[Any, Any], chunk: SnapshotWritten, slot: int
) -> OutRecord:
    topic = snapshots_topic(agent.name)
    envelope = produced(chunk, source=f"/hcp/agents/{agent.name}/{agent.version}")
    key = f"{agent.name}/{chunk.log}:{chunk.partition}/{slot}/{chunk.index}".encode()
    return record_for(topic, chunk, envelope, codec, key=key, partition=chunk.partition)


def _pointers(
    log: Log, codec: Codec, agent: Agent[Any, Any], partition: int
) -> Iterator[tuple[SnapshotWritten, int]]:
    """Pointers and their slots, newest first, from as little of the topic's end as holds one."""
    topic = snapshots_topic(agent.name)
    first, until = log.bounds(topic, partition)
    for back in _LOOK_BACK:
        start = max(first, until - back)
        for record in reversed(list(log.read(topic, partition, start, until))):
            chunk = _chunk(codec, record)
            if chunk is not None and chunk.index == chunk.count - 1:
                yield chunk, _slot_of(record)
        until = start
        if until <= first:
            return


def _slot_of(record: Record) -> int:
    return int((record.key or b"").split(b"/")[-2:-1] == [b"1"])


def _body_of(
    log: Log, codec: Codec, agent: Agent[Any, Any], partition: int, pointer: SnapshotWritten
) -> Body | None:
    topic = snapshots_topic(agent.name)
    offsets = pointer.chunk_offsets
    parts: dict[int, bytes] = {}
    if offsets:  # one read: a zombie's chunks may lie in between, and are left out
        for record in log.read(topic, partition, offsets[0], offsets[-1] + 1):
            chunk = _chunk(codec, record) if record.offset in offsets else None
            if chunk is not None:
                parts[record.offset] = chunk.body
    if len(parts) != len(offsets):
        return None
    body = b"".join((*(parts[offset] for offset in offsets), pointer.body))
    if hashlib.sha256(body).hexdigest() != pointer.digest:
        return None
    try:
        return msgspec.msgpack.decode(body, type=Body)
    except msgspec.DecodeError:
        return None


def _chunk(codec: Codec, record: Record) -> SnapshotWritten | None:
    try:
        event: Event = codec.decode(record.value)
    except CodecError:
        return None
    return event if isinstance(event, SnapshotWritten) else None
