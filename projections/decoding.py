"""Messages into a batch of records, and dead letters for those that are none."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from projections import metrics
from projections.admission import Admission
from projections.log_reader import Partition, Stretch
from projections.projector import Slice
from projections.record import LogRecord
from schemas.codec import Codec, OutRecord
from schemas.deadletters import dead_letter, explanation, writer_of_letter
from schemas.errors import CodecError, Refused
from schemas.record import Record, record_of
from schemas.topics import DEAD_LETTERS, PROJECTIONS, Topic

READER = PROJECTIONS

_LOG = logging.getLogger(__name__)


@dataclass
class Batch:
    """slices: what to apply; found: what they were made from; letters: what was put aside.

    refused: how many were put aside, by partition
    cut: partitions of which more was found than is part of the batch
    refused_in_a_row: by partition, records put aside since the last that was understood
    """

    slices: list[Slice] = field(default_factory=list)
    found: dict[tuple[str, int, int], Record] = field(default_factory=dict)
    letters: list[OutRecord] = field(default_factory=list)
    refused: dict[Partition, int] = field(default_factory=dict)
    refused_in_a_row: dict[Partition, int] = field(default_factory=dict)
    cut: set[Partition] = field(default_factory=set)


class Decoder:
    """limit: so many dead letters of a partition end its part of a batch."""

    def __init__(self, admission: Admission, codec: Codec, limit: int) -> None:
        self._admission = admission
        self._codec = codec
        self._limit = limit

    def decode(
        self,
        found: Mapping[Partition, Stretch],
        starts: Mapping[Partition, int],
        refused_in_a_row: Mapping[Partition, int],
    ) -> Batch:
        """Raises RegistryUnavailable; then the whole batch is to be retried."""
        batch = Batch(refused_in_a_row=dict(refused_in_a_row))
        for place, stretch in found.items():
            self._decode_part(place, stretch, starts[place], batch)
        return batch

    def _decode_part(self, place: Partition, stretch: Stretch, start: int, batch: Batch) -> None:
        topic, partition = place
        records: list[LogRecord] = []
        end, refused, in_a_row = stretch.end, 0, batch.refused_in_a_row.get(place, 0)
        for message in stretch.messages:
            read = record_of(topic, message)
            try:
                record = self._admission.admit(topic, read)
            except (CodecError, Refused) as error:
                batch.letters += self._letters(topic, read, error)
                refused, in_a_row = refused + 1, in_a_row + 1
                if refused >= self._limit:
                    end = read.offset + 1
                    batch.cut.add(place)
                    break
                continue
            if record is not None:
                in_a_row = 0
                batch.found[topic.name, partition, record.offset] = read
                records.append(record)
        batch.slices.append(Slice(topic, partition, start, end, records))
        batch.refused_in_a_row[place] = in_a_row
        if refused:
            batch.refused[place] = refused

    def _letters(
        self, topic: Topic, record: Record, error: CodecError | Refused
    ) -> list[OutRecord]:
        """Of what is no event of the log: none where another reader writes it, or where it would
        be about what only looks like a dead letter."""
        metrics.REFUSED.labels(topic.name, error.reason).inc()
        if topic in DEAD_LETTERS or writer_of_letter(topic, record) != READER:
            return []
        return [self.letter(topic, record, error)]

    def letter(
        self, topic: Topic, record: Record, error: CodecError | Refused, *, part: str = ""
    ) -> OutRecord:
        """part: the read model, when it is the only one that cannot apply the record."""
        where = (topic.name, record.partition, record.offset)
        _LOG.error("dead letter: %s:%d:%d: %s", *where, explanation(error))
        return dead_letter(
            topic,
            record,
            error,
            reader=READER,
            source=f"/hcp/{READER}",
            codec=self._codec,
            part=part,
        )
