"""10,000 garbage records on one of four partitions: what the others notice, and when it is over.

Submissions come at fixed times to a site on another partition; latency counts from when each was
due to the first answer of routing that is seen. The same is measured before the flood and in it.
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field, replace
from itertools import count

from confluent_kafka import OFFSET_END, Message, TopicPartition

from schemas.events import sites
from schemas.topics import SITES, dlq, home_partition
from tests.benchmarks.environment import Environment
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.load import T0, opening, submission

PARTITIONS = 4
GARBAGE = 10_000
PER_S = 50
QUIET_S = 10.0
PATIENCE_S = 90.0
UNITS = 50
BAR_RATIO = 2
BAR_BACK_S = 30


def flood(env: Environment) -> list[Figure]:
    """env: of PARTITIONS partitions."""
    flooded = home_partition(b"flooded", PARTITIONS)
    site_id = next(
        name for n in count() if home_partition((name := f"s{n}").encode(), PARTITIONS) != flooded
    )
    with env.process("streams", "routing"), env.process("projections", "run"):
        load = _Load(env, site_id)
        load.begin()
        try:
            time.sleep(QUIET_S)
            began = time.monotonic()
            _send_garbage(env)
            sent = time.monotonic()
            back_s = _wait_for_letters(env, flooded) - sent
            ended = time.monotonic()
        finally:
            load.end()
    before = load.latencies_ms(began - QUIET_S / 2, began)
    within = load.latencies_ms(began, ended)
    p99_before = percentile(before, 99)
    return [
        Figure(
            benchmark="flood of garbage",
            name=f"submit to first answer on another partition, p99 in {GARBAGE:,} garbage records",
            value=percentile(within, 99),
            unit="ms",
            better="lower",
            bar=BAR_RATIO * p99_before,
            peer="before the flood",
            peer_value=p99_before,
        ),
        Figure(
            benchmark="flood of garbage",
            name="from the last garbage record to its dead letter",
            value=back_s,
            unit="s",
            better="lower",
            bar=BAR_BACK_S,
        ),
    ]


def _send_garbage(env: Environment) -> None:
    producer = env.producer()
    tick = env.record(sites.TimePassed(site_id="flooded", at=T0))
    for _ in range(GARBAGE):
        env.send(producer, replace(tick, value=b"garbage"))
    producer.flush()


def _wait_for_letters(env: Environment, partition: int) -> float:
    """When the last dead letter was there."""
    place = TopicPartition(env.name_of(dlq(SITES)), partition)
    consumer = env.consumer(place)
    deadline = time.monotonic() + PATIENCE_S
    try:
        while consumer.get_watermark_offsets(place, timeout=10)[1] < GARBAGE:
            if time.monotonic() > deadline:
                raise TimeoutError(f"not every dead letter was there after {PATIENCE_S:.0f} s")
            time.sleep(0.05)
        return time.monotonic()
    finally:
        consumer.close()


@dataclass
class _Load:
    """due: when each submission should have been sent; answered: when it was seen answered."""

    env: Environment
    site_id: str
    due: dict[str, float] = field(default_factory=dict)
    answered: dict[str, float] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _ready: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def begin(self) -> None:
        for work in (self._read, self._send):
            thread = threading.Thread(target=work)
            self._threads.append(thread)
            thread.start()
        if not self._ready.wait(PATIENCE_S):
            raise TimeoutError(f"nothing was answered in {PATIENCE_S:.0f} s")

    def end(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def latencies_ms(self, since: float, until: float) -> list[float]:
        """Of what was due then; what was never answered counts until now."""
        now = time.monotonic()
        return [
            (self.answered.get(name, now) - due) * 1000
            for name, due in self.due.items()
            if since <= due < until
        ]

    def _send(self) -> None:
        producer, pick, began = self.env.producer(), random.Random(3), time.monotonic()
        for event in opening(self.site_id, UNITS):
            self.env.send(producer, self.env.record(event))
        for serial in count():
            due = began + serial / PER_S
            if self._stop.wait(max(0.0, due - time.monotonic())):
                break
            event = submission(self.site_id, serial, T0, pick)
            assert isinstance(event, sites.WorkloadSubmitted)
            self.due[event.workload_id] = due
            self.env.send(producer, self.env.record(event))
            producer.poll(0)
        producer.flush()

    def _read(self) -> None:
        home = home_partition(self.site_id.encode(), PARTITIONS)
        consumer = self.env.consumer(TopicPartition(self.env.name_of(SITES), home, OFFSET_END))
        while not self._stop.is_set():
            message = consumer.poll(0.05)
            if message is not None and message.error() is None:
                self._note(message)
        consumer.close()

    def _note(self, message: Message) -> None:
        event = self.env.codec.decode(message.value())
        if isinstance(event, sites.WorkloadQueued | sites.WorkloadPlaced | sites.WorkloadRejected):
            self._ready.set()
            self.answered.setdefault(event.workload_id, time.monotonic())
