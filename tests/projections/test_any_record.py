"""Whatever is on the logs, the read models get past it."""

from __future__ import annotations

from schemas.codec import OutRecord
from schemas.topics import DECISIONS, LOGS, SITES, home_partition
from tests.projections.conftest import PARTITIONS, Stack
from tests.projections.test_dead_letters import refusals
from tests.streams.hostile import Hostile

RECORDS = 800  # of each log


def test_no_record_stops_the_read_models(stack: Stack) -> None:
    home = home_partition(b"alpha", PARTITIONS)
    hostile = Hostile(7, [b"x" * 50], stack.codec)
    for log in LOGS:
        for offset in range(RECORDS):
            record = hostile.record(log, offset)
            headers = [(name, value) for name, value in record.headers if name != "\ud800"]
            stack.produce(OutRecord(log, record.key, record.value, headers, home))  # type: ignore[arg-type]
    stack.flush()
    stack.project()  # which writes dead letters
    stack.project()  # and reads them
    assert stack.is_caught_up()
    assert refusals(SITES).total() > RECORDS // 4
    letters = stack.dead_letters(DECISIONS)  # of the other logs the agents write them
    assert RECORDS // 4 < len(letters) < RECORDS
    assert all(letter.reason and letter.detail for letter in letters)
