"""Every topic: its name, key, events, who may write each event, and how it is kept.

Names here are without the environment's prefix; `Topics` adds it. One agent's snapshots and one
log's dead letters are topics too, with one event each.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, cast

from schemas.events import accounts, decisions, intake, sites, snapshots
from schemas.events import dlq as dlq_events

PRODUCER = "producer"  # anyone who reports facts: simulators, hardware, market feeds, the gateway
PROJECTIONS = "projections"  # the readers that keep the read models
AGENTS = ("routing", "optimization", "metering", "invoicing", "brokering")
MAX_RECORD_BYTES = 8 * 1024 * 1024
FOR_EVER_MS = -1
DEAD_LETTERS_KEPT_MS = 35 * 86_400_000
DEAD_LETTERS_KEPT_BYTES = 1024 * 1024 * 1024  # of each partition


class Event(Protocol):
    """What every generated event has."""

    FULL_NAME: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def at(self) -> int: ...
    def to_record(self) -> dict[str, Any]: ...


Writers = Mapping[type[Event], frozenset[str]]


@dataclass(frozen=True, eq=False)
class Topic:
    """A topic and what its records are.

    log: folder of its schemas under `schemas/avro`
    key_field: the field of every event that is its key, and so its place in the order
    writers: for each event, the agents that may write it, and `PRODUCER`; empty: any reader may
    authority: of a log, the reader that says what is no event of it
    """

    name: str
    log: str
    key_field: str
    writers: Writers
    authority: str = PROJECTIONS
    cleanup: str = "delete"
    retention_ms: int = FOR_EVER_MS
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def events(self) -> tuple[type[Event], ...]:
        return tuple(self.writers)

    def may_write(self, event_type: type[Event], writer: str) -> bool:
        """writer: an agent's name, or `PRODUCER` for a record without a cause."""
        allowed = self.writers.get(event_type)
        return allowed is not None and (not allowed or writer in allowed)

    @property
    def config(self) -> dict[str, str]:
        """Broker settings, as strings."""
        return {
            "cleanup.policy": self.cleanup,
            "retention.ms": str(self.retention_ms),
            "max.message.bytes": str(MAX_RECORD_BYTES),
            **self.settings,
        }


def _by(writers: Mapping[str, tuple[Any, ...]]) -> Writers:
    found: dict[type[Event], set[str]] = {}
    for writer, event_types in writers.items():
        for event_type in event_types:
            found.setdefault(event_type, set()).add(writer)
    return {event_type: frozenset(names) for event_type, names in found.items()}


SITES = Topic(
    name="hcp.sites.v1",
    log="sites",
    authority="routing",
    key_field="site_id",
    writers=_by(
        {
            PRODUCER: (
                sites.SiteConfigured,
                sites.UnitRegistered,
                sites.UnitReported,
                sites.UnitFailed,
                sites.UnitRecovered,
                sites.UnitDrained,
                sites.UnitSwitched,
                sites.WorkloadSubmitted,
                sites.WorkloadCancelled,
                sites.WorkloadStarted,
                sites.WorkloadProgressed,
                sites.WorkloadCompleted,
                sites.WorkloadFailed,
                sites.PowerPricePublished,
                sites.HashpricePublished,
                sites.CurtailmentRequested,
                sites.CurtailmentLifted,
                sites.EnergyMetered,
                sites.TimePassed,
                sites.ClockCorrected,
            ),
            "brokering": (sites.WorkloadSubmitted, sites.WorkloadCancelled),
            "optimization": (sites.PowerPlanProposed,),
            "metering": (sites.BillingDifferenceFound,),
            "routing": (
                sites.WorkloadQueued,
                sites.WorkloadPlaced,
                sites.WorkloadRequeued,
                sites.WorkloadReleased,
                sites.WorkloadRejected,
                sites.UnitModeAssigned,
                sites.HourClosed,
                sites.PowerPlanApplied,
                sites.CurtailmentMet,
                sites.AlertRaised,
                sites.AlertCleared,
                sites.InputRejected,
            ),
        }
    ),
)

ACCOUNTS = Topic(
    name="hcp.accounts.v1",
    log="accounts",
    authority="invoicing",
    key_field="customer_id",
    writers=_by(
        {
            PRODUCER: (
                accounts.CustomerEnrolled,
                accounts.TariffPublished,
                accounts.ContractSigned,
                accounts.CollectionWaived,
            ),
            "metering": (accounts.UsageRecorded, accounts.UsageCollected),
            "invoicing": (
                accounts.TariffPublished,
                accounts.ContractSigned,
                accounts.UsageRated,
                accounts.UsageHeld,
                accounts.BillingPeriodClosed,
                accounts.InvoiceDrafted,
                accounts.InvoiceFinalized,
                accounts.InputRejected,
            ),
        }
    ),
)

