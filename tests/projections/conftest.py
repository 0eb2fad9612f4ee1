"""One story on real topics, and read models that can be run over it again and again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from psycopg import sql

from projections import database as tables
from projections.catalog import READ_MODELS
from projections.dead_letters import DeadLetters
from projections.log_reader import LogReader, Partition
from projections.migrating import migrate
from projections.record import ReadModel
from projections.runner import Runner
from projections.session import Session
from schemas.codec import Codec, OutRecord
from schemas.envelope import Envelope
from schemas.isolation import READ_COMMITTED
from schemas.provisioning import provision
from schemas.registry import RegistryIds, register
from schemas.topics import DEAD_LETTERS, LOGS, Topic, Topics, dlq
from tests.projections.story import Story, tell

Dump = dict[str, list[tuple[Any, ...]]]
PARTITIONS = 2


@dataclass
class Stack:
    """The services, the story published so far, and the database that it is projected into."""

    kafka: str
    registry: str
    dsn: str
    topics: Topics
    codec: Codec
    story: Story
    published: int = 0
    _producer: Producer | None = None
    stops: list[threading.Event] = field(default_factory=list)

    def publish(self) -> None:
        """What the story has told since the last time."""
        for record in self.story.records[self.published :]:
            self.produce(record)
        self.published = len(self.story.records)
        assert self._producer is None or self._producer.flush(30) == 0

    def produce(self, record: OutRecord) -> None:
        if self._producer is None:
            self._producer = Producer({"bootstrap.servers": self.kafka, "enable.idempotence": True})
        self._producer.produce(
            self.topics.name_of(record.topic),
            key=record.key,
            value=record.value,
            headers=list(record.headers),
            partition=-1 if record.partition is None else record.partition,  # -1: by its key
        )
        self._producer.poll(0)

    def flush(self) -> None:
        assert self._producer is not None
        assert self._producer.flush(30) == 0

    def reader(self, batch: int, *, commits: bool = True) -> LogReader:
        return LogReader(self.kafka, self.topics, batch, commits=commits)

    def runner(
        self, reader: LogReader, stop: threading.Event, *, limit: int = 100
    ) -> tuple[Runner, Session]:
        session = Session(self.dsn, stop)
        runner = Runner(
            models=READ_MODELS,
            reader=reader,
            session=session,
            codec=self.codec,
            dead_letters=DeadLetters(self.kafka, self.topics),
            dead_letter_limit=limit,
            stop=stop,
        )
        return runner, session

    def project(
        self,
        *,
        batch: int = 500,
        steps: int | None = None,
        limit: int = 100,
        until: Callable[[], bool] = lambda: False,
    ) -> None:
        """To the end of the logs, for some steps, or until something is so; then gone without a
        word, as after a crash."""
        reader = self.reader(batch)
        runner, session = self.runner(reader, threading.Event(), limit=limit)
        runner.start()
        ends = reader.ends(cached=False)

        def is_behind() -> bool:
            return any(reader.position(place) < end for place, end in ends.items())

        while steps != 0 and is_behind() and not until():
            runner.step()
            steps = None if steps is None else steps - 1
        session.close()
        reader.close()

    def ends(self) -> dict[Partition, int]:
        reader = self.reader(1)
        reader.start({(topic, p): 0 for topic in (*LOGS, *DEAD_LETTERS) for p in range(PARTITIONS)})
        ends = reader.ends(cached=False)
        reader.close()
        return ends

    def is_caught_up(self) -> bool:
        ends = {(topic.name, partition): end for (topic, partition), end in self.ends().items()}
        with psycopg.connect(self.dsn) as connection:
            found = tables.positions(connection)
        return bool(found) and all(
            offset >= ends[place.topic, place.partition] for place, offset in found.items()
        )

    def forget(self) -> None:
        """Every read model empty again."""
        with psycopg.connect(self.dsn) as connection:
            for model in READ_MODELS:
                emptied(connection, model)

    def dump(self, *models: ReadModel) -> Dump:
        """Every row of these read models (all when none are named), in the order of their keys."""
        found: Dump = {}
        with psycopg.connect(self.dsn) as connection:
            for table in (t for model in models or READ_MODELS for t in model.tables):
                columns = sql.SQL(", ").join(
                    sql.Identifier(column) for column in (*table.columns, *table.derived)
                )
                statement = sql.SQL("SELECT {} FROM {} ORDER BY {}").format(
                    columns,
                    sql.Identifier(table.name),
                    sql.SQL(", ").join(sql.Identifier(column) for column in table.key),
                )
                found[table.name] = connection.execute(statement).fetchall()
        return found

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn, options="-c timezone=UTC") as connection:
            return connection.execute(statement.encode()).fetchall()

    def dead_letters(self, topic: Topic) -> list[Any]:
        """All of them, decoded."""
        return [self.codec.decode(message.value()) for message in self._put_aside(topic)]

    def dead_letter_ids(self, topic: Topic) -> set[str]:
        found = (Envelope.from_headers(message.headers()) for message in self._put_aside(topic))
        return {envelope.id for envelope in found}

    def _put_aside(self, topic: Topic) -> list[Any]:
        consumer = Consumer({**READ_COMMITTED, "bootstrap.servers": self.kafka, "group.id": "test"})
        name = self.topics.name_of(dlq(topic))
        places = [TopicPartition(name, partition, 0) for partition in range(PARTITIONS)]
        waiting = sum(consumer.get_watermark_offsets(place, 10)[1] for place in places)
        consumer.assign(places)
        messages = consumer.consume(waiting, timeout=20) if waiting else []
        assert len(messages) == waiting
        consumer.close()
        return messages


def emptied(connection: psycopg.Connection[Any], model: ReadModel) -> None:
    """As if nothing had been projected; as a rebuild of an earlier version left it when it died."""
    connection.execute(
        "SELECT 1 FROM projection_positions WHERE read_model = %s "
        "ORDER BY topic, partition FOR UPDATE",
        (model.name,),
    )
    names = sql.SQL(", ").join(sql.Identifier(table.name) for table in model.tables)
    connection.execute(sql.SQL("TRUNCATE {}").format(names))
    connection.execute("DELETE FROM projection_marks WHERE read_model = %s", (model.name,))
    connection.execute(
        "UPDATE projection_positions SET next_offset = 0 WHERE read_model = %s", (model.name,)
    )


@pytest.fixture(scope="module")
def stack(kafka: str, registry: str, database: str, topic_prefix: str) -> Iterator[Stack]:
    topics = Topics(topic_prefix)
    provision(kafka, topics, partitions=PARTITIONS)
    register(registry, topics)
    migrate(database)
    codec = Codec(RegistryIds(registry, topics))
    story = Story(codec, partitions=PARTITIONS)
    for site in ("alpha", "beta", "gamma"):
        tell(story, site=site, workloads=40)
    answers = [i for i, said in enumerate(story.said) if said.envelope.cause is not None]
    for index in answers[-9:]:
        story.repeat(index)
    found = Stack(kafka, registry, database, topics, codec, story)
    found.publish()
    yield found
    for stop in found.stops:
        stop.set()
