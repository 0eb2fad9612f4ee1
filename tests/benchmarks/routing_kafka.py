"""Routing as it is deployed: `python -m streams routing` on real Kafka, watched by its own reader.

backlog: a log full of submissions and completions; how fast the worker answers it
steady: submissions at fixed times, whatever the worker does (open loop), each workload completed as
    soon as it is seen placed. Latency counts from the time a submission was due, so a stall is
    charged to every submission that it made late
"""

from __future__ import annotations

import random
import subprocess
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, cast

from confluent_kafka import OFFSET_BEGINNING, Message, Producer, TopicPartition

from schemas.codec import Codec
from schemas.envelope import Envelope
from schemas.events import sites
from schemas.events.sites import SitesEvent
from schemas.topics import SITES, Event, topic_of
from streams.definition import step
from streams.routing.agent import AGENT
from streams.routing.state import State
from tests.benchmarks.environment import Environment, cpu_s
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.load import T0, completion, opening, submission
from tests.benchmarks.routing_core import placed

UNITS = 1_000
BACKLOG = 20_000
PROBE = 99_999_999
PATIENCE_S = 120.0
WARM_UP_S = 5.0
BAR_PER_S = 500
BAR_P99_MS = 250


def routing_kafka(
    env: Environment, *, backlog: int = BACKLOG, submissions_per_s: int = 300, seconds: float = 20
) -> list[Figure]:
    events, answers = _script(backlog)
    _publish(env, events)
    bare_per_s = _bare_loop_per_s(env, len(events))
    with env.process("streams", "routing") as worker:
        decisions_per_s, per_cpu_s = _answering_rate(env, worker, len(events), answers)
        steady = _Steady(env, submissions_per_s, seconds)
        steady.run()
    name = f"{UNITS:,} units"
    at_rate = f"{steady.decisions_per_s:,.0f} decisions/s offered"
    return [
        Figure(
            benchmark="routing through Kafka",
            name=f"{name}, backlog of {backlog:,}",
            value=decisions_per_s,
            unit="decisions/s",
            bar=BAR_PER_S,
            peer="bare confluent consume-produce loop",
            peer_value=bare_per_s,
        ),
        Figure(
            benchmark="routing through Kafka",
            name=f"{name}, backlog of {backlog:,}, for a CPU-second of the worker",
            value=per_cpu_s,
            unit="decisions/s",
            bar=BAR_PER_S,
        ),
        *(
            Figure(
                benchmark="routing through Kafka",
                name=f"submit to placed, p{percent}, {at_rate}",
                value=percentile(steady.placed_ms, percent),
                unit="ms",
                better="lower",
                bar=BAR_P99_MS if percent == 99 else None,
                peer="the submission itself read back",
                peer_value=percentile(steady.seen_ms, percent),
            )
            for percent in (50, 99)
        ),
    ]


def _script(count: int) -> tuple[list[SitesEvent], int]:
    """Inputs whose completions fit the placements to come, and how many answers the site log gets.

    Routing is deterministic: decided here in memory, it will place the same under the same ids.
    """
    pick = random.Random(11)
    site_id, now, answers = "backlog", T0, 0
    events, running, state = opening(site_id, UNITS), deque[tuple[str, str]](), State(site_id)
    said: list[Event] = []
    for event in events:
        state, found = step(AGENT, state, event)
        said += found
    while len(events) < count:
        if len(events) % 100 == 0:
            now += 1_000
            event = sites.TimePassed(site_id=site_id, at=now)
        elif len(events) % 2 and len(running) > 50:
            event = completion(site_id, *running.popleft(), now)
        else:
            event = submission(site_id, len(events), now, pick)
        events.append(event)
        state, found = step(AGENT, state, event)
        running += placed(found)
        said += found
    answers = sum(1 for answer in said if topic_of(type(answer)) is SITES)
    return events, answers


def _publish(env: Environment, events: list[SitesEvent]) -> None:
    producer = env.producer()
    for event in events:
        env.send(producer, env.record(event))
    producer.flush()


def _bare_loop_per_s(env: Environment, count: int) -> float:
    """What the clients do without us: each record read, and one like it written."""
    consumer = env.consumer(TopicPartition(env.name_of(SITES), 0, OFFSET_BEGINNING))
    producer, sink, done, started = env.producer(), env.create_topic("sink"), 0, 0.0
    try:
        while done < count:
            for message in consumer.consume(1000, timeout=1):
                started = started or time.monotonic()
                producer.produce(sink, key=message.key(), value=message.value())
                done += 1
            producer.poll(0)
        producer.flush()
        return done / (time.monotonic() - started)
    finally:
        consumer.close()