INTAKE = Topic(
    name="hcp.intake.v1",
    log="intake",
    authority="brokering",
    key_field="pool",
    writers=_by(
        {
            PRODUCER: (intake.WorkloadSubmitted, intake.WorkloadCancelled),
            "routing": (intake.SiteSummarized,),
            "brokering": (
                intake.WorkloadQueued,
                intake.WorkloadForwarded,
                intake.WorkloadReleased,
                intake.WorkloadRejected,
                intake.InputRejected,
            ),
        }
    ),
)

DECISIONS = Topic(
    name="hcp.decisions.v1",
    log="decisions",
    key_field="site_id",
    writers=_by(
        {
            "routing": (decisions.DecisionExplained,),
            "optimization": (decisions.DecisionExplained,),
        }
    ),
)

LOGS = (SITES, ACCOUNTS, INTAKE, DECISIONS)


def _dead_letters_of(topic: Topic) -> Topic:
    return Topic(
        name=f"{topic.name}.dlq",
        log="dlq",
        key_field="source_topic",
        writers={dlq_events.RecordDeadLettered: frozenset()},
        retention_ms=DEAD_LETTERS_KEPT_MS,
        settings={
            # Only closed segments are deleted.
            "retention.bytes": str(DEAD_LETTERS_KEPT_BYTES),
            "segment.bytes": str(64 * 1024 * 1024),
            "segment.ms": str(86_400_000),
        },
    )


def _unanswered_of(topic: Topic) -> Topic:
    """Inputs of a log that an agent could not answer, and so did not apply: recorded truth, without
    which no state can be rebuilt. Kept for ever, as the log is; few."""
    return Topic(
        name=f"{topic.name}.unanswered",
        log="dlq",
        key_field="source_topic",
        writers={dlq_events.RecordDeadLettered: frozenset()},
    )


def _snapshots_of(agent: str) -> Topic:
    return Topic(
        name=f"hcp.{agent}.snapshots.v1",
        log="snapshots",
        key_field="agent",
        writers={snapshots.SnapshotWritten: frozenset({agent})},
        cleanup="compact",
        settings={
            # Small, soon-closed segments: only closed ones are compacted, and start-up reads all.
            "segment.bytes": str(16 * 1024 * 1024),
            "segment.ms": "600000",
            "min.cleanable.dirty.ratio": "0.1",
            "delete.retention.ms": "60000",
        },
    )


DEAD_LETTERS = tuple(_dead_letters_of(log) for log in LOGS)
UNANSWERED = tuple(_unanswered_of(log) for log in LOGS)
SNAPSHOTS = tuple(_snapshots_of(agent) for agent in AGENTS)
ALL = (*LOGS, *DEAD_LETTERS, *UNANSWERED, *SNAPSHOTS)

_BY_NAME = {topic.name: topic for topic in ALL}
_BY_EVENT: dict[type[Event], Topic] = {
    event_type: topic for topic in reversed(ALL) for event_type in topic.events
}
EVENT_TYPES: Mapping[str, type[Event]] = {
    event_type.FULL_NAME: event_type for topic in ALL for event_type in topic.events
}


def by_name(name: str) -> Topic:
    """Raises KeyError."""
    return _BY_NAME[name]


def dlq(topic: Topic) -> Topic:
    return _BY_NAME[f"{topic.name}.dlq"]


def unanswered(topic: Topic) -> Topic:
    return _BY_NAME[f"{topic.name}.unanswered"]


def snapshots_topic(agent: str) -> Topic:
    return _BY_NAME[f"hcp.{agent}.snapshots.v1"]


def group_of(service: str, prefix: str) -> str:
    """The consumer group in which an agent, or another service, keeps its place."""
    return f"{prefix}hcp.{service}-v1"


def topic_of(event_type: type[Event]) -> Topic:
    """Where an event lives. A dead letter or snapshot has many homes; the first stands for all."""
    return _BY_EVENT[event_type]


def key_of(topic: Topic, event: Event) -> bytes:
    return cast(str, getattr(event, topic.key_field)).encode()


def home_partition(key: bytes, partitions: int) -> int:
    """Where librdkafka's default partitioner (`consistent_random`) puts a non-empty key."""
    return zlib.crc32(key) % partitions


class Topics:
    """Physical names: several environments, or tests, on one cluster."""

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix

    def name_of(self, topic: Topic) -> str:
        return self.prefix + topic.name

    def topic_named(self, physical: str) -> Topic:
        """Raises KeyError when it is not one of this environment's topics."""
        if not physical.startswith(self.prefix):
            raise KeyError(physical)
        return _BY_NAME[physical.removeprefix(self.prefix)]

    def subject_of(self, topic: Topic, event_type: type[Event]) -> str:
        """Registry subject, by Confluent's TopicRecordNameStrategy."""
        return f"{self.prefix}{topic.name}-{event_type.FULL_NAME}"
