"""Events of hcp.snapshots.v1. Generated from `schemas/avro/snapshots`: do not edit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

Record = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotWritten:
    """One chunk of an agent's state after a log offset. The chunk with index count-1 is written
    last and points at the others.

    agent: Whose state
    at: Event time of the last record applied
    log: The log
    partition: Its partition
    offset: Last offset applied
    state_version: Shape of the state, for upcasters
    index: From 0
    count: Chunks of this snapshot
    chunk_offsets: Offsets of the chunks before this one; whole only in the last
    digest: SHA-256 of the whole state, hexadecimal
    body: This chunk
    """

    FULL_NAME: ClassVar[str] = "hcp.snapshots.v1.SnapshotWritten"

    agent: str
    at: int
    log: str
    partition: int
    offset: int
    state_version: str
    index: int
    count: int
    chunk_offsets: tuple[int, ...]
    digest: str
    body: bytes

    def to_record(self) -> Record:
        return {
            "agent": self.agent,
            "at": self.at,
            "log": self.log,
            "partition": self.partition,
            "offset": self.offset,
            "state_version": self.state_version,
            "index": self.index,
            "count": self.count,
            "chunk_offsets": list(self.chunk_offsets),
            "digest": self.digest,
            "body": self.body,
        }

    @classmethod
    def from_record(cls, record: Record) -> SnapshotWritten:
        return cls(
            agent=record["agent"],
            at=record["at"],
            log=record["log"],
            partition=record["partition"],
            offset=record["offset"],
            state_version=record["state_version"],
            index=record["index"],
            count=record["count"],
            chunk_offsets=tuple(record["chunk_offsets"]),
            digest=record["digest"],
            body=record["body"],
        )


SnapshotsEvent = (
    SnapshotWritten
)

EVENTS: tuple[type[SnapshotsEvent], ...] = (
    SnapshotWritten,
)
