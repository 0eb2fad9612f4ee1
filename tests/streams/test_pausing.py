"""Given partitions of which one must rest, the others go on and each keeps its order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from streams.pausing import Pausing, Rest


class Desk:
    """Applies records; the partition of a record that is below zero must rest."""

    def __init__(self) -> None:
        self.applied: list[tuple[int, int]] = []
        self.told: list[tuple[str, int]] = []
        self.away = 0
        self.pausing: Pausing[tuple[int, int]] = Pausing(
            self.apply,
            lambda partition: self.told.append(("pause", partition)),
            lambda partition: self.told.append(("resume", partition)),
            self.guard,
        )

    async def apply(self, record: tuple[int, int]) -> Rest:
        if self.away:
            self.away -= 1
            return Rest(0.001, again=True)
        self.applied.append(record)
        return Rest(0.001 if record[1] < 0 else 0.0)

    async def guard(self, work: Awaitable[None]) -> None:
        await work

    async def give(self, *records: tuple[int, int]) -> None:
        for record in records:
            await self.pausing.receive(record[0], record)

    async def until_quiet(self) -> None:
        await asyncio.wait(self.pausing._tasks, timeout=10)


def test_the_others_do_not_wait() -> None:
    async def play() -> Desk:
        desk = Desk()
        await desk.give((0, -1), (0, -2), (1, 1), (0, 3), (1, 2))
        assert desk.applied == [(0, -1), (1, 1), (1, 2)]
        assert desk.told == [("pause", 0)]
        await desk.until_quiet()
        return desk

    desk = asyncio.run(play())
    assert desk.applied[3:] == [(0, -2), (0, 3)]
    assert desk.told == [("pause", 0), ("resume", 0)]
    assert not desk.pausing.is_resting(0)


def test_a_record_that_could_not_be_judged_is_given_again_before_the_next() -> None:
    async def play() -> Desk:
        desk = Desk()
        desk.away = 3
        await desk.give((0, 1), (0, 2))
        await desk.until_quiet()
        return desk

    assert asyncio.run(play()).applied == [(0, 1), (0, 2)]


def test_what_waits_of_a_partition_that_is_let_go_is_dropped() -> None:
    async def play() -> Desk:
        desk = Desk()
        await desk.give((0, -1), (0, 2))
        desk.pausing.let_go(0)
        await desk.give((0, 3))  # it is ours again, from where it was committed
        await desk.until_quiet()
        return desk

    desk = asyncio.run(play())
    assert desk.applied == [(0, -1), (0, 3)]
