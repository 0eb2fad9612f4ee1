"""Whatever is on a log can be got past: its dead letter is written, fits, and says why; and what is
left in the states can be written too, and read again."""

from __future__ import annotations

from collections import Counter
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from projections.admission import Admission
from projections.catalog import READ_MODELS
from projections.decoding import READER, Decoder
from projections.fold import fold
from schemas.codec import OutRecord
from schemas.deadletters import writer_of_letter
from schemas.envelope import Envelope
from schemas.errors import CodecError, Refused
from schemas.events.dlq import RecordDeadLettered
from schemas.record import Record
from schemas.topics import LOGS, MAX_RECORD_BYTES, Topic, dlq
from streams import snapshots
from streams.app import AGENTS, load
from streams.encoding import Encodings
from streams.loop import Processor
from streams.memory import MemoryBroker, MemoryLog
from tests.streams.hostile import Hostile, real_records
from tests.streams.substrates import CODEC

BATCHES, RECORDS = 260, 400  # spread over the logs: 104,000 records
READERS = tuple(load(name) for name in AGENTS)
ADMISSION = Admission(
    CODEC, dict.fromkeys(LOGS, 1), frozenset(kind for model in READ_MODELS for kind in model.reads)
)
DECODER = Decoder(ADMISSION, CODEC, limit=1)
PARTS = st.lists(st.binary(max_size=64) | st.text(max_size=16).map(str.encode), max_size=8)


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.log)
@given(seed=st.integers(0, 2**64), parts=PARTS)
@settings(max_examples=BATCHES // len(LOGS), deadline=None, suppress_health_check=list(HealthCheck))
def test_no_record_stops_a_reader(log: Topic, seed: int, parts: list[bytes]) -> None:
    hostile = Hostile(seed, parts)
    start = [as_read(log, real, offset) for offset, real in enumerate(real_records()[log][:60])]
    records = start + [hostile.record(log, len(start) + offset) for offset in range(RECORDS)]
    refused: set[int] = set()
    letters: Counter[int] = Counter()
    for agent in READERS:
        if agent.log is log:
            processor: Processor[Any] = Processor(agent, 0, 1, CODEC)
            for record in records:
                if record.offset in (len(start), len(records) // 2):
                    processor = restarted(processor)
                before = processor.tally.refused
                outputs = processor.handle(record)
                letters[record.offset] += sum(judge(out, log, record) for out in outputs)
                if processor.tally.refused > before:
                    refused.add(record.offset)
            restarted(processor)
    for record in records:
        error = projected(log, record)
        if error is not None:
            refused.add(record.offset)
        if error is not None and writer_of_letter(log, record) == READER:
            letters[record.offset] += judge(DECODER.letter(log, record, error), log, record)
    assert +letters == Counter(refused)  # one a record, whoever could not read it


def restarted(processor: Processor[Any]) -> Processor[Any]:
    """What another process makes of a snapshot of it."""
    agent, log = processor.agent, MemoryLog(MemoryBroker())
    taken = snapshots.capture(processor, Encodings(agent), {}, -1)
    snapshots.write(log, CODEC, agent, taken, 0)
    saved = snapshots.newest(log, CODEC, agent, 0).saved
    assert saved is not None
    again: Processor[Any] = Processor(agent, 0, 1, CODEC)
    snapshots.load(again, saved)
    assert snapshots.state_bytes(again) == snapshots.state_bytes(processor)
    return again


def projected(log: Topic, record: Record) -> CodecError | Refused | None:
    """What a batch of the projections does with it, short of the database; why, if refused."""
    try:
        found = ADMISSION.admit(log, record)
    except (CodecError, Refused) as error:
        return error
    if found is not None:
        operations = [
            operation
            for model in READ_MODELS
            if type(found.event) in model.reads
            for operation in model.operations(found)
        ]
        fold(operations, {})
    return None


def judge(out: OutRecord, log: Topic, record: Record) -> bool:
    """Whether it is a dead letter, which must be readable, small and clear."""
    size = len(out.key) + len(out.value) + sum(len(n) + len(v or b"") for n, v in out.headers)
    assert size < MAX_RECORD_BYTES
    if out.topic is not dlq(log):
        return False
    letter = CODEC.decode(out.value)
    assert isinstance(letter, RecordDeadLettered)
    assert letter.reason
    assert letter.detail
    assert (letter.source_topic, letter.source_offset) == (log.name, record.offset)
    assert Envelope.from_headers(out.headers).time_ms == letter.at
    return True


def as_read(log: Topic, out: OutRecord, offset: int) -> Record:
    return Record(log.name, 0, offset, 0, out.key, out.value, cast(Any, out.headers))
