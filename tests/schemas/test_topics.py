from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from schemas.codec import AVRO_DIR
from schemas.events import sites
from schemas.topics import (
    ALL,
    DEAD_LETTERS,
    EVENT_TYPES,
    LOGS,
    PRODUCER,
    SITES,
    UNANSWERED,
    Topic,
    Topics,
    dlq,
    home_partition,
    topic_of,
    unanswered,
)


def test_every_schema_is_an_event_of_a_topic_and_has_a_writer() -> None:
    written = {f"hcp.{path.parts[-3]}.v1.{path.stem}" for path in AVRO_DIR.glob("*/v1/*.avsc")}
    assert written == set(EVENT_TYPES)


@pytest.mark.parametrize("topic", ALL, ids=lambda topic: topic.name)
def test_every_event_begins_with_its_topics_key_and_has_a_time(topic: Topic) -> None:
    for event_type in topic.events:
        names = [field.name for field in fields(event_type)]
        assert names[0] == topic.key_field, event_type
        assert names[1] == "at", event_type


def test_each_event_lives_on_one_log() -> None:
    for log in LOGS:
        for event_type in log.events:
            assert topic_of(event_type) is log


def test_every_log_has_a_topic_for_dead_letters() -> None:
    assert tuple(dlq(log) for log in LOGS) == DEAD_LETTERS
    for topic in DEAD_LETTERS:
        assert 0 < int(topic.config["retention.ms"]) < 60 * 86_400_000
        assert int(topic.config["retention.bytes"]) > 0


def test_what_a_state_is_rebuilt_from_is_kept_for_ever() -> None:
    assert tuple(unanswered(log) for log in LOGS) == UNANSWERED
    for topic in (*LOGS, *UNANSWERED):
        assert topic.config["retention.ms"] == "-1"
        assert "retention.bytes" not in topic.config


def test_only_its_owner_may_write_an_event() -> None:
    assert SITES.may_write(sites.WorkloadPlaced, "routing")
    assert not SITES.may_write(sites.WorkloadPlaced, PRODUCER)
    assert SITES.may_write(sites.WorkloadSubmitted, PRODUCER)
    assert SITES.may_write(sites.WorkloadSubmitted, "brokering")
    assert not SITES.may_write(sites.WorkloadSubmitted, "optimization")


def test_names_of_an_environment_carry_its_prefix_and_come_back() -> None:
    names = Topics("blue.")
    assert names.name_of(SITES) == "blue.hcp.sites.v1"
    assert names.topic_named("blue.hcp.sites.v1") is SITES
    assert names.subject_of(SITES, sites.TimePassed) == (
        "blue.hcp.sites.v1-hcp.sites.v1.TimePassed"
    )
    with pytest.raises(KeyError):
        names.topic_named("hcp.sites.v1")


def test_keys_go_where_librdkafka_sends_them() -> None:
    # CRC-32 of "123456789" is the check value 0xCBF43926 of the algorithm's specification.
    assert home_partition(b"123456789", 1 << 32) == 0xCBF43926


def test_the_folder_of_schemas_is_the_topics_log() -> None:
    for topic in ALL:
        assert Path(AVRO_DIR / topic.log / "v1").is_dir()
