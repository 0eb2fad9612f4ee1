"""How far a runner is behind its logs, as of when it is asked: it grows while a runner is stuck."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial

from projections import metrics
from projections.log_reader import LogReader, Partition, Stretch
from projections.projector import Slice
from schemas.topics import Topic


class Lag:
    """Told by the runner's thread, asked by the one that serves metrics.

    A log's lag in seconds counts from its newest applied record, or from when nothing of it waited
    if that is later: the first record after a quiet hour is not an hour late.
    """

    def __init__(self, reader: LogReader, partitions: Mapping[Topic, int]) -> None:
        self._reader = reader
        self._partitions = partitions
        self._began = time.time()
        self._since: dict[Partition, float] = {}

    def show(self) -> None:
        for topic, count in self._partitions.items():
            metrics.LAG_SECONDS.labels(topic.name).set_function(partial(self.seconds, topic))
            for number in range(count):
                gauge = metrics.LAG_RECORDS.labels(topic.name, str(number))
                gauge.set_function(partial(self.records, (topic, number)))

    def hide(self) -> None:
        """A closed reader cannot be asked."""
        metrics.LAG_SECONDS.clear()
        metrics.LAG_RECORDS.clear()

    def note(self, slices: Sequence[Slice], found: Mapping[Partition, Stretch]) -> None:
        """That these slices are applied."""
        for part in slices:
            place = part.topic, part.partition
            messages = [m for m in found[place].messages if (m.offset() or 0) < part.end]
            metrics.RECORDS.labels(part.topic.name).inc(len(messages))
            if messages:
                self._since[place] = int(messages[-1].timestamp()[1]) / 1000
        self.look()

    def look(self) -> None:
        now = time.time()
        self._since |= {place: now for place, left in self._left().items() if left == 0}

    def records(self, place: Partition) -> int:
        return self._left().get(place, 0)

    def seconds(self, topic: Topic) -> float:
        """Before the first look at a log, since when this runner tries to reach it."""
        left, now = self._left(), time.time()
        places = [(topic, number) for number in range(self._partitions[topic])]
        waiting = [place for place in places if left.get(place, 1) > 0]
        ages = [now - self._since.get(place, self._began) for place in waiting]
        return max(0.0, *ages) if ages else 0.0  # a record's time may be any number

    def _left(self) -> dict[Partition, int]:
        """Records that wait, of the partitions whose end is known."""
        ends = self._reader.ends(cached=True)
        return {place: max(0, end - self._reader.position(place)) for place, end in ends.items()}
