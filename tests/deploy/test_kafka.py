"""What Kafka is told before it starts."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from deploy.errors import DeployError
from deploy.local.child import Child
from deploy.local.infrastructure import wait_ready
from deploy.local.java import property_value, require_class_path, require_list_entry
from deploy.local.kafka import Kafka, cluster_id
from deploy.local.ports import choose_free


@pytest.mark.parametrize("first_byte", range(256))
def test_a_cluster_id_never_reads_as_an_option(first_byte: int) -> None:
    name = cluster_id(uuid.UUID(bytes=bytes([first_byte, *range(15)])))
    assert name[0] not in "-_"
    assert len(name) == 22


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("/plain/path-1", "/plain/path-1"),
        ("/d\u00e4ta", "/d\\u00e4ta"),
        ("/\U0001f4c8", "/\\ud83d\\udcc8"),
        ("/back\\slash", "/back\\\\slash"),
        ("/a b\n", "/a\\u0020b\\u000a"),
    ],
)
def test_a_property_is_written_as_java_reads_it(text: str, written: str) -> None:
    assert property_value(text) == written


def test_the_configuration_is_ascii_wherever_the_data_is(tmp_path: Path) -> None:
    text = Kafka(tmp_path / "d\u00e4ta", 1, 2)._server_properties()
    assert text.isascii()
    assert f"log.dirs={tmp_path}/d\\u00e4ta/segments\n" in text


@pytest.mark.parametrize("name", ["a,b", "a\udce4"])
def test_a_path_that_kafka_cannot_hold_is_refused(name: str) -> None:
    with pytest.raises(DeployError, match="which Kafka cannot use: choose another one"):
        require_list_entry(Path("/data") / name, "another one")


@pytest.mark.parametrize("name", ["a:b", "a\udce4"])
def test_a_path_that_is_no_class_path_is_refused(name: str) -> None:
    with pytest.raises(DeployError, match="choose another with HCP_CACHE_DIR"):
        require_class_path(Path("/cache") / name, "HCP_CACHE_DIR")


def test_kafka_finds_its_data_again_in_a_directory_of_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    kafka = Kafka(tmp_path / "d\u00e4ta 100% #1 \u03a9" / "kafka", *choose_free(2))
    topics = [kept_topics(kafka, tmp_path / "kafka.log", create) for create in ("trial", None)]
    assert topics == [{"trial"}, {"trial"}]
    assert [entry.name for entry in tmp_path.iterdir() if entry.is_dir()] == [
        kafka.directory.parent.name
    ]


def kept_topics(kafka: Kafka, log: Path, create: str | None) -> set[str]:
    """Start, perhaps create a topic, list topics, stop."""
    kafka.prepare(print, log)
    child = Child(kafka.command(), log)
    try:
        wait_ready(child)
        admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
        if create:
            admin.create_topics([NewTopic(create, 1, 1)])[create].result(30)
        return set(admin.list_topics(timeout=30).topics)
    finally:
        child.stop()
