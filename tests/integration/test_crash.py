"""The whole pipeline under load, its processes killed again and again: nothing lost, nothing said
twice in different words, and the read models are those of a run in which nothing ever died."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from deploy.local.ports import choose_free
from projections import database as tables
from projections.catalog import READ_MODELS
from projections.log_reader import LogReader
from projections.migrating import migrate
from projections.rebuild import rebuild
from schemas.codec import Codec
from schemas.envelope import Envelope
from schemas.provisioning import provision
from schemas.record import Record
from schemas.registry import RegistryIds, register
from schemas.topics import ALL, LOGS, Event, Topics
from streams import snapshots
from streams.app import load
from streams.kafka import KafkaLog
from streams.loop import Processor
from streams.recovery import restore
from streams.snapshots import state_bytes
from tests.integration.processes import Process, wait_until
from tests.streams.substrates import distinct, everything

AGENTS = ("routing", "optimization", "metering", "invoicing")
KILLED = (*AGENTS, "projections")
KILLS = 14  # each of the five at least twice
SPEED = 3600  # event seconds a second: hourly invoices within the test
STARTED = "restored at offset"
PATIENCE_S = 120.0

Rows = dict[str, list[tuple[Any, ...]]]


@dataclass
class Pipeline:
    """Agents, projections and simulator as processes on one environment of their own."""

    kafka: str
    topics: Topics
    codec: Codec
    log: KafkaLog
    dsn: str
    processes: dict[str, Process]
    simulator: Process
    seconds_to_return: list[tuple[str, float]] = field(default_factory=list)

    def applied(self, name: str) -> dict[tuple[str, int], int]:
        """The next offset that a process has yet to make durable, by topic and partition."""
        if name == "projections":
            with psycopg.connect(self.dsn) as connection:
                found = tables.positions(connection)
            return {(place.topic, place.partition): offset for place, offset in found.items()}
        agent = load(name)
        saved = snapshots.newest(self.log, self.codec, agent, 0).saved
        return {(agent.log.name, 0): 0 if saved is None else saved.offset + 1}

    def ends(self) -> dict[tuple[str, int], int]:
        return {(topic.name, 0): self.log.bounds(topic, 0)[1] for topic in LOGS}

    def has_applied(self, name: str, ends: dict[tuple[str, int], int]) -> bool:
        applied = self.applied(name)
        return bool(applied) and all(at >= ends.get(place, 0) for place, at in applied.items())

    def kill_and_restart(self, name: str) -> None:
        process = self.processes[name]
        process.kill()
        starts = process.said().count(STARTED)
        process.start()
        ends = self.ends()

        def is_back() -> bool:
            restored = name == "projections" or process.said().count(STARTED) > starts
            return restored and self.has_applied(name, ends)

        took_s = wait_until(is_back, PATIENCE_S, f"{name} is back:\n{process.said()}")
        self.seconds_to_return.append((name, took_s))

    def is_quiet(self) -> bool:
        ends = self.ends()
        return all(self.has_applied(name, ends) for name in KILLED) and self.ends() == ends

    def rows(self) -> Rows:
        found: Rows = {}
        with psycopg.connect(self.dsn) as connection:
            for table in (table for model in READ_MODELS for table in model.tables):
                statement = sql.SQL("SELECT {} FROM {} ORDER BY {}").format(
                    sql.SQL(", ").join(map(sql.Identifier, (*table.columns, *table.derived))),
                    sql.Identifier(table.name),
                    sql.SQL(", ").join(map(sql.Identifier, table.key)),
                )
                found[table.name] = connection.execute(statement).fetchall()
        return found

    def rebuild_all(self) -> None:
        for model in READ_MODELS:
            reader = LogReader(self.kafka, self.topics, 2000)
            try:
                rebuild(
                    model,
                    reader=reader,
                    dsn=self.dsn,
                    codec=self.codec,
                    progress=lambda _read, _there: None,
                    stop=threading.Event(),
                )
            finally:
                reader.close()


@pytest.fixture(scope="module")
def pipeline(
    kafka: str,
    registry: str,
    database: str,
    topic_prefix: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Pipeline]:
    topics = Topics(topic_prefix)
    provision(kafka, topics)
    register(registry, topics)
    migrate(database)
    environment = {
        "HCP_KAFKA": kafka,
        "HCP_SCHEMA_REGISTRY": registry,
        "HCP_DATABASE": database,
        "HCP_TOPIC_PREFIX": topic_prefix,
        "HCP_SIMULATOR_SETTLE_S": "0",
    }
    log_dir = tmp_path_factory.mktemp("crash")
    (port,) = choose_free(1)
    pipeline = Pipeline(
        kafka,
        topics,
        Codec(RegistryIds(registry, topics)),
        KafkaLog(kafka, topics),
        database,
        {name: _process(name, environment, log_dir) for name in KILLED},
        Process(
            "simulator",
            ("simulators", "run", "--scenario=seed", f"--speed={SPEED}", f"--port={port}"),
            environment,
            log_dir,
        ),
    )
    everyone = (*pipeline.processes.values(), pipeline.simulator)
    for process in everyone:
        process.start()
    yield pipeline
    for process in everyone:
        process.end()


def _process(name: str, environment: dict[str, str], log_dir: Path) -> Process:
    arguments = ("projections", "run") if name == "projections" else ("streams", name)
    return Process(name, arguments, environment, log_dir)


@pytest.mark.timeout(900)
def test_killed_at_random_nothing_is_lost_and_nothing_contradicted(pipeline: Pipeline) -> None:
    rng = random.Random(20240901)
    victims = [*KILLED, *KILLED, *rng.choices(KILLED, k=KILLS - 2 * len(KILLED))]
    rng.shuffle(victims)
    for name in KILLED:
        begun = partial(pipeline.has_applied, name, {})
        wait_until(begun, PATIENCE_S, f"{name} runs:\n{pipeline.processes[name].said()}")
    for name in victims:
        more = pipeline.log.bounds(LOGS[0], 0)[1] + rng.randrange(20, 200)
        wait_until(partial(_has_grown, pipeline, more), PATIENCE_S, "the load goes on")
        pipeline.kill_and_restart(name)
    assert pipeline.simulator.stop() == 0
    wait_until(pipeline.is_quiet, PATIENCE_S, "everything is applied")
    for name, process in pipeline.processes.items():
        assert process.stop() == 0, process.said()
        assert "Traceback" not in process.said(), name

    repeats = sum(_repeats(everything(pipeline.log, topic)) for topic in LOGS)
    print(f"{KILLS} kills, {repeats} records repeated; seconds until all was applied again:")  # noqa: T201
    for name, took_s in pipeline.seconds_to_return:
        print(f"  {name:13} {took_s:5.1f}")  # noqa: T201
    _check_the_load_was_real(pipeline)
    assert len(pipeline.seconds_to_return) == KILLS  # each within PATIENCE_S; how fast is printed
    assert not [topic.name for topic in ALL if topic.log == "dlq" and _dead(pipeline, topic.name)]


def test_every_answer_is_there_and_is_what_a_clean_run_says(pipeline: Pipeline) -> None:
    recorded = {
        identity: value
        for topic in LOGS
        for identity, value in distinct(everything(pipeline.log, topic)).items()
    }
    authors = {
        envelope.id: envelope.cause.agent
        for topic in LOGS
        for record in everything(pipeline.log, topic)
        if (envelope := Envelope.from_headers(record.headers)).cause is not None
    }
    for name in AGENTS:
        agent = load(name)
        clean = Processor(agent, 0, 1, pipeline.codec)
        said: dict[str, bytes | None] = {}
        for record in everything(pipeline.log, agent.log):
            for output in clean.handle(record):
                said[Envelope.from_headers(output.headers).id] = output.value
        assert said == {at: recorded[at] for at, author in authors.items() if author == name}, name
        restored = restore(agent, 0, pipeline.log, pipeline.codec).processor
        assert state_bytes(restored) == state_bytes(clean), name
        # Another shape of state, so no snapshot can be read: what was recorded gives the same.
        newer = replace(agent, version="newer", state_version="newer", upcasters={}, decide=_never)
        rebuilt = restore(newer, 0, pipeline.log, pipeline.codec).processor
        assert rebuilt.position == restored.position, name
        assert state_bytes(rebuilt) == state_bytes(clean), name


def test_read_models_are_those_of_a_clean_run(pipeline: Pipeline) -> None:
    lived = pipeline.rows()
    assert sum(map(len, lived.values())) > 100
    pipeline.rebuild_all()
    clean = pipeline.rows()
    for table, rows in lived.items():
        assert rows == clean[table], table


def _never(_state: object, event: Event) -> list[Event]:
    raise AssertionError(f"{event} was decided again")


def _has_grown(pipeline: Pipeline, to: int) -> bool:
    return pipeline.log.bounds(LOGS[0], 0)[1] >= to


def _repeats(records: list[Record]) -> int:
    return len(records) - len(distinct(records))


def _dead(pipeline: Pipeline, topic: str) -> int:
    found = pipeline.topics.topic_named(pipeline.topics.prefix + topic)
    return pipeline.log.bounds(found, 0)[1]


def _check_the_load_was_real(pipeline: Pipeline) -> None:
    types = {
        Envelope.from_headers(record.headers).type.rpartition(".")[2]
        for topic in LOGS
        for record in everything(pipeline.log, topic)
    }
    assert types >= {
        "WorkloadPlaced",
        "WorkloadReleased",
        "UnitModeAssigned",
        "PowerPlanApplied",
        "DecisionExplained",
        "UsageRecorded",
        "UsageRated",
        "InvoiceFinalized",
    }
