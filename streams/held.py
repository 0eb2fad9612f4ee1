"""A partition that this process runs now, and how long it must rest after what it was given."""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from typing import Any

from schemas.errors import RegistryUnavailable
from schemas.pace import Pace
from schemas.topics import dlq
from streams.metrics import PartitionMetrics
from streams.pausing import Rest
from streams.worker import Worker

log = logging.getLogger("streams")

_FIRST_WAIT_S = 0.2
_MOST_WAIT_S = 10.0
_SAY_EVERY_S = 5.0  # that a partition is flooded


class Held:
    """unacked: Faust's events that are applied, and not in a snapshot yet
    next_checkpoint: monotonic
    stood_at: the position at the last checkpoint
    told: the last offset that was committed without an ack
    """

    def __init__(self, worker: Worker[Any], metrics: PartitionMetrics) -> None:
        self.worker = worker
        self.metrics = metrics
        self.unacked: deque[Any] = deque()
        self.next_checkpoint = time.monotonic()
        self.stood_at = -1
        self.told = -1
        self._registry_wait_s = _FIRST_WAIT_S
        self._pace = Pace()
        self._said_at = -math.inf

    def applied(self, event: Any) -> None:  # noqa: ANN401 - Faust's
        self.unacked.append(event)
        self._registry_wait_s = _FIRST_WAIT_S

    def wait_for_registry(self, error: RegistryUnavailable) -> Rest:
        """The same record again, later each time."""
        wait_s = self._registry_wait_s
        self._registry_wait_s = min(2 * wait_s, _MOST_WAIT_S)
        self.metrics.registry_waits.inc()
        log.warning("%s; trying again in %.1f s", error, wait_s)
        return Rest(wait_s, again=True)

    def rest_after(self, refused: int) -> Rest:
        """Dead letters of one partition come at a bounded pace; the others do not wait for it."""
        processor, now_s = self.worker.processor, time.monotonic()
        rest_s = self._pace.put_aside(refused, processor.refused_in_a_row, now_s)
        if rest_s > 0 and now_s - self._said_at > _SAY_EVERY_S:
            self._said_at = now_s
            self.metrics.garbage_pauses.inc()
            log.error(
                "understood none of %d records in a row up to %s:%d:%d; their dead letters are in "
                "%s; this partition goes on slowly, the others as ever",
                processor.refused_in_a_row,
                processor.agent.log.name,
                processor.partition,
                processor.position,
                dlq(processor.agent.log).name,
            )
        return Rest(rest_s)
