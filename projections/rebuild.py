"""One read model again, from the first record of its logs.

Its lock and its positions keep a running runner away from it until it has caught up; a rebuild that
dies is finished by the next runner. What a reader of the tables sees meanwhile is incomplete, and
its position says so.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from projections import database
from projections.errors import AlreadyRebuilding
from projections.log_reader import LogReader
from projections.record import ReadModel
from projections.runner import Runner
from projections.session import Session
from schemas.codec import Codec

Progress = Callable[[int, int], None]  # records read, records there are

_LOG = logging.getLogger(__name__)
_ALL = 2**31


def rebuild(
    model: ReadModel,
    *,
    reader: LogReader,
    dsn: str,
    codec: Codec,
    progress: Progress,
    stop: threading.Event,
) -> int:
    """The number of records read again. Raises ProjectionError, Stopped, psycopg.Error."""
    session = Session(dsn, stop)
    lock = database.connect(dsn)
    try:
        if not database.take_rebuild_lock(lock, model.name):
            raise AlreadyRebuilding(f"{model.name} is being rebuilt by another process")
        runner = Runner(
            models=[model],
            reader=reader,
            session=session,
            codec=codec,
            dead_letters=None,
            dead_letter_limit=_ALL,
            stop=stop,
        )
        session.run(lambda connection: database.reset(connection, model.name, model.tables))
        runner.start()
        return _catch_up(runner, reader, progress, stop)
    finally:
        session.close()
        lock.close()  # the lock goes with its connection


def _catch_up(runner: Runner, reader: LogReader, progress: Progress, stop: threading.Event) -> int:
    """To where the logs ended when last asked; a runner takes it from there."""
    read = 0
    ends = reader.ends(cached=False)
    while not stop.is_set():
        left = sum(max(0, end - reader.position(place)) for place, end in ends.items())
        progress(read, read + left)
        if left == 0:
            break
        read += runner.step()
    return read
