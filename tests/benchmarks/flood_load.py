"""Inputs at fixed times to one key of a log, and when each was answered and in the tables."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, cast

import psycopg
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from schemas.envelope import Envelope
from schemas.topics import Event, Topic
from tests.benchmarks.environment import Environment

PER_S = 10  # so few that two cores are half idle before the flood
PATIENCE_S = 180.0
_LOOK_S = 0.02
_POSITIONS = """
    SELECT min(next_offset) FROM projection_positions WHERE topic = %s AND partition = %s
"""


@dataclass
class Load:
    """due: when each input should have been sent, by its id; answered: when the first answer of the
    log's authority was seen; written: its offset; shown: when the tables held so much

    event: the input of this number; opening: what comes first
    """

    env: Environment
    log: Topic
    partition: int
    event: Callable[[int], Event]
    opening: Sequence[Event] = ()
    due: dict[str, float] = field(default_factory=dict)
    answered: dict[str, float] = field(default_factory=dict)
    written: dict[str, int] = field(default_factory=dict)
    shown: list[tuple[int, float]] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _ready: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def begin(self) -> None:
        """Returns when the first input was answered."""
        place = TopicPartition(self.env.name_of(self.log), self.partition)
        consumer = self.env.consumer()
        place.offset = consumer.get_watermark_offsets(place, timeout=30)[1]
        consumer.assign([place])
        for work in (lambda: self._read(consumer), self._send, self._look):
            thread = threading.Thread(target=work)
            self._threads.append(thread)
            thread.start()
        if not self._ready.wait(PATIENCE_S):
            raise TimeoutError(f"nothing was answered on {self.log.name} in {PATIENCE_S:.0f} s")

    def end(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def answer_ms(self, since: float, until: float) -> list[float]:
        """Of what was due then; what was never answered counts until now."""
        now = time.monotonic()
        return [
            (self.answered.get(name, now) - due) * 1000 for name, due in self._between(since, until)
        ]

    def shown_ms(self, since: float, until: float) -> list[float]:
        """From when an input was due to when the tables held it."""
        return [
            (self._shown_at(self.written.get(name)) - due) * 1000
            for name, due in self._between(since, until)
        ]

    def _between(self, since: float, until: float) -> list[tuple[str, float]]:
        return [(name, due) for name, due in self.due.items() if since <= due < until]

    def _shown_at(self, offset: int | None) -> float:
        if offset is not None:
            found = bisect_left(self.shown, (offset + 1, 0.0))
            if found < len(self.shown):
                return self.shown[found][1]
        return time.monotonic()

    def _send(self) -> None:
        producer, began = self.env.producer(), time.monotonic()
        for event in self.opening:
            self.env.send(producer, self.env.record(event))
        for serial in count():
            due = began + serial / PER_S
            if self._stop.wait(max(0.0, due - time.monotonic())):
                break
            record = self.env.record(self.event(serial))
            name = Envelope.from_headers(cast(Any, record.headers)).id
            self.due[name] = due
            self.env.send(producer, record, on_delivery=self._note_written(name))
            producer.poll(0)
        producer.flush()

    def _note_written(self, name: str) -> Callable[[KafkaError | None, Message], None]:
        def note(error: KafkaError | None, message: Message) -> None:
            assert error is None
            self.written[name] = cast(int, message.offset())

        return note

    def _read(self, consumer: Consumer) -> None:
        while not self._stop.is_set():
            message = consumer.poll(0.05)
            if message is None or message.error() is not None:
                continue
            envelope = Envelope.from_headers(cast(Any, message.headers()))
            cause = envelope.cause
            if cause is not None and cause.agent == self.log.authority:
                self.answered.setdefault(str(envelope.causation_id), time.monotonic())
                self._ready.set()
        consumer.close()

    def _look(self) -> None:
        with psycopg.connect(self.env.addresses.database, autocommit=True) as connection:
            while not self._stop.wait(_LOOK_S):
                found = connection.execute(_POSITIONS, [self.log.name, self.partition]).fetchone()
                at = time.monotonic()
                assert found is not None
                if found[0] is not None and (not self.shown or found[0] > self.shown[-1][0]):
                    self.shown.append((found[0], at))
