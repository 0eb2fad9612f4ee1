"""10,000 garbage records on one of four partitions: what the others notice, and when it is over.

Each log that strangers write to in turn, under all of the agents and the projections. Inputs come
at fixed times to a key on another partition; latency counts from when each was due to the first
answer that is seen, and to when the tables hold it. It is measured before the flood and in it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, cast

from confluent_kafka import ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

from schemas.events import accounts, intake, sites
from schemas.events.intake import IntakeEvent
from schemas.events.sites import SitesEvent
from schemas.topics import (
    ACCOUNTS,
    AGENTS,
    INTAKE,
    MAX_RECORD_BYTES,
    SITES,
    Event,
    Topic,
    dlq,
    group_of,
    home_partition,
)
from tests.benchmarks.environment import Environment
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.flood_load import PATIENCE_S, Load
from tests.benchmarks.garbage import garbage
from tests.benchmarks.load import T0, opening, submission

PARTITIONS = 4
GARBAGE = 10_000
QUIET_S = 25.0
WARM_UP_S = 10.0
UNITS = 50
BAR_RATIO = 2
BAR_BACK_S = 30
_FLOODED = 3


@dataclass(frozen=True)
class Flooded:
    """A log, what is said on it all the while, and who reads it."""

    log: Topic
    readers: tuple[str, ...]
    event: Callable[[str, int], Event]
    opening: Callable[[str], list[Event]] = lambda _: []


def flood(env: Environment) -> list[Figure]:
    """env: of PARTITIONS partitions."""
    figures: list[Figure] = []
    with ExitStack() as processes:
        for agent in AGENTS:
            processes.enter_context(env.process("streams", agent))
        processes.enter_context(env.process("projections", "run"))
        for flooded in LOGS:
            _allow_any_timestamp(env, flooded.log)
            figures += _flood(env, flooded)
    return figures


def _flood(env: Environment, flooded: Flooded) -> list[Figure]:
    log, key = flooded.log, _key_on(_FLOODED - 1)
    with _loaded(env, flooded, key) as load:
        time.sleep(QUIET_S)
        began = time.monotonic()
        end = _send_garbage(env, flooded)
        sent = time.monotonic()
        with _loaded(env, flooded, _key_on(_FLOODED)) as first:  # the flooded partition's own
            answered_s = min(first.answered.values()) - sent
            back_s = _wait_for_readers(env, flooded, end) - sent
            while not first.shown or first.shown[-1][0] < end:
                _patience(sent, "the tables hold what came after the garbage")
            shown_s = first.shown[-1][1] - sent
        ended = time.monotonic()
    letters = _letters(env, log)
    if letters != GARBAGE:
        raise AssertionError(f"{letters} dead letters of {GARBAGE} records on {log.name}")
    quiet = began - QUIET_S + WARM_UP_S, began
    return [
        _compared(log, "answer", load.answer_ms(*quiet), load.answer_ms(began, ended)),
        _compared(log, "tables", load.shown_ms(*quiet), load.shown_ms(began, ended)),
        _back(log, "an answer on the flooded partition", answered_s),
        _back(log, "every agent behind the garbage", back_s),
        _back(log, "the tables behind the garbage", shown_s),
    ]


def _compared(log: Topic, to: str, before: list[float], within: list[float]) -> Figure:
    p99 = percentile(before, 99)
    return Figure(
        benchmark=f"flood of {log.name}",
        name=f"input to {to} on another partition, p99 in {GARBAGE:,} garbage records",
        value=percentile(within, 99),
        unit="ms",
        better="lower",
        bar=BAR_RATIO * p99,
        peer="before the flood",
        peer_value=p99,
    )


def _back(log: Topic, what: str, seconds: float) -> Figure:
    return Figure(
        benchmark=f"flood of {log.name}",
        name=f"from the last garbage record to {what}",
        value=seconds,
        unit="s",
        better="lower",
        bar=BAR_BACK_S,
    )


@contextmanager
def _loaded(env: Environment, flooded: Flooded, key: str) -> Iterator[Load]:
    partition = home_partition(key.encode(), PARTITIONS)
    load = Load(
        env,
        flooded.log,
        partition,
        lambda serial: flooded.event(key, serial),
        flooded.opening(key),
    )
    try:
        load.begin()
        yield load
    finally:
        load.end()


def _send_garbage(env: Environment, flooded: Flooded) -> int:
    """The offset after the last."""
    producer = Producer(
        {
            "bootstrap.servers": env.addresses.kafka,
            "enable.idempotence": True,
            "message.max.bytes": MAX_RECORD_BYTES,
            "log_level": 2,
        }
    )
    pick, faults = random.Random(7), list[object]()
    real = env.record(flooded.event(_key_on(_FLOODED), 0))
    for number in range(GARBAGE):
        sent = garbage(real, number, pick)
        producer.produce(
            env.name_of(flooded.log),
            partition=_FLOODED,
            key=real.key,
            value=sent.value,
            headers=cast(Any, sent.headers),
            timestamp=sent.timestamp_ms,
            on_delivery=lambda fault, _: faults.append(fault) if fault else None,
        )
        producer.poll(0)
    producer.flush()
    if faults:
        raise AssertionError(f"{len(faults)} garbage records were not taken: {faults[0]}")
    return _end(env, flooded.log)


def _wait_for_readers(env: Environment, flooded: Flooded, end: int) -> float:
    """When each agent has committed this offset of the flooded partition."""
    admin, began = AdminClient({"bootstrap.servers": env.addresses.kafka}), time.monotonic()
    place = TopicPartition(env.name_of(flooded.log), _FLOODED)
    behind = {group_of(agent, env.topics.prefix) for agent in flooded.readers}
    while behind:
        for group in sorted(behind):
            asked = [ConsumerGroupTopicPartitions(group, [place])]
            (found,) = admin.list_consumer_group_offsets(asked).values()
            if found.result(timeout=30).topic_partitions[0].offset >= end:
                behind.remove(group)
        _patience(began, f"{', '.join(sorted(behind))} got behind the garbage")
    return time.monotonic()


def _patience(began: float, until: str) -> None:
    if time.monotonic() - began > PATIENCE_S:
        raise TimeoutError(f"{PATIENCE_S:.0f} s were not enough until {until}")
    time.sleep(0.05)


def _end(env: Environment, topic: Topic) -> int:
    place = TopicPartition(env.name_of(topic), _FLOODED)
    consumer = env.consumer(place)
    try:
        return consumer.get_watermark_offsets(place, timeout=30)[1]
    finally:
        consumer.close()


def _letters(env: Environment, log: Topic) -> int:
    return _end(env, dlq(log))


def _allow_any_timestamp(env: Environment, topic: Topic) -> None:
    """As older brokers do; newer ones refuse a record from more than an hour ahead."""
    setting = ConfigEntry(
        "message.timestamp.after.max.ms",
        str(2**63 - 1),
        incremental_operation=AlterConfigOpType.SET,
    )
    resource = ConfigResource(
        ConfigResource.Type.TOPIC, env.name_of(topic), incremental_configs=[setting]
    )
    admin = AdminClient({"bootstrap.servers": env.addresses.kafka})
    for done in admin.incremental_alter_configs([resource]).values():
        done.result(timeout=30)


def _key_on(partition: int) -> str:
    return next(
        name for n in count() if home_partition((name := f"s{n}").encode(), PARTITIONS) == partition
    )


def _waiver(customer_id: str, serial: int) -> accounts.CollectionWaived:
    """Refused, as nothing of this customer waits; so it has an answer."""
    return accounts.CollectionWaived(
        customer_id=customer_id,
        at=T0 + serial,
        site_id="s",
        waived_until=T0,
        waived_by="bench",
        reason="",
    )


def _asked_of_the_site(site_id: str, serial: int) -> SitesEvent:
    """A submission, and its cancellation: so nothing grows."""
    asked = submission(site_id, serial // 2, T0, random.Random(serial // 2))
    assert isinstance(asked, sites.WorkloadSubmitted)
    if serial % 2 == 0:
        return asked
    return sites.WorkloadCancelled(
        site_id=site_id, at=T0, workload_id=asked.workload_id, cancelled_by="customer", reason=""
    )


def _asked_of_the_pool(pool: str, serial: int) -> IntakeEvent:
    workload_id = f"{pool}-w{serial // 2:08}"
    if serial % 2:
        return intake.WorkloadCancelled(
            pool=pool, at=T0, workload_id=workload_id, cancelled_by="customer", reason=""
        )
    return intake.WorkloadSubmitted(
        pool=pool,
        at=T0,
        workload_id=workload_id,
        customer_id="c",
        name="run",
        kind="batch",
        gpu_model="H100",
        gpu_count=1,
        duration_s=600,
    )


LOGS = (
    Flooded(
        SITES,
        ("routing", "optimization", "metering"),
        _asked_of_the_site,
        lambda key: list(opening(key, UNITS)),
    ),
    Flooded(ACCOUNTS, ("invoicing",), _waiver),
    Flooded(INTAKE, ("brokering",), _asked_of_the_pool),
)
