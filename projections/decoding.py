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
from schemas.deadletters import dead_letter, explanation
from schemas.errors import CodecError, Refused
from schemas.record import Record, record_of
from schemas.topics import Topic

READER = "projections"

_LOG = logging.getLogger(__name__)


@dataclass
class Batch:
    """slices: what to apply; found: what they were made from; letters: what was put aside.

    refused_in_a_row: records put aside since the last that was understood
    is_cut: the limit of those was reached, and what was found after it is not part of the batch
    """

    slices: list[Slice] = field(default_factory=list)
    found: dict[tuple[str, int, int], Record] = field(default_factory=dict)
    letters: list[OutRecord] = field(default_factory=list)
    refused_in_a_row: int = 0
    is_cut: bool = False


class Decoder:
    """limit: so many dead letters in a row end a batch, for it may be the deploy that is wrong."""

    def __init__(self, admission: Admission, codec: Codec, limit: int) -> None:
        self._admission = admission
        self._codec = codec
        self._limit = limit

    def decode(
        self,
        found: Mapping[Partition, Stretch],
        starts: Mapping[Partition, int],
        refused_in_a_row: int,
    ) -> Batch:
        """Raises RegistryUnavailable; then the whole batch is to be retried."""
        batch = Batch(refused_in_a_row=refused_in_a_row)
        for (topic, partition), stretch in found.items():
            records: list[LogRecord] = []
            end = stretch.end
            for message in stretch.messages:
                read = record_of(topic, message)
                try:
                    record = self._admission.admit(topic, read)
                except (CodecError, Refused) as error:
                    batch.letters.append(self.letter(topic, read, error))
                    batch.refused_in_a_row += 1
                    if batch.refused_in_a_row >= self._limit:
                        batch.is_cut, end = True, read.offset + 1
                        break
                    continue
                if record is not None:
                    batch.refused_in_a_row = 0
                    batch.found[topic.name, partition, record.offset] = read
                    records.append(record)
            batch.slices.append(Slice(topic, partition, starts[topic, partition], end, records))
            if batch.is_cut:
                break
        return batch

    def letter(
        self, topic: Topic, record: Record, error: CodecError | Refused, *, part: str = ""
    ) -> OutRecord:
        """part: the read model, when it is the only one that cannot apply the record."""
        where = (topic.name, record.partition, record.offset)
        _LOG.error("dead letter: %s:%d:%d: %s", *where, explanation(error))
        metrics.DEAD_LETTERS.labels(topic.name, error.reason).inc()
        return dead_letter(
            topic,
            record,
            error,
            reader=READER,
            source=f"/hcp/{READER}",
            codec=self._codec,
            part=part,
        )
