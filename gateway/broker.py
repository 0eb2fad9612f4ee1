"""What health asks of Kafka, in calls that a broker's death can delay but not make fatal.

A serving process must outlive its broker, and librdkafka's admin requests do not let it:

- `describe_consumer_groups` fails an assertion, and with it the process, when its time runs out on
  a dead connection (librdkafka issue 4605; any of the admin requests may)
- `list_consumer_group_offsets` asks for the coordinator in vain for minutes after a restart
- `list_offsets` keeps the old leader's epoch, and answers FENCED_LEADER_EPOCH until the end

Metadata, `list_groups`, and a consumer's `committed` and `get_watermark_offsets` are plain
requests: they time out, and answer again as soon as the broker does. The consumers never subscribe,
so they are members of no group. Every method blocks for at most about ASK_S.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from gateway.standstill import Ends
from schemas.isolation import READ_COMMITTED, READ_UNCOMMITTED

librdkafka = logging.getLogger("gateway.librdkafka")

ASK_S = 2.0
LEAST_S = 0.05  # librdkafka takes 0 for "without waiting"


@dataclass(frozen=True, slots=True)
class Group:
    """members: running workers; positions: the next offset of each partition, as committed."""

    members: int
    positions: dict[int, int]


class Broker:
    """Raises KafkaException when it does not answer, KeyError for a topic that is not there."""

    def __init__(self, bootstrap: str, groups: Iterable[str]) -> None:
        self._settings: dict[str, Any] = {
            "bootstrap.servers": bootstrap,
            "client.id": "hcp-gateway-health",
        }
        self._groups = tuple(groups)
        self._admin: AdminClient
        self._readers: dict[str, Consumer] = {}

    def open(self) -> None:
        self._admin = AdminClient(self._settings, logger=librdkafka)
        for group in self._groups:
            reader = {
                **READ_COMMITTED,
                **self._settings,
                "group.id": group,
                "enable.auto.commit": False,
            }
            self._readers[group] = Consumer(reader, logger=librdkafka)
        self._any_reader = self._readers[self._groups[0]]
        # Reads nothing: it is only told where a partition ends, with what nobody may read yet.
        marks = {**READ_UNCOMMITTED, **self._settings, "group.id": "hcp-gateway-ends"}
        self._end_reader = Consumer(marks, logger=librdkafka)

    def close(self) -> None:
        for reader in (*self._readers.values(), self._end_reader):
            reader.close()

    def topics(self) -> tuple[set[str], int]:
        """Every topic's name, and how many brokers there are."""
        metadata = self._admin.list_topics(timeout=ASK_S)
        return set(metadata.topics), len(metadata.brokers)

    def group(self, name: str, topic: str) -> Group:
        """A group that nobody has joined yet has no members and no positions."""
        left_s = _countdown()
        # Deprecated in favour of the very requests that must not be made here.
        found = self._admin.list_groups(name, timeout=left_s())
        members = sum(len(group.members) for group in found if group.id == name)
        wanted = self._partitions(topic, left_s())
        committed = self._readers[name].committed(wanted, timeout=left_s())
        positions = {place.partition: place.offset for place in committed if place.offset >= 0}
        return Group(members, positions)

    def ends(self, topics: Iterable[str]) -> dict[tuple[str, int], int]:
        """The offset after what may be read, by topic and partition."""
        left_s = _countdown()
        return _ends(self._any_reader, self._all_partitions(topics, left_s()), left_s)

    def both_ends(self, topics: Iterable[str]) -> dict[tuple[str, int], Ends]:
        """What may be read, and what is there, asked in the other order: it never seems less."""
        left_s = _countdown()
        places = self._all_partitions(topics, left_s())
        high = _ends(self._end_reader, places, left_s)
        stable = _ends(self._any_reader, places, left_s)
        return {place: Ends(stable[place], high[place]) for place in places}

    def _all_partitions(self, topics: Iterable[str], timeout_s: float) -> list[tuple[str, int]]:
        listed = self._admin.list_topics(timeout=timeout_s).topics
        return [(topic, partition) for topic in topics for partition in listed[topic].partitions]

    def _partitions(self, topic: str, timeout_s: float) -> list[TopicPartition]:
        listed = self._admin.list_topics(topic, timeout=timeout_s).topics[topic]
        return [TopicPartition(topic, partition) for partition in listed.partitions]


def _ends(
    reader: Consumer, places: Iterable[tuple[str, int]], left_s: Callable[[], float]
) -> dict[tuple[str, int], int]:
    found: dict[tuple[str, int], int] = {}
    for place in places:
        marks = reader.get_watermark_offsets(TopicPartition(*place), timeout=left_s())
        if marks is None:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        found[place] = marks[1]
    return found


def _countdown() -> Callable[[], float]:
    """What is left of ASK_S at each call."""
    deadline = time.monotonic() + ASK_S
    return lambda: max(LEAST_S, deadline - time.monotonic())
