"""What the loop needs of a log. `streams.memory` and `streams.kafka` provide it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from schemas.codec import OutRecord
from schemas.record import Record
from schemas.topics import Topic

Delivered = Callable[[int], None]


class Log(Protocol):
    """Partitions of records: written in order, read in order, by offset.

    After a `publish` or a `flush` that raised, both raise: a later flush would tell of records that
    were lost that they are durable.
    """

    def publish(self, record: OutRecord, on_delivered: Delivered | None = None) -> None:
        """Queue a record behind all others of its partition. Raises PublishingFailed.

        on_delivered: called with the offset that the record was given, before `flush` returns
        """
        ...

    def flush(self) -> None:
        """Return when everything published before the call is durable, whatever another thread
        publishes meanwhile. Raises PublishingFailed.
        """
        ...

    def delivered(self) -> dict[tuple[str, int], int]:
        """The last offset that a record published here was given, by topic and partition."""
        ...

    def read(
        self, topic: Topic, partition: int, start: int, end: int | None = None
    ) -> Iterator[Record]:
        """Records with start <= offset < end; up to the present end when None."""
        ...

    def bounds(self, topic: Topic, partition: int) -> tuple[int, int]:
        """The first offset there is, and the offset after the last one that may be read.

        That is the end of the partition, or where its oldest open transaction began. Some offsets
        below it are read by nobody: what was aborted, and the markers that end a transaction.
        """
        ...

    def partitions(self, topic: Topic) -> int:
        """Raises NotProvisioned."""
        ...
