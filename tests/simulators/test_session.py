"""The simulator's own loop on logs in memory, beside agents that are quick, or slow."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, cast

import pytest

from schemas.codec import Codec, LocalIds, record_for
from schemas.envelope import Envelope, produced
from schemas.events import intake, sites
from schemas.record import Record
from schemas.topics import INTAKE, SITES, Event, Topic, topic_of
from simulators import scenario as scenarios
from simulators import simulation as shell
from simulators.gate import FOLLOWED
from simulators.publisher import Delivered
from simulators.reader import Found
from simulators.scenario import Scenario
from simulators.schedule import Planned
from simulators.settings import Settings
from simulators.simulation import Simulation
from streams.app import load
from streams.loop import Processor
from streams.memory import MemoryBroker

CODEC = Codec(LocalIds())
SEED = scenarios.load("seed")
BROKERED = SEED.model_copy(
    update={"workloads": SEED.workloads.model_copy(update={"through": "intake"})}
)
MOST_ROUNDS = 200_000


class Agents:
    """Publisher, reader and machine in one: agents get to `share` records in each round.

    idle: agents that read nothing for now
    committed: each agent's, told only when it has read everything, as late as it can be
    """

    def __init__(self, share: int) -> None:
        self.partitions = {SITES.name: 1, INTAKE.name: 1}
        self.broker = MemoryBroker()
        self.agents: dict[str, Processor[Any]] = {
            name: Processor(load(name), 0, 1, CODEC) for name in FOLLOWED
        }
        self.committed = dict.fromkeys(FOLLOWED, 0)
        self.share = share
        self.idle: frozenset[str] = frozenset()
        self._read = dict.fromkeys((SITES, INTAKE), 0)
        self._reports: list[tuple[Delivered, Event, int, int]] = []

    def publish(self, planned: Planned, delivered: Delivered | None = None) -> None:
        topic = topic_of(type(planned.event))
        place = self.broker.append(record_for(topic, planned.event, planned.envelope, CODEC))
        if delivered is not None:
            self._reports.append((delivered, planned.event, *place))

    def poll(self) -> None:
        for delivered, event, partition, offset in self._reports:
            delivered(event, partition, offset)
        self._reports.clear()
        for name, agent in self.agents.items():
            if name in self.idle:
                continue
            waiting = self.broker.records(agent.agent.log)[agent.position + 1 :]
            for record in waiting[: self.share]:
                for output in agent.handle(record):
                    self.broker.append(output)
            if not waiting:
                self.committed[name] = agent.position + 1

    def history(self) -> Iterator[Found]:
        return iter(())

    def read(self, _: float) -> list[Found]:
        found = []
        for topic in (INTAKE, SITES):
            records = self.broker.records(topic)
            found += [self._found(topic, record) for record in records[self._read[topic] :]]
            self._read[topic] = len(records)
        return found

    def is_past(self, agent: str) -> dict[int, int]:
        return {0: self.committed[agent]}

    def _found(self, topic: Topic, record: Record) -> Found:
        event = CODEC.decode(record.value)
        envelope = Envelope.from_headers(record.headers)
        key = cast(bytes, record.key).decode()
        return Found(topic, 0, record.offset, key, envelope, event)


def begun(scenario: Scenario, agents: Agents, speed: float) -> shell._Session:
    simulation = Simulation(scenario, Settings(simulator_settle_s=0), speed)
    session = shell._Session(simulation, cast(Any, agents), cast(Any, agents))
    session.resume()
    session.begin()
    return session


def played(scenario: Scenario, hours: int, share: int) -> list[Event]:
    """What is on the site log up to an event time."""
    agents = Agents(share)
    session = begun(scenario, agents, 1e6)
    until = scenario.starts_ms + hours * 3_600_000
    for _ in range(MOST_ROUNDS):
        session.round()
        log = [CODEC.decode(record.value) for record in agents.broker.records(SITES)[-1:]]
        if any(event.at > until for event in log):
            break
    else:
        raise AssertionError("time stands still")
    events = [CODEC.decode(record.value) for record in agents.broker.records(SITES)]
    return [event for event in events if event.at <= until]


@pytest.mark.parametrize("scenario", [SEED, BROKERED], ids=["to the site", "through brokering"])
def test_slow_agents_give_the_same_only_later(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell, "_ASK_AGENTS_EVERY_S", 0.0)
    quick, slow = (played(scenario, 6, share) for share in (10**9, 1))
    assert sum(isinstance(event, sites.WorkloadReleased) for event in quick) > 10
    for by_routing in (False, True):
        first, second = (
            [e for e in events if SITES.may_write(type(e), "routing") is by_routing]
            for events in (quick, slow)
        )
        assert [e for e in first if not _is_time(e)] == [e for e in second if not _is_time(e)]


@pytest.mark.parametrize("scenario", [SEED, BROKERED], ids=["to the site", "through brokering"])
def test_what_others_ask_of_brokering_does_not_stop_the_clock(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Routing is slow to answer what brokering sent it: time goes on as far as it would anyway."""
    monkeypatch.setattr(shell, "_ASK_AGENTS_EVERY_S", 0.0)
    alone, beside = (reached_without_routing(scenario, strangers) for strangers in (0, 20))
    assert alone == beside


def reached_without_routing(scenario: Scenario, strangers: int) -> int:
    """How far event time gets from the sixth hour on while routing reads nothing, and others ask
    brokering for so much."""
    agents = Agents(10**9)
    session = begun(scenario, agents, 1e6)
    while session._event_ms() < scenario.starts_ms + 6 * 3_600_000:
        session.round()
    agents.idle = frozenset({"routing"})
    before = len(agents.broker.records(SITES))
    for number in range(strangers):
        asked = intake.WorkloadSubmitted(
            pool=scenario.sites[0].pool, at=session._event_ms(), workload_id=f"stranger-{number}",
            customer_id="somebody", name="run", kind="batch", gpu_count=1, duration_s=60,
        )  # fmt: skip
        envelope = produced(asked, source="/someone/else", id=f"stranger-{number}")
        agents.broker.append(record_for(INTAKE, asked, envelope, CODEC))
    agents.poll()
    for found in agents.read(0.0):
        session._take_in(found, history=False)  # before time goes on
    for _ in range(200):
        session.round()
    sent = [CODEC.decode(record.value) for record in agents.broker.records(SITES)[before:]]
    forwarded = [
        event
        for event in sent
        if isinstance(event, sites.WorkloadSubmitted) and event.workload_id.startswith("stranger")
    ]
    assert len(forwarded) == strangers
    return session._event_ms()


def test_where_routing_believed_somebody_else_the_wall_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At the wall's pace, a day that somebody else's tick left out would take a day."""
    monkeypatch.setattr(shell, "_ASK_AGENTS_EVERY_S", 0.0)
    agents = Agents(10**9)
    session = begun(SEED, agents, 60.0)
    moved_to = SEED.starts_ms + 86_400_000
    tick = sites.TimePassed(site_id="seed", at=moved_to)
    agents.publish(Planned(tick, produced(tick, source="/someone/else", id="x")))
    deadline = time.monotonic() + 20
    while session._event_ms() <= moved_to:
        session.round()
        assert time.monotonic() < deadline
    events = [CODEC.decode(record.value) for record in agents.broker.records(SITES)]
    assert not any(isinstance(event, sites.InputRejected) for event in events)


def _is_time(event: Event) -> bool:
    """Ticks without a question may run ahead of what routing has read of them."""
    return isinstance(event, sites.TimePassed | sites.HourClosed)
