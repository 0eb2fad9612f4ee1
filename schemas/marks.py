"""How a reader tells repeats: the highest answer applied, for each agent and input partition.

An agent answers its inputs in order, so on one partition of a log its answers' causes only rise;
one at or below the mark was there before. One number per source: no set of ids, no window of time.
"""

from __future__ import annotations

from collections.abc import Iterable

from schemas.envelope import Cause

Mark = tuple[int, int]  # (input offset, index)
Marks = dict[str, Mark]  # of one partition that is read, by `source_of`


def source_of(cause: Cause) -> str:
    """Whose answers, to which partition: `<agent>/<log>:<partition>`."""
    return f"{cause.agent}/{cause.log}:{cause.partition}"


def is_repeat(marks: Marks, cause: Cause | None) -> bool:
    """cause: None is a producer's record, and never a repeat here."""
    return cause is not None and cause.position <= marks.get(source_of(cause), (-1, -1))


def raise_mark(marks: Marks, cause: Cause | None) -> None:
    """For a record that is applied and is no repeat."""
    if cause is not None:
        marks[source_of(cause)] = cause.position


def highest(several: Iterable[Marks]) -> Marks:
    found: Marks = {}
    for marks in several:
        for source, mark in marks.items():
            found[source] = max(mark, found.get(source, mark))
    return found
