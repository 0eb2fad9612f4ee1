"""Logs into tables, batch by batch, until told to stop.

1. read a batch, from the positions that PostgreSQL holds
2. decode it; what cannot be decoded becomes a dead letter, durable before step 3
3. apply it in one transaction with the positions (`projector.py`)
4. roll up some of the hours that it touched (`rollups.py`); all of them while nothing comes

A partition with many records that cannot be decoded rests, by itself; the others go on.

A kill at any point repeats at most a dead letter, with the same id. While Kafka, the registry or
PostgreSQL is away the batch waits in memory and is tried again; nothing is dropped, and nothing
further is read meanwhile.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import psycopg

from projections import database, metrics, projector, rollups
from projections.admission import Admission
from projections.database import Place
from projections.dead_letters import DeadLetters
from projections.decoding import Batch, Decoder
from projections.lag import Lag
from projections.log_reader import LogReader, Partition, Stretch
from projections.projector import Slice
from projections.record import ReadModel
from projections.session import Session, Stopped, is_records_fault, patiently
from schemas.codec import Codec
from schemas.errors import Refused, RegistryUnavailable
from schemas.pace import Pace
from schemas.topics import DEAD_LETTERS

_LOG = logging.getLogger(__name__)
_POLL_S = 0.25
_LOOK_AROUND_S = 3.0
_FORGET_EVERY_S = 60.0
_SAY_EVERY_S = 5.0  # that a partition is flooded


class Runner:
    """Some read models, kept up with their logs.

    dead_letters: None writes none; a rebuild meets only records met before
    """

    def __init__(
        self,
        *,
        models: Sequence[ReadModel],
        reader: LogReader,
        session: Session,
        codec: Codec,
        dead_letters: DeadLetters | None,
        dead_letter_limit: int,
        stop: threading.Event,
    ) -> None:
        """Raises NotProvisioned, LogUnreadable."""
        self._models = models
        self._reader = reader
        self._session = session
        self._dead_letters = dead_letters
        self._stop = stop
        self._refused_in_a_row: dict[Partition, int] = {}
        self._paces: dict[Partition, Pace] = defaultdict(Pace)
        self._resting_until: dict[Partition, float] = {}
        self._said_at = self._forgot_at = -math.inf
        topics = sorted({topic for model in models for topic in model.topics}, key=lambda t: t.name)
        self._partitions = reader.partitions(topics)
        wanted = frozenset(event_type for model in models for event_type in model.reads)
        admission = Admission(codec, self._partitions, wanted)
        self._decoder = Decoder(admission, codec, dead_letter_limit)
        self._lag = Lag(reader, self._partitions)

    def run(self) -> None:
        """Until stopped. Raises ProjectionError."""
        self._lag.show()
        try:
            self.start()
            looked_around = time.monotonic()
            while not self._stop.is_set():
                read = self.step()
                while self._session.run(rollups.roll_up) and not read and not self._stop.is_set():
                    pass
                if time.monotonic() - looked_around > _LOOK_AROUND_S:
                    self._look_around()
                    looked_around = time.monotonic()
        except Stopped:
            _LOG.info("stopped while waiting; the batch in hand was not applied")
        finally:
            self._lag.hide()

    def start(self) -> None:
        """Go to where the furthest-back read model is, past what is kept no longer."""
        places = [
            Place(model.name, topic.name, partition)
            for model in self._models
            for topic in model.topics
            for partition in range(self._partitions[topic])
        ]
        self._session.run(lambda connection: database.ensure_positions(connection, places))
        every = [(topic, n) for topic, count in self._partitions.items() for n in range(count)]
        firsts = {(t.name, n): first for (t, n), first in self._reader.firsts(every).items()}
        if skipped := self._session.run(lambda c: database.skip_to(c, firsts)):
            _LOG.info("%d positions were moved past records that are kept no longer", skipped)
        self._reader.start(self.positions())

    def step(self) -> int:
        """One batch; the number of records read. Raises Stopped, ProjectionError."""
        self._go_on()
        found = self._reader.read(_POLL_S)
        if not found:
            self._lag.look()
            return 0
        began = time.monotonic()
        batch = patiently("registry", _is_registry_away, lambda: self._decode(found), self._stop)
        self._refused_in_a_row = batch.refused_in_a_row
        if batch.letters and self._dead_letters is not None:
            self._dead_letters.write(batch.letters)
        with metrics.BATCH_SECONDS.time():
            self._apply(batch, batch.slices, self._models)
        self._reader.applied({(part.topic, part.partition): part.end for part in batch.slices})
        self._lag.note(batch.slices, found)
        count = sum(len(stretch.messages) for stretch in found.values())
        each_s = (time.monotonic() - began) / max(1, count)
        all_refused = batch.refused if self._dead_letters is not None else {}  # or met before
        for place, refused in all_refused.items():
            rest_s = self._rest_s(place, refused, refused * each_s)
            if rest_s or place in batch.cut:
                self._reader.hold(place)
                self._resting_until[place] = time.monotonic() + rest_s
        return count

    def positions(self) -> dict[Partition, int]:
        """The lowest applied position of each partition."""
        return self._lowest(self._session.run(database.positions))

    def _rest_s(self, place: Partition, refused: int, took_s: float) -> float:
        """A bad producer holds up its own partition, and a bad deploy drains no log meanwhile."""
        in_a_row, now_s = self._refused_in_a_row[place], time.monotonic()
        rest_s = self._paces[place].put_aside(refused, in_a_row, now_s, took_s)
        if rest_s:
            metrics.PAUSES.inc()
        if rest_s and in_a_row and now_s - self._said_at > _SAY_EVERY_S:
            self._said_at = now_s
            topic, partition = place
            _LOG.error(
                "understood none of %d records in a row up to %s:%d:%d; their dead letters are in "
                "%s.dlq; this partition goes on slowly, the others as ever",
                *(in_a_row, topic.name, partition, self._reader.position(place) - 1, topic.name),
            )
        return rest_s

    def _go_on(self) -> None:
        """With the partitions that have rested."""
        now_s = time.monotonic()
        for place in [p for p, until in self._resting_until.items() if until <= now_s]:
            del self._resting_until[place]
            self._reader.let_go(place)

    def _decode(self, found: Mapping[Partition, Stretch]) -> Batch:
        starts = {partition: self._reader.position(partition) for partition in found}
        return self._decoder.decode(found, starts, self._refused_in_a_row)

    def _apply(self, batch: Batch, slices: Sequence[Slice], models: Sequence[ReadModel]) -> None:
        """Where a record's values fit no table: find it, put it aside for that read model alone."""
        try:
            outcome = self._session.run(lambda c: projector.apply(c, models, slices))
        except psycopg.Error as error:
            if not is_records_fault(error):
                raise
            if halves := _halves(slices):
                for half in halves:
                    self._apply(batch, half, models)
            elif len(models) > 1:
                for model in models:
                    self._apply(batch, slices, [model])
            else:
                self._skip(batch, slices, models, error)
        else:
            metrics.REPEATS.inc(outcome.repeats)
            metrics.ROWS.inc(outcome.rows)

    def _skip(
        self,
        batch: Batch,
        slices: Sequence[Slice],
        models: Sequence[ReadModel],
        error: psycopg.Error,
    ) -> None:
        """One read model goes on without one record; the dead letter says so."""
        refused = Refused("unprojectable", f"{models[0].name}: {str(error).splitlines()[0]}")
        for part in slices:
            metrics.REFUSED.labels(part.topic.name, refused.reason).inc(len(part.records))
        letters = [
            self._decoder.letter(
                part.topic,
                batch.found[part.topic.name, part.partition, record.offset],
                refused,
                part=models[0].name,
            )
            for part in slices
            if part.topic not in DEAD_LETTERS
            for record in part.records
        ]
        if self._dead_letters is not None:
            self._dead_letters.write(letters)
        empty = [replace(part, records=()) for part in slices]
        self._session.run(lambda connection: projector.apply(connection, models, empty))

    def _look_around(self) -> None:
        """Go back for read models that are behind, unless a rebuild is putting them in place."""
        if time.monotonic() - self._forgot_at > _FORGET_EVERY_S:
            self._forgot_at = time.monotonic()
            self._session.run(database.forget_dead_letters)
        positions = self._session.run(database.positions)
        names = {model.name for model in self._models}
        behind = {place for place in positions if place.read_model in names} & {
            place for place in positions if positions[place] < self._here(place)
        }
        metrics.BEHIND.set(len({place.read_model for place in behind}))
        suspects = sorted({place.read_model for place in behind})
        ours = self._session.run(lambda c: database.not_swapped(c, suspects))
        for place in behind:
            if place.read_model not in ours:
                positions[place] = self._here(place)
        lowest = self._lowest(positions)
        if any(offset < self._reader.position(partition) for partition, offset in lowest.items()):
            _LOG.info("going back for a read model that is behind")
            self._reader.start(lowest)

    def _here(self, place: Place) -> int:
        """Where this runner is in the place's partition."""
        topic = next((t for t in self._partitions if t.name == place.topic), None)
        if topic is None or place.partition >= self._partitions[topic]:
            return 0
        return self._reader.position((topic, place.partition))

    def _lowest(self, positions: Mapping[Place, int]) -> dict[Partition, int]:
        return {
            (topic, partition): min(
                positions[Place(model.name, topic.name, partition)]
                for model in self._models
                if topic in model.topics
            )
            for topic, count in self._partitions.items()
            for partition in range(count)
        }


def _halves(slices: Sequence[Slice]) -> list[list[Slice]]:
    """The batch in two, in order; empty when it is a single record."""
    if len(slices) > 1:
        middle = len(slices) // 2
        return [list(slices[:middle]), list(slices[middle:])]
    if not slices or len(slices[0].records) < 2:
        return []
    part = slices[0]
    middle = len(part.records) // 2
    border = part.records[middle].offset
    return [
        [replace(part, end=border, records=part.records[:middle])],
        [replace(part, start=border, records=part.records[middle:])],
    ]


def _is_registry_away(error: BaseException) -> bool:
    return isinstance(error, RegistryUnavailable)
