"""Creates the topics and brings their settings to what `topics.py` says.

The number of partitions is chosen once: another number would send keys elsewhere and break each
key's order, so an existing topic with another number is refused, and nothing is changed.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    NewTopic,
    ResourceType,
)

from schemas.errors import BrokerUnavailable, ProvisioningRefused
from schemas.topics import ALL, Topic, Topics

_TIMEOUT_S = 30


def provision(
    kafka: str, topics: Topics | None = None, *, partitions: int = 1, replication: int = 1
) -> list[str]:
    """Returns one sentence for each change made; none when all was as it should be.

    Raises ProvisioningRefused, BrokerUnavailable.
    """
    names = topics or Topics()
    admin = AdminClient({"bootstrap.servers": kafka}, logger=logging.getLogger(__name__))
    try:
        existing = _partitions_by_topic(admin, names)
        _refuse_other_partitions(existing, names, partitions)
        missing = [topic for topic in ALL if names.name_of(topic) not in existing]
        present = [topic for topic in ALL if names.name_of(topic) in existing]
        return [
            *_create(admin, names, missing, partitions, replication),
            *_mend_settings(admin, names, present),
        ]
    except KafkaException as error:
        raise BrokerUnavailable(f"the broker at {kafka}: {error.args[0].str()}") from error


def _partitions_by_topic(admin: AdminClient, names: Topics) -> dict[str, int]:
    listed = admin.list_topics(timeout=10).topics
    ours = {names.name_of(topic) for topic in ALL}
    return {name: len(listed[name].partitions) for name in sorted(ours & set(listed))}


def _refuse_other_partitions(existing: Mapping[str, int], names: Topics, partitions: int) -> None:
    others = [
        f"{name} has {found}"
        for topic in ALL
        if (found := existing.get(name := names.name_of(topic))) not in (None, partitions)
    ]
    if others:
        more = f" (and {len(others) - 1} more topics differ)" if len(others) > 1 else ""
        raise ProvisioningRefused(
            f"asked for {partitions} partition(s), but {others[0]}{more}: the number is chosen "
            "once, because another one would break the order of every key; set HCP_PARTITIONS "
            "to what is there"
        )


def _create(
    admin: AdminClient, names: Topics, missing: list[Topic], partitions: int, replication: int
) -> list[str]:
    if not missing:
        return []
    wanted = [
        NewTopic(
            names.name_of(topic),
            num_partitions=partitions,
            replication_factor=replication,
            config=topic.config,
        )
        for topic in missing
    ]
    _wait(admin.create_topics(wanted, operation_timeout=_TIMEOUT_S))
    return [f"created {topic.topic}" for topic in wanted]


def _mend_settings(admin: AdminClient, names: Topics, present: list[Topic]) -> list[str]:
    if not present:
        return []
    by_name = {names.name_of(topic): topic for topic in present}
    asked = [ConfigResource(ResourceType.TOPIC, name) for name in by_name]
    changes: list[str] = []
    resources: list[ConfigResource] = []
    for resource, found in _wait(admin.describe_configs(asked)).items():
        wrong = _differing(by_name[resource.name], found)
        if wrong:
            resources.append(_alteration(resource.name, wrong))
            changes += [
                f"set {setting}={value} on {resource.name}" for setting, value in wrong.items()
            ]
    if resources:
        _wait(admin.incremental_alter_configs(resources))
    return changes


def _differing(topic: Topic, found: Mapping[str, ConfigEntry]) -> dict[str, str]:
    """Settings that are not ours: of another value, or only by the broker's present default."""
    return {
        setting: value
        for setting, value in topic.config.items()
        if setting not in found
        or found[setting].value != value
        or ConfigSource(found[setting].source) is not ConfigSource.DYNAMIC_TOPIC_CONFIG
    }


def _alteration(name: str, settings: Mapping[str, str]) -> ConfigResource:
    entries = [
        ConfigEntry(setting, value, incremental_operation=AlterConfigOpType.SET)
        for setting, value in settings.items()
    ]
    return ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)


def _wait(futures: Mapping[Any, Future[Any]]) -> dict[Any, Any]:
    return {asked: future.result(timeout=_TIMEOUT_S) for asked, future in futures.items()}
