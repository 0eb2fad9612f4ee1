"""Checkpoints, gaps, and garbage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from schemas.codec import record_for
from schemas.envelope import produced
from schemas.record import Record
from schemas.topics import DECISIONS, SITES, Topic, dlq, snapshots_topic
from streams import snapshots
from streams.driver import Seat
from streams.loop import Processor
from streams.memory import MemoryLog
from streams.recovery import restore
from streams.snapshots import state_bytes
from streams.worker import Worker
from tests.streams.ledger import LEDGER, Ledger
from tests.streams.reports import random_events, report
from tests.streams.substrates import CODEC, MemorySubstrate, distinct, everything, put, said


@pytest.fixture
def substrate() -> MemorySubstrate:
    return MemorySubstrate()


def put_garbage(substrate: MemorySubstrate, count: int) -> None:
    event = report(0)
    good = record_for(SITES, event, produced(event, source="/tests"), CODEC)
    substrate.append(*[replace(good, value=b"garbage")] * count)


def test_garbage_between_inputs_stops_nothing(substrate: MemorySubstrate) -> None:
    for at in range(30):
        put_garbage(substrate, 3)
        put(substrate, report(at, unit=at))
    Seat(LEDGER, 0, CODEC, substrate.open).run()
    assert len(everything(substrate.open(), dlq(SITES))) == 90
    assert len(everything(substrate.open(), DECISIONS)) == 30


def test_records_between_the_snapshot_and_the_first_one_given_are_not_lost(
    substrate: MemorySubstrate,
) -> None:
    """A group that committed beyond the snapshot starts the next worker too far ahead."""
    put(substrate, *[report(at, unit=at) for at in range(10)])
    worker = Seat(LEDGER, 0, CODEC, substrate.open).worker
    given = list(substrate.open().read(SITES, 0, 7))
    for record in given:
        worker.receive(record)
    worker.checkpoint()
    assert worker.saved_position == 9
    assert len(everything(substrate.open(), DECISIONS)) == 10


def test_what_the_consumer_could_not_read_is_read_from_the_log(substrate: MemorySubstrate) -> None:
    put(substrate, *[report(at, unit=at) for at in range(10)])
    worker = Seat(LEDGER, 0, CODEC, substrate.open).worker
    assert not worker.catch_up(6, 100)
    assert not worker.catch_up(6, 100)
    assert worker.processor.position == 6


class Counting(MemoryLog):
    reads = 0

    def read(
        self, topic: Topic, partition: int, start: int, end: int | None = None
    ) -> Iterator[Record]:
        self.reads += topic is SITES
        return super().read(topic, partition, start, end)


def test_a_gap_is_looked_up_unless_the_consumer_came_to_it_from_what_was_applied(
    substrate: MemorySubstrate,
) -> None:
    # Given five inputs, each followed by a marker
    for at in range(5):
        transaction = substrate.begin()
        transaction.append(said(report(at, unit=at)))
        transaction.commit()
    log = Counting(substrate.broker)
    worker = Seat(LEDGER, 0, CODEC, lambda: log).worker
    records, log.reads = list(substrate.open().read(SITES, 0, 0)), 0
    assert [record.offset for record in records] == [0, 2, 4, 6, 8]
    # When the consumer knows what lies before, it is believed as far as that was applied
    worker.receive(records[0])
    worker.receive(records[1], 0)
    assert log.reads == 0
    worker.receive(records[4], 6)
    # Then what was not applied is looked up, and nothing is lost
    assert log.reads == 1
    worker.checkpoint()
    assert len(everything(substrate.open(), DECISIONS)) == 5


def test_it_gets_behind_what_nobody_reads_and_no_further(substrate: MemorySubstrate) -> None:
    put(substrate, report(0))
    aborted = substrate.begin()
    aborted.append(said(report(1)))
    aborted.abort()
    worker = Seat(LEDGER, 0, CODEC, substrate.open).worker
    worker.pass_over(3)
    assert worker.processor.position == -1
    worker.receive(next(iter(substrate.open().read(SITES, 0, 0))))
    worker.pass_over(3)
    assert worker.processor.position == 2
    put(substrate, report(3))
    worker.pass_over(1)
    worker.pass_over(4)
    assert worker.processor.position == 2


def test_a_state_that_was_taken_is_written_as_it_was_while_decisions_go_on(
    substrate: MemorySubstrate,
) -> None:
    put(substrate, *random_events(5, 60, sites=2))
    log = substrate.open()
    worker = Worker(restore(LEDGER, 0, log, CODEC), log, CODEC)
    records = everything(log, SITES)
    for record in records[:40]:
        worker.receive(record)
    while worker.prepare():
        pass
    taken, before = worker.capture(), state_bytes(worker.processor)
    assert taken is not None
    for record in records[40:]:
        worker.receive(record)
    worker.write(taken)
    assert worker.saved_position == 39
    found = snapshots.newest(substrate.open(), CODEC, LEDGER, 0).saved
    assert found is not None
    saved: Processor[Ledger] = Processor(LEDGER, 0, 1, CODEC)
    snapshots.load(saved, found)
    assert (saved.position, state_bytes(saved)) == (39, before)
    # And who begins there goes on to the same state, and repeats what was said since
    successor = Seat(LEDGER, 0, CODEC, substrate.open)
    successor.run()
    assert state_bytes(successor.worker.processor) == state_bytes(worker.processor)
    distinct(everything(substrate.open(), DECISIONS))


def test_nothing_new_writes_no_snapshot(substrate: MemorySubstrate) -> None:
    put(substrate, report(1))
    seat = Seat(LEDGER, 0, CODEC, substrate.open)
    seat.run()
    written = len(everything(substrate.open(), snapshots_topic("routing")))
    seat.run()
    seat.restart()
    seat.run()
    assert len(everything(substrate.open(), snapshots_topic("routing"))) == written


def test_snapshots_alternate_between_two_slots_across_restarts(
    substrate: MemorySubstrate,
) -> None:
    seat = Seat(LEDGER, 0, CODEC, substrate.open)
    for at in range(6):
        put(substrate, *random_events(at, 3))
        seat.run()
        seat.restart()
    keys = [record.key for record in everything(substrate.open(), snapshots_topic("routing"))]
    assert len(set(keys)) == 2
    assert keys[0::2] == [keys[0]] * 3
    assert keys[1::2] == [keys[1]] * 3
