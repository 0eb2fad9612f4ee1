"""What every log must do, and what the loop does on every log. Runs in memory and on Kafka."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import pairwise

import pytest

from schemas.codec import OutRecord, record_for
from schemas.envelope import Envelope, produced
from schemas.events.snapshots import SnapshotWritten
from schemas.record import Record
from schemas.topics import DECISIONS, SITES, Event, home_partition, snapshots_topic
from streams import snapshots
from streams.driver import Seat
from streams.errors import PublishingFailed, StreamError
from streams.log import Log
from streams.loop import Processor
from streams.memory import Crashed, MemoryLog
from streams.recovery import restore
from streams.snapshots import state_bytes
from tests.streams.conftest import OpenSubstrate
from tests.streams.ledger import LEDGER, Ledger
from tests.streams.reports import random_events, report
from tests.streams.substrates import (
    CODEC,
    MemorySubstrate,
    Substrate,
    distinct,
    everything,
    put,
    said,
)


def publish(log: Log, count: int, *, site: str = "site-a") -> None:
    for at in range(count):
        event = report(at, site=site)
        log.publish(record_for(SITES, event, produced(event, source="/tests"), CODEC))


class TestLog:
    def test_what_was_published_is_read_in_order_after_a_flush(self, substrate: Substrate) -> None:
        log = substrate.open()
        publish(log, 50)
        log.flush()
        records = list(substrate.open().read(SITES, 0, 0))
        assert [record.offset for record in records] == list(range(50))
        assert [CODEC.decode(record.value).at for record in records] == list(range(50))
        assert {record.topic for record in records} == {SITES.name}

    def test_reads_between_offsets(self, substrate: Substrate) -> None:
        log = substrate.open()
        publish(log, 20)
        log.flush()
        assert [record.offset for record in log.read(SITES, 0, 5, 9)] == [5, 6, 7, 8]
        assert list(log.read(SITES, 0, 20)) == []
        assert list(log.read(SITES, 0, 9, 9)) == []
        assert [record.offset for record in log.read(SITES, 0, 18, 1000)] == [18, 19]
        assert log.bounds(SITES, 0) == (0, 20)

    def test_tells_where_what_it_published_went(self, substrate: Substrate) -> None:
        put(substrate, report(0), report(1))
        log = substrate.open()
        publish(log, 3)
        log.flush()
        assert log.delivered() == {(SITES.name, 0): 4}

    def test_tells_each_record_that_asks_where_it_went(self, substrate: Substrate) -> None:
        put(substrate, report(0))
        log, offsets = substrate.open(), list[int]()
        for at in range(3):
            event = report(at)
            envelope = produced(event, source="/tests")
            log.publish(record_for(SITES, event, envelope, CODEC), offsets.append)
        log.flush()
        assert offsets == [1, 2, 3]

    def test_keys_go_to_their_home_partition(self, open_substrate: OpenSubstrate) -> None:
        log = open_substrate(3).open()
        for number in range(12):
            publish(log, 2, site=f"site-{number}")
        log.flush()
        for partition in range(3):
            for record in log.read(SITES, partition, 0):
                assert record.key is not None
                assert home_partition(record.key, 3) == partition
        assert len(everything(log, SITES)) == 24

    def test_a_partition_may_be_named(self, open_substrate: OpenSubstrate) -> None:
        log = open_substrate(3).open()
        event = report(0)
        record = record_for(SITES, event, produced(event, source="/tests"), CODEC)
        for partition in range(3):
            log.publish(replace(record, partition=partition))
        log.flush()
        assert [log.bounds(SITES, partition) for partition in range(3)] == [(0, 1)] * 3

    def test_takes_nothing_more_after_a_failure(self, substrate: Substrate) -> None:
        log, event = substrate.open(), report(0)
        publish(log, 2)
        log.flush()
        nowhere = record_for(SITES, event, produced(event, source="/tests"), CODEC, partition=99)
        with suppress(StreamError):
            log.publish(nowhere)
            log.flush()
        for _ in range(2):
            with pytest.raises(PublishingFailed):
                log.flush()
            with pytest.raises(PublishingFailed):
                publish(log, 1)
        assert len(everything(substrate.open(), SITES)) == 2


class TestTransactions:
    def test_what_was_aborted_and_markers_are_read_by_nobody(self, substrate: Substrate) -> None:
        # Given 0, an aborted 1 and 2, their marker 3, 4, a committed 5 and its marker 6
        put(substrate, report(0))
        aborted = substrate.begin()
        aborted.append(said(report(1)))
        aborted.append(said(report(2)))
        aborted.abort()
        put(substrate, report(4))
        committed = substrate.begin()
        committed.append(said(report(5)))
        committed.commit()
        # Then each read gives 0, 4 and 5, and the log ends behind the marker
        log = substrate.open()
        assert _offsets(log) == [0, 4, 5]
        assert [record.offset for record in log.read(SITES, 0, 1, 4)] == []
        assert [record.offset for record in log.read(SITES, 0, 1, 5)] == [4]
        assert [record.offset for record in log.read(SITES, 0, 2, 1000)] == [4, 5]
        assert list(log.read(SITES, 0, 6)) == []
        assert log.bounds(SITES, 0) == (0, 7)

    def test_an_open_one_holds_back_what_comes_behind_it(self, substrate: Substrate) -> None:
        put(substrate, report(0))
        transaction = substrate.begin()
        transaction.append(said(report(1)))
        put(substrate, report(2))
        log = substrate.open()
        assert (_offsets(log), log.bounds(SITES, 0)) == ([0], (0, 1))
        transaction.commit()
        assert (_offsets(log), log.bounds(SITES, 0)) == ([0, 1, 2], (0, 4))

    def test_of_two_that_interleave_each_ends_by_itself(self, substrate: Substrate) -> None:
        first, second = substrate.begin(), substrate.begin()
        first.append(said(report(0)))
        second.append(said(report(1)))
        first.append(said(report(2)))
        second.append(said(report(3)))
        log = substrate.open()
        second.commit()  # marker 4
        assert (_offsets(log), log.bounds(SITES, 0)) == ([], (0, 0))
        first.abort()  # marker 5
        assert (_offsets(log), log.bounds(SITES, 0)) == ([1, 3], (0, 6))

    def test_a_state_that_lived_through_them_equals_one_that_is_rebuilt(
        self, substrate: Substrate
    ) -> None:
        # Given an agent that reads while transactions come, are open, interleave and end
        seat = Seat(LEDGER, 0, CODEC, substrate.open, checkpoint_every=7)
        events = [report(at, unit=at % 5, health="degraded") for at in range(40)]
        for number in range(0, 40, 10):
            first, second = substrate.begin(), substrate.begin()
            for at in range(number, number + 9, 3):
                put(substrate, events[at])
                first.append(said(events[at + 1]))
                second.append(said(events[at + 2]))
                seat.run()
            first.abort()
            seat.run(2)
            second.commit()
            put(substrate, events[number + 9])
            seat.run(3)
        last = substrate.begin()
        last.append(said(report(1000)))
        last.abort()
        while seat.run():
            pass
        # Then it is at the end of the log, and so is what is acknowledged
        _, end = substrate.open().bounds(SITES, 0)
        assert (seat.worker.processor.position, seat.acked) == (end - 1, end - 1)
        lived = state_bytes(seat.worker.processor)
        state = seat.worker.processor.states["site-a"]
        assert sum(state.reports.values()) == 4 * 7
        # Then so is its snapshot, and what another version, or none, would make of the log
        seat.restart()
        assert state_bytes(seat.worker.processor) == lived
        for later in (replace(LEDGER, version="2"), replace(LEDGER, state_version="2")):
            rebuilt = restore(later, 0, substrate.open(), CODEC).processor
            assert rebuilt.position == end - 1
            assert rebuilt.states == seat.worker.processor.states


def _offsets(log: Log) -> list[int]:
    return [record.offset for record in log.read(SITES, 0, 0)]


class TestSnapshots:
    @pytest.fixture
    def seat(self, substrate: Substrate, monkeypatch: pytest.MonkeyPatch) -> Seat:
        monkeypatch.setattr(snapshots, "MAX_CHUNK_BYTES", 64)
        return Seat(LEDGER, 0, CODEC, substrate.open)

    def test_one_of_several_chunks_is_restored_whole(
        self, substrate: Substrate, seat: Seat
    ) -> None:
        put(substrate, *random_events(1, 30))
        seat.run()
        before = state_bytes(seat.worker.processor)
        topic = snapshots_topic("routing")
        assert len(list(substrate.open().read(topic, 0, 0))) > 3
        seat.restart()
        assert seat.worker.processor.position == seat.acked
        assert state_bytes(seat.worker.processor) == before

    def test_half_a_snapshot_does_not_count(self, substrate: Substrate, seat: Seat) -> None:
        put(substrate, *random_events(1, 10))
        seat.run()
        position, before = seat.acked, state_bytes(seat.worker.processor)
        put(substrate, *random_events(2, 10))
        for calls in (14, 4, 6):  # the first one's answers are on the log by then
            with pytest.raises(Crashed):
                Seat(LEDGER, 0, CODEC, partial(substrate.open, calls)).run()
        found = snapshots.newest(substrate.open(), CODEC, LEDGER, 0)
        assert found.saved is not None
        if found.saved.offset == position:
            processor = Processor(LEDGER, 0, 1, CODEC)
            snapshots.load(processor, found.saved)
            assert state_bytes(processor) == before

    def test_a_damaged_snapshot_gives_way_to_the_one_before(
        self, substrate: Substrate, seat: Seat
    ) -> None:
        put(substrate, *random_events(1, 10))
        seat.run()
        first = seat.acked
        before = state_bytes(seat.worker.processor)
        newest = next(pointer for pointer in _pointers(substrate))
        damaged = replace(newest, offset=newest.offset + 5, digest="0" * 64)
        envelope = produced(damaged, source="/tests")
        topic = snapshots_topic("routing")
        substrate.append(
            record_for(topic, damaged, envelope, CODEC, key=b"routing/x/1/9", partition=0)
        )
        found = snapshots.newest(substrate.open(), CODEC, LEDGER, 0)
        assert found.settled == first + 5
        assert found.saved is not None
        assert found.saved.offset == first
        seat.restart()
        put(substrate, *random_events(2, 8))
        seat.run()
        assert state_bytes(seat.worker.processor) != before

    def test_is_durable_in_two_steps_whatever_a_zombie_writes_in_between(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given a zombie that writes a chunk of its own before each of ours
        monkeypatch.setattr(snapshots, "MAX_CHUNK_BYTES", 64)
        substrate, flushes = MemorySubstrate(), []

        class Contended(MemoryLog):
            def flush(self) -> None:
                flushes.append(len(self._buffer))
                super().flush()

            def _deliver(self, record: OutRecord) -> int:
                if record.topic.name == snapshots_topic("routing").name:
                    super()._deliver(record)
                return super()._deliver(record)

        seat = Seat(LEDGER, 0, CODEC, lambda: Contended(substrate.broker))
        put(substrate, *random_events(1, 30))
        # When it writes a snapshot of many chunks
        seat.run()
        # Then the chunks go out together, the pointer alone, and it is found whole
        answers, chunks, pointer = flushes
        assert (answers > 0, chunks > 3, pointer) == (True, True, 1)
        before = state_bytes(seat.worker.processor)
        seat.restart()
        assert seat.worker.processor.position == seat.acked
        assert state_bytes(seat.worker.processor) == before

    def test_no_snapshot_no_state(self, seat: Seat) -> None:
        assert seat.worker.processor.position == -1
        assert seat.worker.processor.states == {}


@pytest.mark.parametrize("seed", [1, 2])
def test_crashes_repeat_and_never_contradict(open_substrate: OpenSubstrate, seed: int) -> None:
    events = random_events(seed, 300, sites=3)
    clean = MemorySubstrate()
    put(clean, *events)
    reference = Seat(LEDGER, 0, CODEC, clean.open)
    while reference.run():
        pass

    substrate = open_substrate()
    put(substrate, *events)
    deaths = iter((35, 60, 85, 60, 45))
    seat = Seat(LEDGER, 0, CODEC, lambda: substrate.open(next(deaths, None)), checkpoint_every=25)
    died = 0
    while True:
        try:
            if not seat.run():
                break
        except Crashed:
            died += 1
            seat.restart()

    assert died >= 4
    log = substrate.open()
    assert distinct(everything(log, DECISIONS)) == distinct(everything(clean.open(), DECISIONS))
    assert distinct(everything(log, SITES)) == distinct(everything(clean.open(), SITES))
    assert state_bytes(seat.worker.processor) == state_bytes(reference.worker.processor)
    causes = [record.offset for record in everything(log, DECISIONS)]
    assert all(later == earlier + 1 for earlier, later in pairwise(causes))


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_lost_snapshot_is_made_again_from_the_answers_and_nothing_is_said_twice(
    substrate: Substrate, version: str
) -> None:
    put(substrate, *random_events(3, 200, sites=3))
    seat = Seat(LEDGER, 0, CODEC, substrate.open, checkpoint_every=60)
    while seat.run():
        pass
    before = {topic: everything(substrate.open(), topic) for topic in (SITES, DECISIONS)}

    substrate.lose(snapshots_topic("routing"))
    agent = replace(LEDGER, version=version, decide=never_again)
    again = Seat(agent, 0, CODEC, substrate.open, checkpoint_every=60)
    again.worker.checkpoint()

    assert {topic: everything(substrate.open(), topic) for topic in before} == before
    last = max(_answered(record) for records in before.values() for record in records)
    assert again.worker.saved_position == last
    while again.run():
        pass
    assert state_bytes(again.worker.processor) == state_bytes(seat.worker.processor)
    assert {topic: everything(substrate.open(), topic) for topic in before} == before


def never_again(state: Ledger, event: Event) -> list[Event]:
    """What was taken in silence may be asked again: the answer is none."""
    assert not LEDGER.decide(state, event), "a recorded input was decided again"
    return []


def _answered(record: Record) -> int:
    cause = Envelope.from_headers(record.headers).cause
    return -1 if cause is None else cause.offset


def _pointers(substrate: Substrate) -> list[SnapshotWritten]:
    return [pointer for pointer, _ in snapshots._pointers(substrate.open(), CODEC, LEDGER, 0)]
