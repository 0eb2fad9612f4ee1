"""One partition's processor on a log: publish, and every so often the three steps of a checkpoint.

1. flush              if we die before: the answers are made again, identical
2. write the snapshot if we die before: we resume from the older one, answers repeat, identical
3. the caller acks    if we die before: records at or below the snapshot are skipped
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from schemas.codec import Codec
from schemas.record import Record
from streams import snapshots
from streams.log import Log
from streams.recovery import Restored, answer_topics

S = TypeVar("S")


class Worker(Generic[S]):
    """Applies records in order and makes what follows from them durable."""

    def __init__(self, restored: Restored[S], log: Log, codec: Codec) -> None:
        self.processor = restored.processor
        self.saved_position = self.processor.position
        self._restored = restored
        self._log = log
        self._codec = codec
        self._slot = restored.free_slot
        self._answer_topics = frozenset(topic.name for topic in answer_topics(self.agent))

    @property
    def agent(self) -> Any:  # noqa: ANN401 - an Agent of any state
        return self.processor.agent

    def receive(self, record: Record, before: int | None = None) -> int:
        """How many records were published. Raises RegistryUnavailable: give the same record again.

        Records between the last one and this one are read from the log first: whoever acked beyond
        our snapshot must not make us lose them.

        before: the offset of the record right before this one, where the consumer knows it; what
            lies between the two is read by nobody
        """
        is_next = before is not None and before <= self.processor.position
        missed = 0 if is_next else self.catch_up(record.offset - 1)
        return missed + self._apply(record)

    def catch_up(self, last: int) -> int:
        """As `receive`, with what the log holds up to this offset."""
        start = self.processor.position + 1
        if last < start:
            return 0
        missed = self._log.read(self.agent.log, self.processor.partition, start, last + 1)
        return sum(self._apply(record) for record in missed)

    def pass_over(self, end: int) -> None:
        """Move behind offsets before `end` that nobody reads, when nothing else comes.

        What an aborted transaction wrote, and markers, are told by no consumer; where they are the
        last of a partition, the log itself says that there is nothing to wait for. A record that
        does lie there comes by `receive`.
        """
        processor = self.processor
        start = processor.position + 1
        if start >= end:
            return
        following = next(self._log.read(self.agent.log, processor.partition, start, end), None)
        processor.position = (end if following is None else following.offset) - 1

    def checkpoint(self) -> None:
        """Steps 1 and 2. Afterwards everything up to `saved_position` may be acked."""
        if self.processor.position == self.saved_position:
            return
        self._log.flush()
        self._write_snapshot()
        self.saved_position = self.processor.position

    def _apply(self, record: Record) -> int:
        outputs = self.processor.handle(record)
        for output in outputs:
            self._log.publish(output)
        return len(outputs)

    def _write_snapshot(self) -> None:
        snapshots.write(self._log, self._codec, self.processor, self._positions(), self._slot)
        self._slot = 1 - self._slot

    def _positions(self) -> snapshots.Positions:
        """Where a later start must look for our answers from.

        As long as the log holds answers to inputs that we have yet to reach (a worker before us
        died ahead of its snapshot), those lie before our own, and the old positions stand.
        """
        restored = self._restored
        if self.processor.position < restored.answered:
            return restored.positions
        positions = dict(restored.scanned)
        for (topic, partition), offset in self._log.delivered().items():
            if topic in self._answer_topics:
                name = f"{topic}:{partition}"
                positions[name] = max(positions.get(name, 0), offset + 1)
        return positions
