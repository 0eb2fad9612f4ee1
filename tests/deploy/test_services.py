"""The three services that every integration test builds on, wherever they come from."""

from __future__ import annotations

import httpx
import psycopg
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic


def test_a_created_topic_accepts_a_record(kafka: str, topic_prefix: str) -> None:
    topic = f"{topic_prefix}hcp.trial.v1"
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(30)
    delivered: list[int | None] = []
    producer = Producer({"bootstrap.servers": kafka})
    producer.produce(topic, b"value", on_delivery=lambda _, m: delivered.append(m.offset()))
    assert producer.flush(30) == 0
    assert delivered == [0]
    admin.delete_topics([topic])[topic].result(30)


def test_the_registry_gives_the_same_schema_the_same_id(registry: str, topic_prefix: str) -> None:
    subject = f"{registry}/subjects/{topic_prefix}trial/versions"
    body = {"schema": '{"type": "record", "name": "Trial", "fields": []}'}
    first = httpx.post(subject, json=body).raise_for_status().json()["id"]
    assert httpx.post(subject, json=body).raise_for_status().json()["id"] == first
    stored = httpx.get(f"{registry}/schemas/ids/{first}").raise_for_status().json()["schema"]
    assert '"Trial"' in stored


def test_every_module_has_an_empty_database(database: str) -> None:
    with psycopg.connect(database) as connection:
        tables = connection.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ).fetchone()
        version = connection.info.server_version
    assert tables == (0,)
    assert version >= 180_000
