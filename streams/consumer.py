"""Faust's own classes, where the runtime needs them otherwise."""

from __future__ import annotations

import logging
from typing import Any

from faust.tables import TableManager
from faust.transport.drivers import aiokafka as aiokafka_driver

_FAUST_LOG = logging.getLogger("faust.shell")


class DirectConsumer(aiokafka_driver.Consumer):
    """Faust's consumer without two asyncio tasks for every record.

    Its fetch loop races each delivery against "the flow was suspended". A delivery is awaited
    directly as long as the flow runs; in a rebalance the race takes place as before.
    """

    logger = _FAUST_LOG

    async def wait_first(self, *coros: Any, timeout: Any = None) -> Any:  # noqa: ANN401, ASYNC109
        if len(coros) == 2 and self.app.flow_control.is_active():
            delivery, suspended = coros
            suspended.close()
            return await delivery
        return await super().wait_first(*coros, timeout=timeout)

    def is_dead(self) -> bool:
        worker = self._thread._thread
        return worker is not None and not worker.is_alive()


class DirectTransport(aiokafka_driver.Transport):
    Consumer = DirectConsumer


class NoTables(TableManager):
    """Faust waits a second for tables to be declared. There are none, and a restart is urgent."""

    logger = _FAUST_LOG

    async def on_start(self) -> None:
        await self._update_channels()
        await self.recovery.start()
