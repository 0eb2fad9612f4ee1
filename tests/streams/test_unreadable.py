"""Given a fetch with a batch that the client cannot take apart, nothing is skipped or stuck."""

from __future__ import annotations

from aiokafka.consumer.fetcher import READ_UNCOMMITTED
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition

from streams.unreadable import UNREAD, ReadableRecords, is_unread
from tests.streams.foreign_batches import RawName, batch

FOREIGN = [(RawName("naïve"), b"v")]


def fetched(data: bytes, offset: int) -> ReadableRecords:
    place = TopicPartition("log", 0)
    return ReadableRecords(
        place, MemoryRecords(data), None, offset, None, None, True, READ_UNCOMMITTED
    )


def test_the_last_record_of_the_batch_stands_in_for_it_and_the_others_follow() -> None:
    data = batch(5, [], []) + batch(7, [], FOREIGN, []) + batch(10, [("a", b"1")])
    found = fetched(data, 5)
    records = list(found)
    assert [record.offset for record in records] == [5, 6, 7, 9, 10]
    assert [is_unread(record.headers) for record in records] == [False] * 3 + [True, False]
    assert found.next_fetch_offset == 11


def test_the_client_does_not_come_back_to_the_same_batch() -> None:
    found = fetched(batch(0, FOREIGN), 0)
    (record,) = list(found)
    assert (record.offset, record.headers) == (0, (UNREAD,))
    assert found.next_fetch_offset == 1
