"""An adviser under Faust that routing overrules: it makes its state again, and goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from schemas.events import sites
from schemas.isolation import READ_COMMITTED
from schemas.provisioning import provision
from schemas.registry import register
from schemas.topics import SITES, Topics, group_of
from streams.driver import Seat
from streams.kafka import KafkaLog
from streams.optimization.agent import AGENT as OPTIMIZATION
from streams.quantities import HOUR_MS
from streams.recovery import restore
from streams.refusal import CLOCK_JUMP, Refusal
from streams.routing.agent import AGENT as ROUTING
from streams.site_inputs import Tick
from tests.integration.processes import Process, wait_until
from tests.integration.test_runtime import Stage
from tests.streams.routing.arrivals import SITE, T0, Arrivals

JUMP = sites.TimePassed(site_id=SITE, at=T0 + HOUR_MS)
LATER = sites.TimePassed(site_id=SITE, at=T0 + 60_000)


def test_a_state_is_made_again_where_routing_judges_otherwise(
    kafka: str,
    registry: str,
    topic_prefix: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prefix = f"{topic_prefix}overruled."
    topics = Topics(prefix)
    provision(kafka, topics, partitions=1)
    register(registry, topics)
    stage = Stage(kafka, registry, prefix, tmp_path)
    environment = stage.worker.environment
    worker = Process("optimization", ("streams", "optimization"), environment, tmp_path)
    routing = Seat(ROUTING, 0, stage.codec, lambda: KafkaLog(kafka, topics))
    group = {
        **READ_COMMITTED,
        "bootstrap.servers": kafka,
        "group.id": group_of(OPTIMIZATION.name, prefix),
    }
    consumer = Consumer(group)
    place = TopicPartition(topics.name_of(SITES), 0)

    def has_read_all() -> bool:
        committed = consumer.committed([place], 20)[0].offset
        return bool(committed == stage.log.bounds(SITES, 0)[1])

    # Given an adviser that believed a tick, and saved that, before routing has seen it
    stage.put(*Arrivals(1).opening())
    routing.run()
    worker.start()
    try:
        wait_until(has_read_all, 60, "the adviser has read what there is")
        stage.put(JUMP)
        wait_until(has_read_all, 60, "the adviser has read the tick")
        believed = restore(OPTIMIZATION, 0, stage.log, stage.codec).processor
        assert believed.states[SITE].now == JUMP.at
        # When routing refuses it, and then takes another
        with monkeypatch.context() as patch:
            patch.setattr("streams.routing.rejection.tick", lambda _, __, at, *___: refused(at))
            routing.run()
        wait_until(
            lambda: "making the state again from the log" in worker.said(), 60, "it is overruled"
        )
        stage.put(LATER)
        routing.run()
        wait_until(has_read_all, 60, "the adviser has read on")
        assert worker.stop() == 0
    finally:
        worker.end()
        consumer.close()
    # Then what it saved in the end follows routing's word
    saved = restore(OPTIMIZATION, 0, stage.log, stage.codec).processor
    assert saved.position == stage.log.bounds(SITES, 0)[1] - 1
    assert (saved.states[SITE].now, saved.states[SITE].doubted) == (LATER.at, None)
    assert "Traceback" not in worker.said()


def refused(at: int) -> Tick:
    return Tick(T0, at, Refusal(CLOCK_JUMP, "By other rules."))
