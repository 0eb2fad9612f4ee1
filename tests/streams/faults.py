"""Failures at will: every step that a worker takes can be made to fail, once.

A `Plan` counts the steps of one run and fails one of them. Run once without a fault to learn which
steps there are, then once for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from schemas.codec import Codec, LocalIds, OutRecord
from schemas.errors import RegistryUnavailable
from schemas.record import Record
from schemas.topics import Event, Topic
from streams.definition import Agent
from streams.driver import Seat
from streams.log import Delivered, Log


class Injected(Exception):
    """A failure that nobody foresaw."""


@dataclass
class Plan:
    """steps: those taken, by name, in order. fail_at: the number of the one that fails."""

    fail_at: int | None = None
    error: Callable[[str], Exception] = Injected
    steps: list[str] = field(default_factory=list)

    @property
    def has_failed(self) -> bool:
        return self.fail_at is not None and len(self.steps) > self.fail_at

    def reach(self, step: str) -> None:
        self.steps.append(step)
        if len(self.steps) - 1 == self.fail_at:
            raise self.error(step)


class FaultyLog:
    """A log that may fail before a call has done anything and after it has done all of it.

    It forgets that it failed, which no real log may: so the worker has to remember by itself.
    """

    def __init__(self, log: Log, plan: Plan) -> None:
        self._log = log
        self._plan = plan

    def publish(self, record: OutRecord, on_delivered: Delivered | None = None) -> None:
        self._plan.reach(f"publish on {record.topic.name}")
        self._log.publish(record, on_delivered)
        self._plan.reach(f"published on {record.topic.name}")

    def flush(self) -> None:
        self._plan.reach("flush")
        self._log.flush()
        self._plan.reach("flushed")

    def delivered(self) -> dict[tuple[str, int], int]:
        return self._log.delivered()

    def read(
        self, topic: Topic, partition: int, start: int, end: int | None = None
    ) -> Iterator[Record]:
        for record in self._log.read(topic, partition, start, end):
            self._plan.reach(f"read {topic.name}")
            yield record

    def bounds(self, topic: Topic, partition: int) -> tuple[int, int]:
        return self._log.bounds(topic, partition)

    def partitions(self, topic: Topic) -> int:
        return self._log.partitions(topic)


class FaultyCodec(Codec):
    def __init__(self, plan: Plan) -> None:
        super().__init__(LocalIds())
        self._plan = plan

    def encode(self, event: Event) -> bytes:
        self._plan.reach(f"encode {type(event).__name__}")
        return super().encode(event)

    def decode(self, value: bytes | None) -> Event:
        self._plan.reach("decode")
        return super().decode(value)


def faulty(agent: Agent[Any, Any], plan: Plan) -> Agent[Any, Any]:
    """The agent with functions that fail before and after their work; `evolve` half way, so."""

    def decide(state: Any, event: Event) -> Sequence[Event]:  # noqa: ANN401
        plan.reach("decide")
        answers: Sequence[Event] = agent.decide(state, event)
        plan.reach("decided")
        return answers

    def evolve(state: Any, event: Any) -> Any:  # noqa: ANN401
        plan.reach("evolve")
        state = agent.evolve(state, event)
        plan.reach("evolved")
        return state

    return replace(agent, decide=decide, evolve=evolve)


class FaultySeat(Seat):
    """Its processes fail by the plan, also between their snapshot and the acknowledgement."""

    def __init__(
        self,
        agent: Agent[Any, Any],
        open_log: Callable[[], Log],
        plan: Plan,
        *,
        checkpoint_every: int,
    ) -> None:
        self.log: Log | None = None

        def opened() -> Log:
            self.log = open_log()
            return FaultyLog(self.log, plan)

        super().__init__(
            faulty(agent, plan), 0, FaultyCodec(plan), opened, checkpoint_every=checkpoint_every
        )
        self._plan = plan

    @property
    def has_process(self) -> bool:
        return self._worker is not None

    def checkpoint(self) -> None:
        self.worker.checkpoint()
        self._plan.reach("ack")
        super().checkpoint()


def out_of_reach(step: str) -> RegistryUnavailable:
    return RegistryUnavailable(f"nobody answers: {step}")
