"""Runs agents on a log without Faust, one after the other, in an order that is always the same.

For tests, replay and simulation: on the log in memory, and on Kafka too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

from schemas.codec import Codec
from schemas.record import Record
from streams.definition import Agent
from streams.errors import VerdictOverruled
from streams.log import Log
from streams.recovery import restore
from streams.worker import Worker


class Seat:
    """One agent on one partition: the process that runs it now, and those before and after it.

    open_log: the log as a new process sees it
    acked: what the consumer group has committed; unlike all else it outlives a process
    """

    def __init__(
        self,
        agent: Agent[Any, Any],
        partition: int,
        codec: Codec,
        open_log: Callable[[], Log],
        *,
        checkpoint_every: int = 500,
    ) -> None:
        self.agent = agent
        self.partition = partition
        self.acked = -1
        self._codec = codec
        self._open_log = open_log
        self._checkpoint_every = checkpoint_every
        self._log: Log | None = None
        self._worker: Worker[Any] | None = None
        self._read = -1

    @property
    def worker(self) -> Worker[Any]:
        """The present process; a new one when there is none."""
        if self._worker is None:
            self._log = self._open_log()
            self._worker = self._restored(self._log)
            self._read = self.acked
        return self._worker

    def restart(self) -> None:
        """Forget the process and whatever it held in memory."""
        self._worker = self._log = None

    def run(self, most: int | None = None) -> int:
        """Apply up to `most` waiting records, or all, and make a checkpoint; returns how many."""
        self.worker  # noqa: B018 - there is one from here on
        log = self._log
        assert log is not None
        done = 0
        for record in islice(log.read(self.agent.log, self.partition, self._read + 1), most):
            self._receive(log, record)
            self._read = record.offset
            done += 1
            if done % self._checkpoint_every == 0:
                self.checkpoint()
        if done == 0:
            self.worker.pass_over(log.bounds(self.agent.log, self.partition)[1])
        self.checkpoint()
        return done

    def _receive(self, log: Log, record: Record) -> None:
        try:
            self.worker.receive(record)
        except VerdictOverruled:
            log.flush()
            self._worker = self._restored(log)
            self._worker.receive(record)

    def _restored(self, log: Log) -> Worker[Any]:
        restored = restore(self.agent, self.partition, log, self._codec)
        return Worker(restored, log, self._codec)

    def checkpoint(self) -> None:
        self.worker.checkpoint()
        self.acked = self.worker.saved_position


def run_until_idle(seats: Sequence[Seat], *, burst: int = 100, most_rounds: int = 1_000_000) -> int:
    """Let each seat in turn apply up to `burst` records until none has any; returns how many.

    Raises RuntimeError when the agents still answer each other after `most_rounds` rounds.
    """
    total = 0
    for _ in range(most_rounds):
        done = sum(seat.run(burst) for seat in seats)
        total += done
        if done == 0:
            return total
    raise RuntimeError(f"the agents are not quiet after {most_rounds} rounds")
