"""The log in memory, under the same contract as Kafka, with faults at will.

For tests, replay and simulation: no clock, no threads, no randomness of its own. What is
published waits in the client's buffer until `flush`, as with Kafka's producer; a client that
crashes loses the end of that buffer, partition by partition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import cast

from schemas.codec import OutRecord
from schemas.record import Record
from schemas.topics import Topic, by_name, home_partition
from streams.errors import NotProvisioned, PublishingFailed
from streams.failstop import FailStop
from streams.log import Delivered

Place = tuple[str, int]
Headers = tuple[tuple[str, bytes | None], ...]


class Crashed(Exception):
    """The simulated death of one worker's process."""


class MemoryBroker:
    """The records of every topic. All topics have the same number of partitions.

    logs: everything that was written, by offset: also what nobody reads
    """

    def __init__(self, partitions: int = 1) -> None:
        self.partitions = partitions
        self.logs: dict[Place, list[Record]] = {}
        self._hidden: dict[Place, set[int]] = {}  # aborted records, and markers
        self._open: dict[Place, list[int]] = {}  # where each open transaction began

    def begin(self) -> MemoryTransaction:
        return MemoryTransaction(self)

    def append(self, record: OutRecord, timestamp_ms: int = 0) -> tuple[int, int]:
        """Partition and offset."""
        partition = record.partition
        if partition is None:
            partition = home_partition(record.key, self.partitions)
        if not 0 <= partition < self.partitions:
            raise NotProvisioned(f"{record.topic.name} has no partition {partition}")
        log = self.records(record.topic, partition)
        headers = cast(Headers, tuple(record.headers))
        log.append(
            Record(
                record.topic.name,
                partition,
                len(log),
                timestamp_ms,
                record.key,
                record.value,
                headers,
            )
        )
        return partition, len(log) - 1

    def records(self, topic: Topic, partition: int = 0) -> list[Record]:
        by_name(topic.name)  # only topics of the registry: KeyError for any other
        return self.logs.setdefault((topic.name, partition), [])

    def end(self, topic: Topic, partition: int) -> int:
        """The offset after the last one that may be read."""
        return min(
            self._open.get((topic.name, partition), ()), default=len(self.records(topic, partition))
        )

    def read(self, topic: Topic, partition: int, start: int, end: int) -> list[Record]:
        """What was committed, with start <= offset < end."""
        hidden = self._hidden.get((topic.name, partition), ())
        log = self.records(topic, partition)[max(0, start) : end]
        return [record for record in log if record.offset not in hidden]

    def opened(self, place: Place, offset: int) -> None:
        self._open.setdefault(place, []).append(offset)

    def ended(self, place: Place, offsets: list[int], *, committed: bool) -> None:
        """A transaction, with these records of a partition: a marker follows."""
        log, hidden = self.logs[place], self._hidden.setdefault(place, set())
        if not committed:
            hidden.update(offsets)
        hidden.add(len(log))
        log.append(Record(*place, len(log), 0, None, None, ()))
        self._open[place].remove(offsets[0])


class MemoryTransaction:
    """One producer's: nothing of it is read before `commit`, and nothing ever after `abort`."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker
        self._written: dict[Place, list[int]] = {}

    def append(self, record: OutRecord) -> None:
        partition, offset = self._broker.append(record)
        place = record.topic.name, partition
        if place not in self._written:
            self._broker.opened(place, offset)
        self._written.setdefault(place, []).append(offset)

    def commit(self) -> None:
        self._end(committed=True)

    def abort(self) -> None:
        self._end(committed=False)

    def _end(self, *, committed: bool) -> None:
        for place, offsets in self._written.items():
            self._broker.ended(place, offsets, committed=committed)
        self._written.clear()


class MemoryLog:
    """One process's view of a broker.

    crash_after: the number of publishes and flushes after which the process dies
    surviving: of n buffered records of a partition, how many reach the broker all the same
    """

    def __init__(
        self,
        broker: MemoryBroker,
        *,
        crash_after: int | None = None,
        surviving: Callable[[int], int] = lambda _: 0,
    ) -> None:
        self._broker = broker
        self._buffer: list[tuple[OutRecord, Delivered | None]] = []
        self._delivered: dict[Place, int] = {}
        self._crash_after = crash_after
        self._surviving = surviving
        self._work = FailStop(PublishingFailed)

    def publish(self, record: OutRecord, on_delivered: Delivered | None = None) -> None:
        with self._work:
            self._live()
            self._buffer.append((record, on_delivered))

    def flush(self) -> None:
        with self._work:
            self._live()
            for record, on_delivered in self._buffer:
                offset = self._deliver(record)
                if on_delivered is not None:
                    on_delivered(offset)
            self._buffer.clear()

    def delivered(self) -> dict[Place, int]:
        return dict(self._delivered)

    def read(
        self, topic: Topic, partition: int, start: int, end: int | None = None
    ) -> Iterator[Record]:
        last = self._broker.end(topic, partition)
        end = last if end is None else min(end, last)
        yield from self._broker.read(topic, partition, start, end)

    def bounds(self, topic: Topic, partition: int) -> tuple[int, int]:
        return 0, self._broker.end(topic, partition)

    def partitions(self, topic: Topic) -> int:
        by_name(topic.name)
        return self._broker.partitions

    def crash(self) -> None:
        """Die: of each partition's buffered records a beginning survives, the rest is lost."""
        waiting: dict[Place, list[OutRecord]] = {}
        for record, _ in self._buffer:
            waiting.setdefault((record.topic.name, self._partition_of(record)), []).append(record)
        self._buffer.clear()
        for records in waiting.values():
            for record in records[: self._surviving(len(records))]:
                self._deliver(record)
        raise Crashed

    def _live(self) -> None:
        if self._crash_after is None:
            return
        self._crash_after -= 1
        if self._crash_after < 0:
            self.crash()

    def _deliver(self, record: OutRecord) -> int:
        partition, offset = self._broker.append(record)
        self._delivered[record.topic.name, partition] = offset
        return offset

    def _partition_of(self, record: OutRecord) -> int:
        if record.partition is not None:
            return record.partition
        return home_partition(record.key, self._broker.partitions)
