"""A failure at every step of the loop: nothing is kept of it, and the restart makes it good."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from schemas.codec import OutRecord, record_for
from schemas.envelope import Cause, Envelope, produced
from schemas.events.decisions import DecisionExplained
from schemas.events.dlq import RecordDeadLettered
from schemas.record import Record
from schemas.topics import DECISIONS, SITES, Topic, dlq, snapshots_topic, unanswered
from streams import snapshots
from streams.driver import Seat
from streams.errors import WorkerFailed
from streams.log import Log
from streams.memory import Crashed, MemoryLog
from streams.snapshots import state_bytes
from tests.streams.conftest import OpenSubstrate
from tests.streams.faults import FaultySeat, Injected, Plan, out_of_reach
from tests.streams.ledger import unwritable
from tests.streams.reports import random_events, report
from tests.streams.substrates import CODEC, MemorySubstrate, Substrate, everything, put

WRITTEN = (SITES, DECISIONS, dlq(SITES), unanswered(SITES))
CHECKPOINT_EVERY = 5


def spoil(answer: DecisionExplained) -> DecisionExplained:
    return replace(answer, value_usd_micros_per_hour=1 << 70)


AGENT = unwritable(spoil)


@pytest.fixture(autouse=True)
def several_records_a_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "MAX_CHUNK_BYTES", 150)


def fill(substrate: Substrate) -> None:
    """Inputs with and without answers, a record that nobody reads, and one without an answer."""
    put(substrate, *random_events(3, 6, sites=2))
    substrate.append(garbage())
    put(substrate, report(9, unit=13), *random_events(4, 6, sites=2))


def garbage() -> OutRecord:
    event = report(0)
    good = record_for(SITES, event, produced(event, source="/tests", id="garbage"), CODEC)
    return replace(good, value=b"garbage")


def run_until_done(seat: Seat) -> None:
    while seat.run():
        pass


class Undisturbed:
    """What one run without a fault leaves behind, and its steps."""

    def __init__(self) -> None:
        substrate, plan = MemorySubstrate(), Plan()
        fill(substrate)
        seat = FaultySeat(AGENT, substrate.open, plan, checkpoint_every=CHECKPOINT_EVERY)
        run_until_done(seat)
        self.steps = plan.steps
        self.logs = {topic: contents(substrate.open(), topic) for topic in WRITTEN}
        self.state = state_bytes(seat.worker.processor)


@pytest.fixture(scope="module")
def undisturbed() -> Iterator[Undisturbed]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshots, "MAX_CHUNK_BYTES", 150)
        yield Undisturbed()


def contents(log: Log, topic: Topic) -> list[Record]:
    """Each record once, in the order in which a reader meets it first; repeats are equal bytes."""
    found: dict[str, Record] = {}
    for record in everything(log, topic):
        identity = Envelope.from_headers(record.headers).id
        plain = without_broker_time(record)
        assert found.setdefault(identity, plain) == plain, f"{identity} contradicts"
    return list(found.values())


def without_broker_time(record: Record) -> Record:
    """Only Kafka stamps records, and a dead letter bears the time of what it is about."""
    value, headers = record.value, tuple(record.headers)
    if record.topic in (dlq(SITES).name, unanswered(SITES).name):
        letter = CODEC.decode(value)
        assert isinstance(letter, RecordDeadLettered)
        value = CODEC.encode(replace(letter, at=0, timestamp_ms=0))
        epoch = b"1970-01-01T00:00:00.000Z"
        headers = tuple((n, epoch if n == "ce_time" else v) for n, v in headers)
    return replace(record, offset=0, timestamp_ms=0, value=value, headers=headers)


def is_ahead(log: Log, undisturbed: Undisturbed) -> bool:
    """Whether some snapshot holds what no log has."""
    pointers = [pointer for pointer, _ in snapshots._pointers(log, CODEC, AGENT, 0)]
    newest = max((pointer.offset for pointer in pointers), default=-1)
    return any(
        record not in contents(log, topic)
        for topic in WRITTEN
        for record in undisturbed.logs[topic]
        if (cause := cause_of(record)) is not None and cause.offset <= newest
    )


def cause_of(record: Record) -> Cause | None:
    return Envelope.from_headers(record.headers).cause


def fail_once(
    substrate: Substrate, undisturbed: Undisturbed, fail_at: int, die: Callable[[Log | None], None]
) -> None:
    """Run with a fault, check what is kept of it, let the process die, and run to the end."""
    plan = Plan(fail_at)
    fill(substrate)
    seat = FaultySeat(AGENT, substrate.open, plan, checkpoint_every=CHECKPOINT_EVERY)
    with pytest.raises(Injected):
        run_until_done(seat)
    acked = seat.acked
    if seat.has_process and undisturbed.steps[fail_at] not in BETWEEN_RECORDS:
        # Whoever still runs a failed worker gets nothing out of it
        kept = everything(substrate.open(), snapshots_topic("routing"))
        with pytest.raises(WorkerFailed, match="nothing more after Injected"):
            seat.checkpoint()
        with pytest.raises(WorkerFailed):
            seat.worker.receive(next(substrate.open().read(SITES, 0, 0)))
        assert everything(substrate.open(), snapshots_topic("routing")) == kept
        assert seat.acked == acked
    die(seat.log)
    assert not is_ahead(substrate.open(), undisturbed)
    seat.restart()
    run_until_done(seat)
    log = substrate.open()
    assert not is_ahead(log, undisturbed)
    assert {topic: contents(log, topic) for topic in WRITTEN} == undisturbed.logs
    assert state_bytes(seat.worker.processor) == undisturbed.state


# Of the caller, outside the worker: the driver reads the log, and acks.
BETWEEN_RECORDS = ("ack", f"read {SITES.name}")


def test_a_failure_at_any_step_leaves_the_log_of_an_undisturbed_run(
    undisturbed: Undisturbed,
) -> None:
    def die(log: Log | None) -> None:
        if isinstance(log, MemoryLog):
            with pytest.raises(Crashed):
                log.crash()

    for fail_at, step in enumerate(undisturbed.steps):
        substrate = Surviving(SURVIVORS[fail_at % len(SURVIVORS)])
        try:
            fail_once(substrate, undisturbed, fail_at, die)
        except AssertionError as error:
            raise AssertionError(f"a failure at step {fail_at}, {step}: {error}") from error


SURVIVORS: tuple[Callable[[int], int], ...] = (
    lambda _: 0,
    lambda waiting: waiting // 2,
    lambda waiting: waiting,
)


class Surviving(MemorySubstrate):
    """Of what a dying process has queued so much reaches the broker."""

    def __init__(self, survivors: Callable[[int], int]) -> None:
        super().__init__()
        self._survivors = survivors

    def open(
        self,
        crash_after: int | None = None,
        surviving: Callable[[int], int] | None = None,
    ) -> Log:
        return super().open(crash_after, surviving or self._survivors)


def test_every_kind_of_step_is_failed(undisturbed: Undisturbed) -> None:
    kinds = set(undisturbed.steps)
    events = ("AlertRaised", "DecisionExplained", "RecordDeadLettered", "SnapshotWritten")
    written = [topic.name for topic in (*WRITTEN, snapshots_topic("routing"))]
    assert kinds >= {"decode", "decide", "decided", "evolve", "evolved", "flush", "flushed", "ack"}
    assert kinds >= {f"encode {name}" for name in events}
    assert kinds >= {f"publish on {name}" for name in written}
    assert kinds >= {f"published on {name}" for name in written}


def test_an_absent_registry_at_any_step_is_waited_for_with_nothing_moved(
    undisturbed: Undisturbed,
) -> None:
    """The one error after which the same process goes on: with the same record."""
    waited = 0
    for fail_at, step in enumerate(undisturbed.steps):
        if not step.startswith(("decode", "encode")):
            continue
        plan, substrate = Plan(fail_at, out_of_reach), MemorySubstrate()
        fill(substrate)
        seat = FaultySeat(AGENT, substrate.open, plan, checkpoint_every=CHECKPOINT_EVERY)
        with pytest.raises(type(out_of_reach(step))):
            run_until_done(seat)
        run_until_done(seat)
        log = substrate.open()
        assert {topic: contents(log, topic) for topic in WRITTEN} == undisturbed.logs, step
        assert state_bytes(seat.worker.processor) == undisturbed.state
        waited += 1
    assert waited > 40


ON_A_REAL_LOG = (
    "decode",
    "evolved",
    f"publish on {DECISIONS.name}",
    f"published on {SITES.name}",
    f"published on {dlq(SITES).name}",
    f"published on {snapshots_topic('routing').name}",
    "flush",
    "flushed",
    "ack",
)


def test_a_failure_of_each_kind_on_a_real_log(
    open_substrate: OpenSubstrate, undisturbed: Undisturbed
) -> None:
    """On Kafka what a dead process has queued may still arrive, whole or in part."""
    for step in ON_A_REAL_LOG:
        at = [number for number, name in enumerate(undisturbed.steps) if name == step]
        fail_once(open_substrate(), undisturbed, at[len(at) // 2], lambda _: None)
