"""What the projections say of how far they are, and to whom."""

from __future__ import annotations

from confluent_kafka import Consumer, Producer, TopicPartition
from prometheus_client import REGISTRY

from projections import database
from projections.catalog import READ_MODELS, named
from schemas.isolation import READ_COMMITTED
from schemas.topics import ACCOUNTS, SITES, Topic, group_of
from tests.projections.conftest import PARTITIONS, Stack
from tests.projections.story import tell
from tests.projections.test_runner import rebuilt, running, wait_for


def shown(metric: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"hcp_projections_{metric}", labels)


def lag_s() -> float:
    return max(shown("lag_seconds", topic=topic.name) or 0 for topic in (SITES, ACCOUNTS))


def test_the_lag_of_a_stuck_runner_grows(stack: Stack) -> None:
    with running(stack, batch=100):
        wait_for(stack.is_caught_up)
        wait_for(lambda: lag_s() == 0)
        with database.connect(stack.dsn) as other, other.transaction():
            database.lock_positions(other, [model.name for model in READ_MODELS])
            tell(stack.story, site="stuck", workloads=10)
            stack.publish()
            wait_for(lambda: lag_s() > 1)
            wait_for(lambda: lag_s() > 2)
        wait_for(lambda: lag_s() == 0)
        assert not any(
            shown("lag_records", topic=SITES.name, partition=str(number))
            for number in range(PARTITIONS)
        )
    assert shown("lag_seconds", topic=SITES.name) is None  # nobody left to ask


def test_transaction_markers_at_the_end_hold_nothing_up(stack: Stack) -> None:
    stack.project()
    leave_a_marker(stack, ACCOUNTS)
    model = named("customers")
    assert model is not None
    rebuilt(stack, model)
    stack.project()
    assert stack.is_caught_up()


def leave_a_marker(stack: Stack, topic: Topic) -> None:
    """An aborted transaction: a record that no reader gets, and a marker."""
    producer = Producer({"bootstrap.servers": stack.kafka, "transactional.id": stack.topics.prefix})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(stack.topics.name_of(topic), value=b"nothing", partition=0)
    producer.flush(30)
    producer.abort_transaction(30)


def test_a_rebuild_tells_lag_tools_nothing(stack: Stack) -> None:
    stack.project()
    wait_for(lambda: committed(stack) > 0)
    before = committed(stack)
    tell(stack.story, site="later", workloads=5)
    stack.publish()
    rebuilt(stack, READ_MODELS[0])
    assert committed(stack) == before


def committed(stack: Stack) -> int:
    group = group_of("projections", stack.topics.prefix)
    consumer = Consumer({**READ_COMMITTED, "bootstrap.servers": stack.kafka, "group.id": group})
    name = stack.topics.name_of(SITES)
    places = [TopicPartition(name, number) for number in range(PARTITIONS)]
    try:
        return sum(max(0, place.offset) for place in consumer.committed(places, timeout=20))
    finally:
        consumer.close()
