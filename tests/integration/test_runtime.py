"""One agent as a process under Faust, on a real broker and registry."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from schemas.codec import Codec, OutRecord, record_for
from schemas.envelope import produced
from schemas.provisioning import provision
from schemas.record import Record
from schemas.registry import RegistryIds, register
from schemas.topics import DECISIONS, SITES, Event, Topics, dlq, home_partition, topic_of
from streams import snapshots
from streams.driver import Seat
from streams.kafka import KafkaLog
from streams.recovery import restore
from streams.snapshots import state_bytes
from tests.integration.processes import Process, wait_until
from tests.streams.foreign_batches import Headers, RawName, builder
from tests.streams.ledger import LEDGER
from tests.streams.rebuilding import REBUILT
from tests.streams.reports import random_events, report
from tests.streams.substrates import MemorySubstrate, distinct, everything

FLOOD = 3000
BACKLOG = 900  # of a partition: less than the client fetches of it at once


class Stage:
    """One environment on the shared broker, with the ledger agent as a process."""

    def __init__(self, kafka: str, registry: str, prefix: str, log_dir: Path) -> None:
        self.kafka = kafka
        self.topics = Topics(prefix)
        self.codec = Codec(RegistryIds(registry, self.topics))
        self.log = KafkaLog(kafka, self.topics)
        self.worker = Process(
            "ledger",
            ("tests.streams.ledger",),
            {
                "HCP_KAFKA": kafka,
                "HCP_SCHEMA_REGISTRY": registry,
                "HCP_TOPIC_PREFIX": prefix,
                "HCP_CHECKPOINT_INTERVAL_MS": "200",
            },
            log_dir,
        )
        self.memory = MemorySubstrate()  # the same inputs, for the reference run

    def put(self, *events: Event) -> None:
        for event in events:
            envelope = produced(event, source="/tests")
            record = record_for(topic_of(type(event)), event, envelope, self.codec)
            self.log.publish(record)
            self.memory.append(record)
        self.log.flush()

    def count(self) -> int:
        return len(distinct(everything(self.log, DECISIONS)))

    def has(self, count: int) -> bool:
        return self.count() >= count

    async def put_foreign(self, record: OutRecord, *headers: Headers) -> None:
        """The record with each of these headers, in one batch as another client makes it."""
        producer = AIOKafkaProducer(bootstrap_servers=self.kafka)
        await producer.start()
        batch = producer.create_batch()
        batch._builder = builder()
        for of_record in headers:
            batch.append(
                key=record.key, value=record.value, timestamp=None, headers=list(of_record)
            )
        await (await producer.send_batch(batch, self.topics.name_of(record.topic), partition=0))
        await producer.stop()

    def letters(self) -> int:
        return len(everything(self.log, dlq(SITES)))

    def reference(self) -> Seat:
        """The same inputs through the log in memory."""
        seat = Seat(LEDGER, 0, self.codec, self.memory.open)
        while seat.run():
            pass
        return seat


@pytest.fixture
def stage(
    kafka: str,
    registry: str,
    topic_prefix: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Iterator[Stage]:
    prefix = f"{topic_prefix}{abs(hash(request.node.name)) % 10_000}."
    provision(kafka, Topics(prefix), partitions=getattr(request, "param", 1))
    register(registry, Topics(prefix))
    stage = Stage(kafka, registry, prefix, tmp_path)
    yield stage
    stage.worker.end()


def test_kafka_and_memory_give_the_same_bytes_and_garbage_stops_nothing(stage: Stage) -> None:
    stage.put(*random_events(1, 200))
    broken = replace(_some_record(stage), value=b"garbage")
    unknown = replace(_some_record(stage), value=b"\x00\x7f\xff\xff\xffbody")
    naive = replace(_some_record(stage), headers=[])
    for record in (broken, unknown, naive):
        stage.log.publish(record)
        stage.memory.append(record)
    stage.put(*random_events(2, 200))
    seat = stage.reference()
    expected = distinct(everything(stage.memory.open(), DECISIONS))

    stage.worker.start()
    wait_until(lambda: stage.count() >= len(expected), 60, "every input is answered")
    assert stage.worker.stop() == 0

    assert distinct(everything(stage.log, DECISIONS)) == expected
    ours, theirs = everything(stage.log, SITES), everything(stage.memory.open(), SITES)
    assert distinct(_headed(ours)) == distinct(_headed(theirs))
    restored = restore(LEDGER, 0, stage.log, stage.codec).processor
    assert state_bytes(restored) == state_bytes(seat.worker.processor)
    letters = [stage.codec.decode(record.value) for record in everything(stage.log, dlq(SITES))]
    reasons = [getattr(letter, "reason", None) for letter in letters]
    assert reasons == ["not_confluent_wire", "unknown_schema_id", "malformed_envelope"]
    assert "stopped as asked" in stage.worker.said()
    assert "Traceback" not in stage.worker.said()


def test_a_killed_worker_repeats_and_never_contradicts(stage: Stage) -> None:
    rng = random.Random(4)
    events = random_events(4, 3000)
    for start in range(0, 2500, 500):
        # Half of these are answered at least, so there is always enough to wait for.
        stage.put(*events[start : start + 500])
        enough = stage.count() + 1 + rng.randrange(200)
        stage.worker.start()
        wait_until(partial(stage.has, enough), 60, "some answers")
        stage.worker.kill()
    stage.put(*events[2500:])
    seat = stage.reference()
    expected = distinct(everything(stage.memory.open(), DECISIONS))
    stage.worker.start()
    took_s = wait_until(lambda: stage.count() >= len(expected), 60, "all is answered again")
    assert stage.worker.stop() == 0
    assert took_s < 30
    # By what they say: ids name places, and the reference has no answers between its inputs.
    said = distinct(everything(stage.log, DECISIONS)).values()
    assert sorted(map(str, said)) == sorted(map(str, expected.values()))
    restored = restore(LEDGER, 0, stage.log, stage.codec).processor
    assert state_bytes(restored) == state_bytes(seat.worker.processor)


def test_a_worker_that_failed_half_way_keeps_nothing_of_it(stage: Stage) -> None:
    stage.put(*random_events(6, 300))
    stage.worker.arguments = ("tests.streams.failing", "250")
    stage.worker.start()
    assert stage.worker.wait() == 1
    assert "Injected: the event at 250" in stage.worker.said()
    found = snapshots.newest(stage.log, stage.codec, LEDGER, 0)
    assert found.settled < 250  # the events lie at the offsets that are their times

    stage.worker.arguments = ("tests.streams.ledger",)
    seat = stage.reference()
    expected = distinct(everything(stage.memory.open(), DECISIONS))
    stage.worker.start()
    wait_until(lambda: stage.count() >= len(expected), 60, "all is answered")
    assert stage.worker.stop() == 0
    assert distinct(everything(stage.log, DECISIONS)) == expected
    restored = restore(LEDGER, 0, stage.log, stage.codec).processor
    assert state_bytes(restored) == state_bytes(seat.worker.processor)


def test_a_rebuild_that_is_killed_and_stopped_goes_on_from_its_checkpoints(stage: Stage) -> None:
    stage.put(*random_events(9, 6_000))
    seat = stage.reference()
    count = len(everything(stage.memory.open(), DECISIONS))
    stage.worker.start()
    wait_until(partial(stage.has, count), 120, "every input is answered")
    assert stage.worker.stop() == 0

    stage.worker.arguments = ("tests.streams.rebuilding",)
    position = -1
    for end in (stage.worker.kill, stage.worker.stop):
        stage.worker.start()
        wait_until(partial(_has_saved, stage, position + 1), 60, "a checkpoint in the middle")
        end()
        assert _saved(stage) >= position
        position = _saved(stage)
    stage.worker.start()
    wait_until(partial(_has_saved, stage, seat.acked), 60, "all is rebuilt")
    assert stage.worker.stop() == 0
    assert "stopped: " not in stage.worker.said()
    assert len(everything(stage.log, DECISIONS)) == count
    restored = restore(REBUILT, 0, stage.log, stage.codec).processor
    assert state_bytes(restored) == state_bytes(seat.worker.processor)


def _saved(stage: Stage) -> int:
    """Up to where the rebuilt state is saved."""
    found = snapshots.newest(stage.log, stage.codec, REBUILT, 0).saved
    return -1 if found is None else found.offset


def _has_saved(stage: Stage, offset: int) -> bool:
    return _saved(stage) >= offset


@pytest.mark.parametrize("stage", [2], indirect=True)
def test_a_flooded_partition_pauses_alone_and_is_said_aloud(stage: Stage) -> None:
    garbage = replace(_some_record(stage), value=b"garbage")
    flooded, other = home_partition(garbage.key, 2), 1 - home_partition(garbage.key, 2)
    sites = [f"site-{n}" for n in range(20)]
    elsewhere = [site for site in sites if home_partition(site.encode(), 2) == other]
    for _ in range(FLOOD):
        stage.log.publish(garbage)
    stage.put(report(1))  # the last of its partition: nothing comes after it that would wake it
    stage.worker.start()
    wait_until(lambda: stage.letters() > 0, 60, "the flood has begun")
    stage.put(*[replace(report(1), site_id=site) for site in elsewhere])
    wait_until(partial(stage.has, len(elsewhere)), 60, "the answers of the other partition")
    assert stage.letters() < FLOOD
    wait_until(partial(stage.has, len(elsewhere) + 1), 60, "the answer behind the garbage")
    assert stage.worker.stop() == 0
    assert "understood none of" in stage.worker.said()
    assert stage.letters() == FLOOD
    assert {letter.partition for letter in everything(stage.log, dlq(SITES))} == {flooded}


@pytest.mark.parametrize("stage", [2], indirect=True)
def test_two_backlogs_are_worked_off_side_by_side(stage: Stage) -> None:
    names = [f"site-{n}" for n in range(20)]
    sites = {home_partition(name.encode(), 2): name for name in names}
    for site in sites.values():
        stage.put(*[report(at, unit=at // 3, site=site) for at in range(BACKLOG)])
    stage.worker.start()
    wait_until(partial(stage.has, 2 * BACKLOG), 120, "both backlogs are answered")
    assert stage.worker.stop() == 0
    answers = sorted(everything(stage.log, DECISIONS), key=lambda answer: answer.timestamp_ms)
    half = [answer.partition for answer in answers[:BACKLOG]]
    assert min(half.count(0), half.count(1)) > BACKLOG / 3


def test_a_batch_that_one_client_cannot_read_stops_nobody(stage: Stage) -> None:
    good = _some_record(stage)
    headers = [(name, value) for name, value in good.headers if isinstance(value, bytes)]
    foreign = [*headers, (RawName("naïve"), b"v")]
    asyncio.run(stage.put_foreign(good, headers, foreign, headers))
    stage.worker.start()
    wait_until(partial(stage.has, 2), 60, "the good ones of the batch are answered")
    assert stage.letters() == 1
    stage.put(report(2, unit=2))
    wait_until(partial(stage.has, 3), 60, "and what follows")
    assert stage.worker.stop() == 0


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"HCP_KAFKA": "127.0.0.1:1", "HCP_PATIENCE_S": "2"}, "Kafka at 127.0.0.1:1"),
        ({"HCP_TOPIC_PREFIX": "nowhere."}, "python -m schemas provision"),
        ({"HCP_SCHEMA_REGISTRY": "http://127.0.0.1:1"}, "registry at http://127.0.0.1:1"),
        ({"HCP_METRICS_PORT": "70000"}, "HCP_METRICS_PORT"),
    ],
)
def test_what_is_missing_is_said_in_one_sentence(
    stage: Stage, changed: dict[str, str], sentence: str
) -> None:
    stage.worker.environment.update(changed)
    stage.worker.start()
    assert stage.worker.wait(90) == 1
    said = stage.worker.said()
    assert sentence in said
    assert "Traceback" not in said


def _some_record(stage: Stage) -> OutRecord:
    event = report(1)
    return record_for(SITES, event, produced(event, source="/tests"), stage.codec)


def _headed(records: list[Record]) -> list[Record]:
    return [record for record in records if record.headers]
