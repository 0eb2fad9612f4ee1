"""Batches that Kafka's client under Faust cannot take apart: the name of a header is no UTF-8.

Anybody may send one, and the client would raise each time it comes by it. Its last record is given
instead with `UNREAD` for its only header: the worker then reads up to there from the log itself,
with the other client, which can.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.structs import ConsumerRecord

UNREAD = ("hcp-unread", b"")


def install() -> None:
    """For every consumer of this process. The client has no other way in."""
    setattr(fetcher, "PartitionRecords", ReadableRecords)  # noqa: B010 - a type, to mypy


def is_unread(headers: Sequence[tuple[str, bytes | None]]) -> bool:
    return tuple(headers) == (UNREAD,)


class _Watched:
    """The batches of a fetch; the last one taken stays in sight."""

    def __init__(self, batches: Any) -> None:  # noqa: ANN401 - the client's, compiled or not
        self._batches = batches
        self.last: Any = None

    def has_next(self) -> bool:
        return bool(self._batches.has_next())

    def next_batch(self) -> Any:  # noqa: ANN401
        self.last = self._batches.next_batch()
        return self.last


class ReadableRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    def __init__(self, tp: Any, records: Any, *given: Any, **named: Any) -> None:  # noqa: ANN401
        self._place = tp
        self._batches = _Watched(records)
        super().__init__(tp, self._batches, *given, **named)

    def _unpack_records(self) -> Iterator[ConsumerRecord[bytes, bytes]]:
        while True:
            try:
                yield from super()._unpack_records()
            except UnicodeDecodeError:
                batch = self._batches.last
                self.next_fetch_offset = batch.next_offset
                yield self._stand_in(batch.next_offset - 1)
            else:
                return

    def _stand_in(self, offset: int) -> ConsumerRecord[bytes, bytes]:
        return ConsumerRecord(
            topic=self._place.topic,
            partition=self._place.partition,
            offset=offset,
            timestamp=0,
            timestamp_type=0,
            key=None,
            value=None,
            checksum=None,
            serialized_key_size=-1,
            serialized_value_size=-1,
            headers=(UNREAD,),
        )
