"""One batch of records into PostgreSQL, once.

1. Lock the read models by their positions. A model takes part with the records at or above its
   position; one that is already past the batch, or still before it, does not. So two runners at
   once, or a runner beside a rebuild, apply each record once. Nor does one take part whose tables a
   rebuild is about to put in place: the others do not wait for it.
2. Drop repeats: an agent answers its inputs in order, so a record whose cause is at or below the
   highest applied of that agent is a repeat.
3. Ask the read models for operations, fold them over the stored rows, write the rows.
4. Move the positions and marks, wake who waits for them, commit.

If anything fails before the commit nothing has happened; if the answer to the commit is lost, the
next try finds the positions moved and applies nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from projections import database
from projections.database import Connection, Place
from projections.fold import fold, keys_to_load
from projections.operations import Operation
from projections.record import LogRecord, ReadModel
from schemas.marks import Marks, highest, is_repeat, raise_mark
from schemas.topics import Topic


@dataclass(frozen=True)
class Slice:
    """A stretch of one partition. records: those that some read model reads, in order.

    start: offset of its first record, end: of the first record after it
    """

    topic: Topic
    partition: int
    start: int
    end: int
    records: Sequence[LogRecord]


@dataclass
class Outcome:
    """behind: read models whose position is before the batch, and where they are."""

    behind: dict[Place, int] = field(default_factory=dict)
    applied: int = 0
    repeats: int = 0
    rows: int = 0


def apply(connection: Connection, models: Sequence[ReadModel], slices: Sequence[Slice]) -> Outcome:
    """Raises psycopg.Error, and then nothing has been applied (or, at the commit, all of it)."""
    outcome = Outcome()
    with connection.transaction():
        places = [
            Place(model.name, part.topic.name, part.partition)
            for part in slices
            for model in models
            if part.topic in model.topics
        ]
        ours = database.not_swapped(connection, sorted({p.read_model for p in places}))
        found = database.lock_positions(connection, ours)
        marks = database.load_marks(connection, places)
        moved: dict[Place, int] = {}
        operations: list[Operation] = []
        for part in slices:
            for position, group in _groups(part, models, found, outcome).items():
                operations += _operations(part, position, group, marks, outcome)
                moved |= {_place(model, part): part.end for model in group}
        if moved:
            outcome.rows = _write(connection, models, operations)
            database.save_marks(connection, {place: marks[place] for place in moved})
            database.advance(connection, moved)
    return outcome


def _groups(
    part: Slice, models: Sequence[ReadModel], found: dict[Place, int], outcome: Outcome
) -> dict[int, list[ReadModel]]:
    """The models that take part, by their position: those at the same one share their marks."""
    groups: dict[int, list[ReadModel]] = defaultdict(list)
    for model in models:
        place = _place(model, part)
        position = found.get(place)
        if position is None or position >= part.end:
            continue
        if position < part.start:
            outcome.behind[place] = position
        else:
            groups[position].append(model)
    return groups


def _operations(
    part: Slice,
    position: int,
    group: Sequence[ReadModel],
    marks: dict[Place, Marks],
    outcome: Outcome,
) -> list[Operation]:
    """Also raises the marks of the group's places."""
    shared = highest(marks[_place(model, part)] for model in group)
    readers: dict[type, list[ReadModel]] = defaultdict(list)
    for model in group:
        for event_type in model.reads:
            readers[event_type].append(model)
    operations: list[Operation] = []
    for record in part.records:
        if record.offset < position:
            continue
        if is_repeat(shared, record.envelope.cause):
            outcome.repeats += 1
            continue
        raise_mark(shared, record.envelope.cause)
        outcome.applied += 1
        for model in readers.get(type(record.event), ()):
            operations += model.operations(record)
    for model in group:
        marks[_place(model, part)] = shared
    return operations


def _write(
    connection: Connection, models: Sequence[ReadModel], operations: Sequence[Operation]
) -> int:
    loaded = database.load(connection, keys_to_load(operations))
    tables = [table for model in models for table in model.tables]
    return database.write(connection, tables, fold(operations, loaded))


def _place(model: ReadModel, part: Slice) -> Place:
    return Place(model.name, part.topic.name, part.partition)
