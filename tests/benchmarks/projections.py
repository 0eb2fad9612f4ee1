"""The read side as it is deployed: `python -m projections run` into an empty PostgreSQL database.

catch-up: every record that the routing benchmark left on the logs, into all read models
lag: submissions at fixed times; from when one was due until `projection_positions` says that every
    read model of the log has it, which is what a reader of its own write waits for
"""

from __future__ import annotations

import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
from confluent_kafka import OFFSET_BEGINNING, Message, TopicPartition

from schemas.topics import LOGS, SITES, Topic
from tests.benchmarks.environment import Environment, cpu_s
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.load import T0, submission

PATIENCE_S = 180.0
POLL_S = 0.005
BAR_PER_S = 5_000


def projections(env: Environment, *, per_s: int = 500, seconds: float = 15) -> list[Figure]:
    copied_per_s = _raw_copy_per_s(env)
    commit_ms = _commit_ms(env)
    with env.process("projections", "run") as service:
        events, events_per_s, per_cpu_s = _catch_up(env, service)
        lags_ms = _Lag(env, per_s, seconds).run()
    return [
        Figure(
            benchmark="projections",
            name=f"catch-up over {events:,} records",
            value=events_per_s,
            unit="events/s",
            bar=BAR_PER_S,
            peer="raw COPY of the records, one table",
            peer_value=copied_per_s,
        ),
        Figure(
            benchmark="projections",
            name="catch-up, for a CPU-second of the service",
            value=per_cpu_s,
            unit="events/s",
            bar=BAR_PER_S,
        ),
        *(
            Figure(
                benchmark="projections",
                name=f"lag p{percent}, {per_s:,} events/s offered",
                value=percentile(lags_ms, percent),
                unit="ms",
                better="lower",
                peer="one INSERT and its commit",
                peer_value=percentile(commit_ms, percent),
            )
            for percent in (50, 99)
        ),
    ]


def _catch_up(env: Environment, service: subprocess.Popen[bytes]) -> tuple[int, float, float]:
    """Records; and records a second, and a CPU-second, from the first commit seen to the last."""
    ends = {topic: end for topic in LOGS if (end := env.end_of(topic))}
    wanted, deadline = sum(ends.values()), time.monotonic() + PATIENCE_S
    first: tuple[float, float, int] | None = None
    with psycopg.connect(env.addresses.database, autocommit=True) as connection:
        while (done := _applied(connection, ends)) < wanted:
            if done and first is None:
                first = time.monotonic(), cpu_s(service), done
            if time.monotonic() > deadline:
                raise TimeoutError(f"{done} of {wanted} records after {PATIENCE_S:.0f} s")
            time.sleep(POLL_S)
    if first is None:
        raise RuntimeError("all records were applied in one commit: too few to measure")
    began, used_s, at_first = first
    left = wanted - at_first
    return wanted, left / (time.monotonic() - began), left / (cpu_s(service) - used_s)


def _applied(connection: psycopg.Connection, ends: dict[Topic, int]) -> int:
    """Records that every read model of their log has."""
    rows = connection.execute(
        "SELECT topic, min(next_offset) FROM projection_positions GROUP BY topic"
    ).fetchall()
    found: dict[str, int] = dict(rows)
    return sum(min(end, found.get(topic.name, 0)) for topic, end in ends.items())


def _raw_copy_per_s(env: Environment, batch: int = 2000) -> float:
    """The limit: the same records from Kafka into one table, undecoded, a commit for each batch."""
    place = TopicPartition(env.name_of(SITES), 0, OFFSET_BEGINNING)
    consumer, end, done, started = env.consumer(place), env.end_of(SITES), 0, 0.0
    with psycopg.connect(env.addresses.database) as connection:
        connection.execute("CREATE TABLE raw_records (at bigint, key bytea, value bytea)")
        connection.commit()
        while done < end:
            messages = consumer.consume(min(batch, end - done), timeout=1)
            started = started or time.monotonic()
            _copy(connection, messages)
            done += len(messages)
        elapsed = time.monotonic() - started
        connection.execute("DROP TABLE raw_records")
    consumer.close()
    return done / elapsed


def _copy(connection: psycopg.Connection, messages: list[Message]) -> None:
    with connection.cursor().copy("COPY raw_records FROM STDIN") as copy:
        for message in messages:
            copy.write_row((message.offset(), message.key(), message.value()))
    connection.commit()


def _commit_ms(env: Environment, times: int = 300) -> list[float]:
    found = []
    with psycopg.connect(env.addresses.database) as connection:
        connection.execute("CREATE TABLE commits (number bigint)")
        connection.commit()
        for number in range(times):
            started = time.monotonic()
            connection.execute("INSERT INTO commits VALUES (%s)", (number,))
            connection.commit()
            found.append((time.monotonic() - started) * 1000)
        connection.execute("DROP TABLE commits")
    return found


@dataclass
class _Lag:
    env: Environment
    per_s: int
    seconds: float
    due: dict[int, float] = field(default_factory=dict)
    lags_ms: list[float] = field(default_factory=list)
    _sent: threading.Event = field(default_factory=threading.Event)

    def run(self) -> list[float]:
        with self._watching():
            pick, producer = random.Random(17), self.env.producer()
            began = time.monotonic()
            for serial in range(int(self.per_s * self.seconds)):
                due = began + serial / self.per_s
                record = self.env.record(submission("lag", serial, T0, pick))
                while (ahead := due - time.monotonic()) > 0:
                    producer.poll(min(ahead, 0.01))
                self.env.send(producer, record, on_delivery=self._delivered(due))
            producer.flush()
        return self.lags_ms

    def _delivered(self, due: float) -> Callable[[object, Message], None]:
        def note(error: object, message: Message) -> None:
            if error is not None:
                raise RuntimeError(f"Kafka did not take a record: {error}")
            self.due[message.offset() or 0] = due

        return note

    @contextmanager
    def _watching(self) -> Iterator[None]:
        watcher = threading.Thread(target=self._watch)
        watcher.start()
        try:
            yield
        finally:
            self._sent.set()
            watcher.join()

    def _watch(self) -> None:
        deadline = time.monotonic() + self.seconds + PATIENCE_S
        with psycopg.connect(self.env.addresses.database, autocommit=True) as connection:
            while (not self._sent.is_set() or self.due) and time.monotonic() < deadline:
                row = connection.execute(
                    "SELECT min(next_offset) FROM projection_positions WHERE topic = %s",
                    (SITES.name,),
                ).fetchone()
                now = time.monotonic()
                applied = row[0] if row and row[0] is not None else 0
                for offset in [offset for offset in list(self.due) if offset < applied]:
                    self.lags_ms.append((now - self.due.pop(offset)) * 1000)
                time.sleep(POLL_S)
