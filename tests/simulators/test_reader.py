"""What the simulators take from a real log, and what they leave there."""

from __future__ import annotations

from dataclasses import replace

from confluent_kafka import Producer

from schemas.codec import Codec, LocalIds, record_for
from schemas.envelope import Cause, answered, produced
from schemas.events.sites import AlertCleared, TimePassed
from schemas.provisioning import provision
from schemas.topics import SITES, Topics
from simulators.reader import LogReader

CODEC = Codec(LocalIds())
TICK = TimePassed(site_id="alpha", at=1)
CLEARED = AlertCleared(site_id="alpha", at=1, alert_id="a")


def test_what_is_forged_or_repeated_is_left_and_moves_no_mark(
    kafka: str, topic_prefix: str
) -> None:
    topics = Topics(topic_prefix)
    provision(kafka, topics, partitions=1, replication=1)
    question = produced(TICK, source="/tests")
    tick = record_for(SITES, TICK, question, CODEC)
    told = [tick, tick, tick]
    for agent, offset in (("routing", 10**9), ("metering", 0), ("routing", 0), ("routing", 0)):
        cause = Cause(agent, SITES.name, 0, offset, 0, 1)
        envelope = answered(CLEARED, agent=agent, version="1", input=question, cause=cause)
        told.append(record_for(SITES, CLEARED, envelope, CODEC))
    told += [replace(tick, value=b"not avro"), replace(tick, headers=[])]
    producer = Producer({"bootstrap.servers": kafka})
    for record in told:
        producer.produce(
            topics.name_of(SITES), record.value, record.key, headers=list(record.headers)
        )
    assert producer.flush(30) == 0
    reader = LogReader(
        kafka, topics, CODEC, logs=(SITES,), keys=("alpha",), types=(TimePassed, AlertCleared)
    )
    try:
        found = [(record.offset, record.event) for record in reader.history()]
    finally:
        reader.close()
    assert found == [(0, TICK), (1, TICK), (2, TICK), (5, CLEARED)]
