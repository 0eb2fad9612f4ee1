"""A long way behind: in slices, saved in between, interrupted anywhere, and in little memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from schemas.codec import Codec, LocalIds
from schemas.errors import RegistryUnavailable
from schemas.record import Record
from schemas.topics import DECISIONS, SITES, Event, Topic, dlq, snapshots_topic, unanswered
from streams import snapshots
from streams.definition import Agent
from streams.driver import Seat
from streams.errors import ReadingStopped
from streams.log import Log
from streams.memory import MemoryBroker, MemoryLog
from streams.recovery import begin
from streams.snapshots import state_bytes
from streams.worker import Worker
from tests.streams.ledger import Ledger
from tests.streams.reports import random_events
from tests.streams.substrates import CODEC, MemorySubstrate, distinct, everything, put
from tests.streams.test_faults import AGENT, fill

COUNT = 200


@pytest.fixture
def lived() -> tuple[MemorySubstrate, Seat]:
    """A log that one version of the ledger answered to its end, with what it could not answer."""
    substrate = MemorySubstrate()
    fill(substrate)
    put(substrate, *random_events(8, COUNT, sites=3))
    seat = Seat(AGENT, 0, CODEC, substrate.open)
    while seat.run():
        pass
    return substrate, seat


def never(_state: Ledger, _event: Event) -> list[Event]:
    raise AssertionError("a recorded input was decided again")


REBUILT = replace(AGENT, state_version="2", decide=never)


def worker_of(agent: Agent[Any, Any], log: Log, codec: Codec = CODEC) -> Worker[Any]:
    return Worker(begin(agent, 0, log, codec), log, codec)


def catch_up(worker: Worker[Any], offset: int) -> None:
    while worker.catch_up(offset, 40):
        pass


def applied(worker: Worker[Any], count: int) -> bool:
    """Catch up with about so many records that are applied; whether there are more."""
    enough = worker.processor.position + count
    while has_more := worker.catch_up(-1, 1):
        if worker.processor.position >= enough:
            break
    return has_more


@pytest.mark.parametrize("slice_of", [1, 7, 50, 10_000])
def test_a_rebuild_goes_on_from_its_own_checkpoint(
    lived: tuple[MemorySubstrate, Seat], slice_of: int
) -> None:
    substrate, seat = lived
    starts = [-1]
    while True:
        worker = worker_of(REBUILT, substrate.open())
        starts.append(worker.processor.position)
        has_more = applied(worker, slice_of)
        worker.checkpoint()
        if not has_more:
            break  # else the process is killed, and the next one begins at the checkpoint
    assert starts == sorted(starts)
    assert len(starts) >= min(COUNT, COUNT // slice_of)
    assert state_bytes(worker.processor) == state_bytes(seat.worker.processor)
    assert worker.processor.position == seat.worker.processor.position


def test_a_rebuild_that_was_saved_half_way_still_knows_what_was_settled(
    lived: tuple[MemorySubstrate, Seat],
) -> None:
    """The last inputs have no answer: only the old snapshot says that they were taken."""
    substrate, seat = lived
    worker = worker_of(REBUILT, substrate.open())
    settled = worker._recovery.settled
    assert settled == seat.worker.saved_position
    assert applied(worker, 20)
    worker.checkpoint()
    assert snapshots.newest(substrate.open(), CODEC, REBUILT, 0).settled == settled


def test_where_a_rebuild_goes_on_it_looks_only_at_what_is_ahead(
    lived: tuple[MemorySubstrate, Seat],
) -> None:
    substrate, _ = lived
    worker, ahead = worker_of(REBUILT, substrate.open()), list[int]()
    while applied(worker, 25):
        worker.checkpoint()
        worker = worker_of(REBUILT, substrate.open())
        ahead.append(worker.unsearched)
    assert ahead == sorted(ahead, reverse=True)
    assert len(set(ahead)) > COUNT // 30
    assert ahead[-1] < ahead[0] // 4


def test_how_far_it_is_can_be_told_all_the_way(lived: tuple[MemorySubstrate, Seat]) -> None:
    """First what is left to search gets less, then the position gets greater."""
    substrate, _ = lived
    worker = worker_of(REBUILT, substrate.open())
    seen = [(worker.unsearched, -worker.processor.position)]
    while worker.catch_up(-1, 10):
        seen.append((worker.unsearched, -worker.processor.position))
    assert seen == sorted(seen, reverse=True)
    assert seen[0][0] > COUNT
    assert len({unsearched for unsearched, _ in seen}) > COUNT // 10
    assert len({position for _, position in seen}) > COUNT // 40


@pytest.mark.parametrize("slice_of", [3, 40, 10_000])
def test_without_any_snapshot_nothing_is_said_again(
    lived: tuple[MemorySubstrate, Seat], slice_of: int
) -> None:
    substrate, seat = lived
    before = {topic: everything(substrate.open(), topic) for topic in (SITES, DECISIONS)}
    letters = distinct(everything(substrate.open(), dlq(SITES)))
    substrate.broker.records(snapshots_topic("routing")).clear()
    end = substrate.open().bounds(SITES, 0)[1] - 1
    has_more = True
    while has_more:
        worker = worker_of(AGENT, substrate.open())
        has_more = applied(worker, slice_of)
        worker.checkpoint()
    catch_up(worker, end)
    worker.checkpoint()
    assert state_bytes(worker.processor) == state_bytes(seat.worker.processor)
    assert {topic: everything(substrate.open(), topic) for topic in before} == before
    assert distinct(everything(substrate.open(), dlq(SITES))) == letters


class Interrupted(MemoryLog):
    """Reading is stopped once, after so many records."""

    def __init__(self, broker: MemoryBroker, after: int) -> None:
        super().__init__(broker)
        self.left = after
        self.is_armed = False

    def read(
        self, topic: Topic, partition: int, start: int, end: int | None = None
    ) -> Iterator[Record]:
        for record in super().read(topic, partition, start, end):
            self.left -= self.is_armed
            if self.left == 0:
                raise ReadingStopped("asked to stop")
            yield record


@pytest.mark.parametrize("after", range(1, 900, 43))
@pytest.mark.parametrize("agent", [AGENT, REBUILT], ids=["decided again", "as recorded"])
def test_where_reading_is_stopped_nothing_is_half_done(
    lived: tuple[MemorySubstrate, Seat], agent: Agent[Any, Any], after: int
) -> None:
    substrate, seat = lived
    end = substrate.open().bounds(SITES, 0)[1] - 1
    if agent is AGENT:
        substrate.broker.records(snapshots_topic("routing")).clear()
    log = Interrupted(substrate.broker, after)
    worker = worker_of(agent, log)
    log.is_armed = True
    with pytest.raises(ReadingStopped):
        catch_up(worker, end)
    worker.checkpoint()  # the last one of a process that is to end
    successor = worker_of(agent, substrate.open())
    assert successor.processor.position == worker.processor.position
    catch_up(successor, end)
    assert state_bytes(successor.processor) == state_bytes(seat.worker.processor)
    distinct(everything(substrate.open(), DECISIONS))


def test_a_registry_that_is_away_in_the_middle_of_a_rebuild_is_waited_for(
    lived: tuple[MemorySubstrate, Seat],
) -> None:
    class Flickering(Codec):
        calls = 0

        def decode(self, value: bytes | None) -> Event:
            self.calls += 1
            if self.calls % 9 == 0:
                raise RegistryUnavailable("no answer")
            return super().decode(value)

    substrate, seat = lived
    codec, worker, waits, is_behind = Flickering(LocalIds()), None, 0, True
    log = substrate.open()
    restored = begin(REBUILT, 0, log, CODEC)
    restored.processor._codec = codec
    worker = Worker(restored, log, codec)
    while is_behind:
        try:
            is_behind = worker.catch_up(-1, 50)
        except RegistryUnavailable:
            waits += 1
    assert waits > 10
    assert state_bytes(worker.processor) == state_bytes(seat.worker.processor)


class Watched(MemoryLog):
    def __init__(self, broker: MemoryBroker) -> None:
        super().__init__(broker)
        self.read_of: list[str] = []

    def read(
        self, topic: Topic, partition: int, start: int, end: int | None = None
    ) -> Iterator[Record]:
        self.read_of.append(topic.name)
        return super().read(topic, partition, start, end)


def test_dead_letters_are_read_only_where_an_input_has_no_answer(
    lived: tuple[MemorySubstrate, Seat],
) -> None:
    substrate, _ = lived
    log = Watched(substrate.broker)
    catch_up(worker_of(AGENT, log), -1)
    assert unanswered(SITES).name in log.read_of
    assert dlq(SITES).name not in log.read_of
    worker = worker_of(REBUILT, log)
    worker.catch_up(-1, 10_000)
    assert log.read_of.count(dlq(SITES).name) == 1