def _answering_rate(
    env: Environment, worker: subprocess.Popen[bytes], inputs: int, answers: int
) -> tuple[float, float]:
    """Inputs a second, and a CPU-second of the worker, from the first answer to the last."""
    consumer = env.consumer(TopicPartition(env.name_of(SITES), 0, inputs))
    seen, first, used_s, deadline = 0, 0.0, 0.0, time.monotonic() + PATIENCE_S
    try:
        while seen < answers:
            messages = consumer.consume(1000, timeout=0.1)
            if messages and not first:
                first, used_s = time.monotonic(), cpu_s(worker)
            seen += len(messages)
            if time.monotonic() > deadline:
                raise TimeoutError(f"{seen} of {answers} answers after {PATIENCE_S:.0f} s")
        return inputs / (time.monotonic() - first), inputs / (cpu_s(worker) - used_s)
    finally:
        consumer.close()


@dataclass
class _Steady:
    """due: when each submission should have been sent, by workload."""

    env: Environment
    submissions_per_s: int
    seconds: float
    site_id: str = "steady"
    due: dict[str, float] = field(default_factory=dict)
    seen_ms: list[float] = field(default_factory=list)
    placed_ms: list[float] = field(default_factory=list)
    decisions: int = 0
    decisions_per_s: float = 0.0
    _answering: threading.Event = field(default_factory=threading.Event)
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        start = self.env.end_of(SITES)
        probe = submission(self.site_id, PROBE, T0, random.Random(1))
        _publish(self.env, [*opening(self.site_id, UNITS), probe])
        reader = threading.Thread(target=self._read, args=(start,))
        reader.start()
        try:
            if not self._answering.wait(PATIENCE_S):
                raise TimeoutError(f"the first workload was not placed in {PATIENCE_S:.0f} s")
            self._submit()
            self._wait_for_the_last()
        finally:
            self._stop.set()
            reader.join()

    def _submit(self) -> None:
        pick, producer = random.Random(13), self.env.producer()
        began, now, serial = time.monotonic(), T0, 0
        measured_from = began + WARM_UP_S
        total = int(self.submissions_per_s * (WARM_UP_S + self.seconds))
        for serial in range(total):
            due = began + serial / self.submissions_per_s
            event = submission(self.site_id, serial, now, pick)
            record = self.env.record(event)
            while (ahead := due - time.monotonic()) > 0:
                producer.poll(min(ahead, 0.01))
            if due >= measured_from:
                self.due[_workload_of(event)] = due
            self.env.send(producer, record)
            if serial % self.submissions_per_s == 0:
                now += 1_000
                tick = sites.TimePassed(site_id=self.site_id, at=now)
                self.env.send(producer, self.env.record(tick))
        producer.flush()
        # Each submission is one decision and its completion another.
        self.decisions_per_s = 2 * total / (time.monotonic() - began)

    def _wait_for_the_last(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while len(self.placed_ms) < len(self.due):
            if time.monotonic() > deadline:
                found = f"{len(self.placed_ms)} of {len(self.due)}"
                raise TimeoutError(f"{found} placed after {PATIENCE_S:.0f} s")
            time.sleep(0.05)

    def _read(self, start: int) -> None:
        consumer = self.env.consumer(TopicPartition(self.env.name_of(SITES), 0, start))
        producer = self.env.producer()
        try:
            while not self._stop.is_set():
                message = consumer.poll(0.05)
                if message is not None and message.error() is None:
                    self._note(message, producer, self.env.codec)
                producer.poll(0)
        finally:
            producer.flush()
            consumer.close()

    def _note(self, message: Message, producer: Producer, codec: Codec) -> None:
        now = time.monotonic()
        envelope = Envelope.from_headers(cast(Any, message.headers()))
        if envelope.type == sites.WorkloadSubmitted.FULL_NAME and envelope.subject in self.due:
            self.seen_ms.append((now - self.due[envelope.subject]) * 1000)
        elif envelope.type == sites.WorkloadPlaced.FULL_NAME:
            event = codec.decode(message.value())
            assert isinstance(event, sites.WorkloadPlaced)
            self._answering.set()
            if event.workload_id in self.due:
                self.placed_ms.append((now - self.due[event.workload_id]) * 1000)
            done = completion(self.site_id, event.workload_id, event.placement_id, event.at)
            self.env.send(producer, self.env.record(done))


def _workload_of(event: SitesEvent) -> str:
    assert isinstance(event, sites.WorkloadSubmitted)
    return event.workload_id
