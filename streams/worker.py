"""One partition's processor on a log: publish, and every so often the steps of a checkpoint.

0. capture            the state at one position; from here on it may move on
1. flush              if we die before: the answers are made again, identical
2. write the snapshot if we die before: we resume from the older one, answers repeat, identical
3. the caller acks    if we die before: records at or below the snapshot are skipped

The state moves before its answers are published, so whatever fails on the way ends the worker: it
takes no record and makes no checkpoint any more.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import islice
from typing import Any, Generic, TypeVar

from schemas.codec import Codec
from schemas.errors import RegistryUnavailable
from schemas.record import Record
from streams import snapshots
from streams.answers import kept_topics
from streams.encoding import Encodings
from streams.errors import ReadingStopped, WorkerFailed
from streams.failstop import FailStop
from streams.log import Log
from streams.recovery import Recovery

S = TypeVar("S")

_SLICE = 1_000  # records
# After these every record is applied whole or not at all.
_HARMLESS = (RegistryUnavailable, ReadingStopped)


class Worker(Generic[S]):
    """Applies records in order and makes what follows from them durable.

    log_end: the offset that the log had yet to give when the worker began
    """

    def __init__(self, recovery: Recovery[S], log: Log, codec: Codec) -> None:
        self.processor = recovery.processor
        self.saved_position = self.processor.position
        self.log_end = recovery.end
        self._recovery = recovery
        self._log = log
        self._codec = codec
        self._slot = recovery.free_slot
        self._steps: Iterator[None] | None = None
        self._encodings = Encodings(self.agent)
        self._writing = threading.Lock()  # the last words of `receive` may meet a `write`
        self._work = FailStop(WorkerFailed, harmless=_HARMLESS)
        self._answer_topics = frozenset(topic.name for topic in kept_topics(self.agent))

    @property
    def agent(self) -> Any:  # noqa: ANN401 - an Agent of any state
        return self.processor.agent

    @property
    def is_ahead(self) -> bool:
        """Of what is saved."""
        return self.processor.position > self.saved_position

    def receive(self, record: Record, before: int | None = None) -> int:
        """How many records were published. Raises RegistryUnavailable: give the same record again.

        What it is behind is caught up with first. After any other error the worker is of no use.

        before: the offset of the record right before this one, where the consumer knows it
        """
        with self._work:
            while self._catch_up(last_before(record, before), _SLICE):
                pass
            return self._apply(record)

    def is_behind(self, last: int = -1) -> bool:
        """Whether anything up to this offset, or of what was recorded, is still to be applied."""
        return not self._recovery.is_over or self.processor.position < last

    @property
    def unsearched(self) -> int:
        """Offsets where there may still be answers of an earlier life, see `streams.recovery`."""
        return self._recovery.unsearched

    def catch_up(self, last: int, most: int) -> bool:
        """Read about `most` records towards this offset; True when there are more.

        Those between the last one and a record that is given are read from the log: whoever acked
        beyond our snapshot must not make us lose them. May raise what `receive` does.
        """
        with self._work:
            return self._catch_up(last, most)

    def _catch_up(self, last: int, most: int) -> bool:
        processor, recovery = self.processor, self._recovery
        if not recovery.is_over:
            steps = self._steps or recovery.steps()
            self._steps = None  # one that raised ends there; another goes on behind what it did
            for _ in islice(steps, most):
                pass
            if not recovery.is_over:
                self._steps = steps
            return self.is_behind(last)
        start = processor.position + 1
        end = min(last + 1, start + most)
        if start < end:
            for missed in self._log.read(self.agent.log, processor.partition, start, end):
                self._apply(missed)
            processor.position = max(processor.position, end - 1)
        return self.is_behind(last)

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
        with self._work:
            following = next(self._log.read(self.agent.log, processor.partition, start, end), None)
            processor.position = (end if following is None else following.offset) - 1

    def checkpoint(self) -> None:
        """Steps 0 to 2. Afterwards everything up to `saved_position` may be acked."""
        taken = self.capture()
        if taken is not None:
            self.write(taken)

    def prepare(self) -> bool:
        """Encode a slice of what a capture would have to; True when there is more than that."""
        with self._work:
            return self._encodings.freshen(self.processor)

    def capture(self) -> snapshots.Capture | None:
        """Step 0; None when everything is saved. Nothing may move meanwhile.

        Raises WorkerFailed after any failure: nothing of what is in memory may be kept.
        """
        with self._work:
            return self._capture()

    def write(self, taken: snapshots.Capture) -> None:
        """Steps 1 and 2, in any thread, one capture after the other; `receive` may go on."""
        with self._work:
            self._write(taken)

    def come_to_rest(self) -> None:
        """Returns when what was published is durable and no snapshot of this worker is under way:
        another one may begin after it."""
        with self._writing:
            self._log.flush()

    def _capture(self) -> snapshots.Capture | None:
        if not self.is_ahead:
            return None
        settled = self._recovery.settled
        return snapshots.capture(self.processor, self._encodings, self._positions(), settled)

    def _write(self, taken: snapshots.Capture) -> None:
        with self._writing:
            self._work.check()  # it may have failed, and another worker begun, meanwhile
            self._log.flush()
            snapshots.write(self._log, self._codec, self.agent, taken, self._slot)
            self._slot = 1 - self._slot
            self.saved_position = taken.offset

    def _apply(self, record: Record) -> int:
        outputs = self.processor.handle(record)
        for output in outputs:
            self._log.publish(output)
        return len(outputs)

    def _positions(self) -> snapshots.Positions:
        """Where a later start must look for our answers from.

        As long as the log holds answers to inputs that we have yet to reach (a worker before us
        died ahead of its snapshot), those lie before our own.
        What was published and not yet delivered lies behind these positions: later, never before.
        """
        if not self._recovery.is_over:
            return self._recovery.positions
        positions = dict(self._recovery.searched)
        for (topic, partition), offset in self._log.delivered().items():
            if topic in self._answer_topics:
                name = f"{topic}:{partition}"
                positions[name] = max(positions.get(name, 0), offset + 1)
        return positions


def last_before(record: Record, before: int | None) -> int:
    """Up to where all must be applied before the record; between there and it is nothing to read.

    before: the offset of the record right before it, None where that is not known
    """
    return record.offset - 1 if before is None else before
