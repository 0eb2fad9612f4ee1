"""Whatever is on the logs, the read models get past it."""

from __future__ import annotations

from schemas.codec import OutRecord
from schemas.topics import LOGS, home_partition
from tests.projections.conftest import PARTITIONS, Stack
from tests.streams.hostile import Hostile

RECORDS = 800  # of each log


def test_no_record_stops_the_read_models(stack: Stack) -> None:
    home = home_partition(b"alpha", PARTITIONS)
    hostile = Hostile(7, [b"x" * 50], stack.codec)
    sent = 0
    for log in LOGS:
        for offset in range(RECORDS):
            record = hostile.record(log, offset)
            headers = [(name, value) for name, value in record.headers if name != "\ud800"]
            stack.produce(OutRecord(log, record.key, record.value, headers, home))  # type: ignore[arg-type]
            sent += 1
    stack.flush()
    stack.project()
    assert stack.is_caught_up()
    letters = [letter for log in LOGS for letter in stack.dead_letters(log)]
    assert sent // 4 < len(letters) < sent
    assert all(letter.reason and letter.detail for letter in letters)
