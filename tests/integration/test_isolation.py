"""Every reader of a log sees one history, whatever transactions did to it, and gets to its end.

Partition 0 ends with an aborted transaction, partition 1 with one that is open. The same was said
to a log in memory, which tells what is right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from deploy.local.infrastructure import Addresses
from projections.log_reader import LogReader as ProjectionsReader
from schemas.codec import Codec
from schemas.isolation import READ_COMMITTED
from schemas.registry import RegistryIds, register
from schemas.topics import DECISIONS, SITES, Topics, group_of, home_partition
from simulators.reader import LogReader as SimulatorsReader
from streams.driver import Seat
from streams.recovery import restore
from tests.benchmarks.environment import Environment
from tests.e2e.stock_reader import StockReader
from tests.integration.processes import Process, wait_until
from tests.streams.ledger import LEDGER
from tests.streams.reports import report
from tests.streams.substrates import (
    KafkaSubstrate,
    MemorySubstrate,
    Substrate,
    Transaction,
    distinct,
    everything,
    said,
)

PARTITIONS = (0, 1)
SITE = [
    next(name for name in map("site-{}".format, range(9)) if home_partition(name.encode(), 2) == p)
    for p in PARTITIONS
]


def tell(substrate: Substrate, codec: Codec) -> Transaction:
    """Committed, aborted, open and interleaved transactions; the one that is left open."""
    for site in SITE:
        substrate.append(said(report(0, site=site), codec))
        first, second, third = substrate.begin(), substrate.begin(), substrate.begin()
        for at in range(1, 13, 4):
            first.append(said(report(at, site=site, unit=1), codec))
            second.append(said(report(at + 1, site=site, unit=2, health="degraded"), codec))
            substrate.append(said(report(at + 2, site=site, unit=3), codec))
            third.append(said(report(at + 3, site=site, unit=4), codec))
        first.abort()
        second.commit()
        substrate.append(said(report(20, site=site), codec))
        third.abort()
    left = substrate.begin()
    left.append(said(report(30, site=SITE[1], unit=5), codec))
    substrate.append(said(report(31, site=SITE[1]), codec))
    return left


@dataclass
class History:
    """On Kafka and in memory."""

    kafka: str
    registry: str
    prefix: str
    codec: Codec
    memory: MemorySubstrate
    substrate: KafkaSubstrate

    @property
    def topics(self) -> Topics:
        return Topics(self.prefix)

    @property
    def topic(self) -> str:
        return self.topics.name_of(SITES)

    def right(self) -> dict[int, list[int]]:
        """The offsets that are read, by partition."""
        log = self.memory.open()
        return {p: [record.offset for record in log.read(SITES, p, 0)] for p in PARTITIONS}

    def ends(self) -> dict[int, int]:
        log = self.memory.open()
        return {p: log.bounds(SITES, p)[1] for p in PARTITIONS}


@pytest.fixture(scope="module")
def history(kafka: str, registry: str, topic_prefix: str) -> Iterator[History]:
    topics = Topics(topic_prefix)
    substrate, memory = KafkaSubstrate(kafka, topic_prefix, 2), MemorySubstrate(2)
    register(registry, topics)
    codec = Codec(RegistryIds(registry, topics))
    left = tell(substrate, codec)
    tell(memory, codec)
    yield History(kafka, registry, topic_prefix, codec, memory, substrate)
    left.abort()


Found = dict[int, list[int]]


def by_recovery(history: History, _: Path) -> Found:
    log = history.substrate.open()
    return {p: [record.offset for record in log.read(SITES, p, 0)] for p in PARTITIONS}


def by_projections(history: History, _: Path) -> Found:
    reader, found = ProjectionsReader(history.kafka, history.topics, 5), Found({0: [], 1: []})
    reader.start({(SITES, p): 0 for p in PARTITIONS})
    ends = reader.ends(cached=False)
    assert {place[1]: end for place, end in ends.items()} == history.ends()
    while any(reader.position(place) < end for place, end in ends.items()):
        stretches = reader.read(10)
        assert stretches, "the end is not reached"
        for (_topic, p), stretch in stretches.items():
            found[p] += [int(message.offset() or 0) for message in stretch.messages]
        reader.applied({place: stretch.end for place, stretch in stretches.items()})
    reader.close()
    return found


def by_simulators(history: History, _: Path) -> Found:
    reader = SimulatorsReader(
        history.kafka, history.topics, history.codec, logs=[SITES], keys=SITE, types=[]
    )
    found = Found({0: [], 1: []})
    for record in reader.history():
        found[record.partition].append(record.offset)
    reader.close()
    return found


def by_benchmarks(history: History, directory: Path) -> Found:
    addresses = Addresses(history.kafka, history.registry, "")
    environment = Environment(addresses, history.topics, history.codec, directory)
    assert environment.end_of(SITES) == history.ends()[0]
    consumer = environment.consumer(*(TopicPartition(history.topic, p, 0) for p in PARTITIONS))
    right, found = history.right(), Found({0: [], 1: []})
    while sum(map(len, found.values())) < sum(map(len, right.values())):
        message = consumer.poll(10)
        assert message is not None
        found[int(message.partition() or 0)].append(int(message.offset() or 0))
    consumer.close()
    return found


def by_strangers(history: History, _: Path) -> Found:
    reader, found = StockReader(history.kafka, history.registry), Found({0: [], 1: []})
    for message in reader.raw(history.topic):
        found[int(message.partition() or 0)].append(int(message.offset() or 0))
    reader.close()
    return found


READERS: list[Callable[[History, Path], Found]] = [
    by_recovery,
    by_projections,
    by_simulators,
    by_benchmarks,
    by_strangers,
]


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_sees_what_was_committed_and_gets_to_the_end(
    history: History, reader: Callable[[History, Path], Found], tmp_path: Path
) -> None:
    assert reader(history, tmp_path) == history.right()


def test_an_agent_answers_what_was_committed_and_commits_up_to_the_end(
    history: History, tmp_path: Path
) -> None:
    # Given what the log in memory makes of it
    seats = [Seat(LEDGER, p, history.codec, history.memory.open) for p in PARTITIONS]
    for seat in seats:
        while seat.run():
            pass
    expected = distinct(everything(history.memory.open(), DECISIONS))
    # When the agent runs under Faust
    worker = Process(
        "ledger",
        ("tests.streams.ledger",),
        {
            "HCP_KAFKA": history.kafka,
            "HCP_SCHEMA_REGISTRY": history.registry,
            "HCP_TOPIC_PREFIX": history.prefix,
            "HCP_CHECKPOINT_INTERVAL_MS": "100",
        },
        tmp_path,
    )
    log = history.substrate.open()
    group = {
        **READ_COMMITTED,
        "bootstrap.servers": history.kafka,
        "group.id": group_of("routing", history.prefix),
    }
    consumer = Consumer(group)
    places = [TopicPartition(history.topic, p) for p in PARTITIONS]

    def is_at_the_end() -> bool:
        """Of what may be read: partition 0 has its own answers behind the history."""
        committed = {place.partition: place.offset for place in consumer.committed(places, 20)}
        return committed == {p: log.bounds(SITES, p)[1] for p in PARTITIONS}

    worker.start()
    try:
        wait_until(is_at_the_end, 60, "every partition is committed up to its end")
        assert worker.stop() == 0
    finally:
        worker.end()
        consumer.close()
    # Then it gave the same answers, and stands where what may be read ends
    assert distinct(everything(log, DECISIONS)) == expected
    for p, seat in zip(PARTITIONS, seats, strict=True):
        rebuilt = restore(LEDGER, p, log, history.codec).processor
        assert rebuilt.position == log.bounds(SITES, p)[1] - 1
        assert rebuilt.states == seat.worker.processor.states
