"""One read model again, from the first record of its logs, beside what is served meanwhile.

1. fill a second set of tables (`shadow.py`), while a runner keeps the first one up
2. take the read model from the runner, and read what came since
3. put the second set in place, and let the runner go on from there

A rebuild that dies leaves the read model as it was; the next one by the same code goes on where it
was, by other code it begins anew. The rest of the read models never wait.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from projections import database, shadow
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
    session = Session(dsn, stop, schema=shadow.SCHEMA)
    lock = database.connect(dsn)
    try:
        if not database.take_rebuild_lock(lock, model.name):
            raise AlreadyRebuilding(f"{model.name} is being rebuilt by another process")
        if session.run(lambda connection: shadow.prepare(connection, model)):
            _LOG.info("going on with a rebuild of %s that was stopped", model.name)
        runner = Runner(
            models=[model],
            reader=reader,
            session=session,
            codec=codec,
            dead_letters=None,
            dead_letter_limit=_ALL,
            stop=stop,
        )
        runner.start()
        filling = _Filling(model, reader, session, runner, progress, stop)
        filling.finish()
        return filling.read
    finally:
        session.close()
        lock.close()  # the lock goes with its connection


@dataclass
class _Filling:
    """The second set of tables on its way into the place of the first."""

    model: ReadModel
    reader: LogReader
    session: Session
    runner: Runner
    progress: Progress
    stop: threading.Event
    read: int = 0

    def finish(self) -> None:
        """Until it is in place, or told to stop.

        What came while the lock was waited for is read under it. Where the connection that held it
        was lost, a runner may have moved on: then once more.
        """
        while not self.stop.is_set():
            self._catch_up()
            self.session.run(lambda c: database.take_swap_lock(c, self.model.name))
            self._catch_up()
            if self.session.run(lambda c: shadow.put_in_place(c, self.model)):
                self.session.run(lambda c: shadow.clear(c, self.model))
                return

    def _catch_up(self) -> None:
        """To where the served tables are now."""
        served = self.session.run(lambda c: shadow.served_positions(c, self.model))
        ends = {
            (topic, place.partition): offset
            for place, offset in served.items()
            for topic in self.model.topics
            if topic.name == place.topic
        }
        while not self.stop.is_set():
            left = sum(max(0, end - self.reader.position(at)) for at, end in ends.items())
            self.progress(self.read, self.read + left)
            if left == 0:
                break
            self.read += self.runner.step()
