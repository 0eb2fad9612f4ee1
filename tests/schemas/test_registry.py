"""Against a real registry and broker."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from schemas.codec import Codec, record_for, schema_of_event
from schemas.envelope import Envelope, produced
from schemas.errors import (
    IncompatibleSchema,
    ProvisioningRefused,
    RegistryUnavailable,
    SchemaNotRegistered,
    UnknownSchemaId,
)
from schemas.events import sites
from schemas.isolation import READ_COMMITTED
from schemas.provisioning import provision
from schemas.registry import COMPATIBILITY, RegistryIds, register
from schemas.releases import sample_of
from schemas.topics import (
    ALL,
    EVENT_TYPES,
    SITES,
    Event,
    Topics,
    home_partition,
    key_of,
    topic_of,
)

PARTITIONS = 3


@pytest.fixture(scope="module")
def topics(topic_prefix: str, kafka: str, registry: str) -> Topics:
    names = Topics(topic_prefix)
    assert len(register(registry, names)) == sum(len(topic.events) for topic in ALL)
    assert len(provision(kafka, names, partitions=PARTITIONS)) == len(ALL)
    return names


def test_registering_and_provisioning_again_changes_nothing(
    topics: Topics, registry: str, kafka: str
) -> None:
    assert register(registry, topics) == []
    assert provision(kafka, topics, partitions=PARTITIONS) == []


def test_every_subject_is_fully_transitive(topics: Topics, registry: str) -> None:
    client = SchemaRegistryClient({"url": registry, "timeout": 20})
    for event_type in EVENT_TYPES.values():
        subject = topics.subject_of(topic_of(event_type), event_type)
        assert client.get_compatibility(subject) == COMPATIBILITY


def test_the_stock_deserializer_reads_every_event(topics: Topics, registry: str) -> None:
    codec = Codec(RegistryIds(registry, topics))
    reader = Codec(RegistryIds(registry, topics))
    stock = AvroDeserializer(SchemaRegistryClient({"url": registry, "timeout": 20}))
    for event_type in EVENT_TYPES.values():
        event = sample_event(event_type)
        value = codec.encode(event)
        physical = topics.name_of(topic_of(event_type))
        context = SerializationContext(physical, MessageField.VALUE)
        read: Any = stock(value, context)
        assert set(read) == set(event.to_record())
        assert round(read["at"].timestamp() * 1000) == event.at
        assert reader.decode(value) == event


def test_a_record_crosses_the_broker_to_its_home_partition(
    topics: Topics, registry: str, kafka: str
) -> None:
    codec = Codec(RegistryIds(registry, topics))
    event = sites.TimePassed(site_id="dallas", at=5)
    record = record_for(SITES, event, produced(event, source="/clock"), codec)
    producer = Producer({"bootstrap.servers": kafka})
    producer.produce(
        topics.name_of(SITES), key=record.key, value=record.value, headers=record.headers
    )
    assert producer.flush(20) == 0

    home = home_partition(key_of(SITES, event), PARTITIONS)
    consumer = Consumer({**READ_COMMITTED, "bootstrap.servers": kafka, "group.id": "unused"})
    consumer.assign([TopicPartition(topics.name_of(SITES), home, 0)])
    message = consumer.poll(20)
    consumer.close()
    assert message is not None
    assert message.error() is None
    assert codec.decode(message.value()) == event
    headers: Any = message.headers()
    assert Envelope.from_headers(headers) == Envelope.from_headers(record.headers)


def test_the_registry_refuses_what_an_old_reader_could_not_follow(
    topics: Topics, registry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = {**schema_of_event(sites.TimePassed)}
    changed["fields"] = [*changed["fields"], {"name": "zone", "type": "string"}]
    monkeypatch.setattr("schemas.registry.schema_of_event", lambda _: changed)
    monkeypatch.setattr("schemas.registry.ALL", (only_time_passed(),))
    with pytest.raises(IncompatibleSchema, match="TimePassed"):
        register(registry, topics)


def test_a_service_never_registers(registry: str) -> None:
    codec = Codec(RegistryIds(registry, Topics("nowhere.")))
    with pytest.raises(SchemaNotRegistered, match="schemas register"):
        codec.encode(sites.TimePassed(site_id="dallas", at=5))


def test_an_id_the_registry_does_not_have_is_unknown(topics: Topics, registry: str) -> None:
    with pytest.raises(UnknownSchemaId):
        Codec(RegistryIds(registry, topics)).decode(b"\x00\x7f\xff\xff\xff\x00")


@pytest.fixture
def broken_registry() -> Iterator[str]:
    """A registry whose storage is away: every answer is 503."""
    server = HTTPServer(("127.0.0.1", 0), _Unavailable)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


class _Unavailable(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Keep test output quiet."""


def test_a_registry_that_cannot_answer_is_never_an_unknown_schema(broken_registry: str) -> None:
    for url in (broken_registry, "http://127.0.0.1:9"):
        with pytest.raises(RegistryUnavailable):
            Codec(RegistryIds(url)).decode(b"\x00\x00\x00\x00\x01\x00")


def test_another_number_of_partitions_is_refused(topics: Topics, kafka: str) -> None:
    with pytest.raises(ProvisioningRefused, match="has 3"):
        provision(kafka, topics, partitions=PARTITIONS + 1)


def test_a_setting_that_somebody_changed_is_set_right(topics: Topics, kafka: str) -> None:
    name = topics.name_of(SITES)
    entry = ConfigEntry("retention.ms", "1000", incremental_operation=AlterConfigOpType.SET)
    changed = ConfigResource(ResourceType.TOPIC, name, incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": kafka})
    for future in admin.incremental_alter_configs([changed]).values():
        future.result(20)
    changes = provision(kafka, topics, partitions=PARTITIONS)
    assert f"set retention.ms=-1 on {name}" in changes
    assert provision(kafka, topics, partitions=PARTITIONS) == []


def sample_event(event_type: Any) -> Event:  # noqa: ANN401 - from_record is generated
    made: Event = event_type.from_record(sample_of(schema_of_event(event_type)))
    return made


def only_time_passed() -> Any:  # noqa: ANN401
    return type(SITES)(
        name=SITES.name,
        log=SITES.log,
        key_field=SITES.key_field,
        writers={sites.TimePassed: frozenset()},
    )
