"""A whole scenario on logs in memory: the simulated sites, and the agents themselves.

As `simulators.simulation` plays it on Kafka, but an answer is always there before time goes on.
`python -m tests.simulators.pipeline SCENARIO SEED HOURS` prints a digest of each log.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from typing import Any, cast

from schemas.codec import Codec, LocalIds, record_for
from schemas.envelope import Envelope, produced
from schemas.events.sites import SitesEvent
from schemas.record import Record
from schemas.topics import LOGS, SITES, Event, Topic, topic_of
from simulators import scenario as scenarios
from simulators import schedule
from simulators.scenario import Scenario
from simulators.schedule import Planned
from simulators.site import SiteSimulation
from streams.app import AGENTS, load
from streams.loop import Processor
from streams.memory import MemoryBroker

HOUR_MS = 3_600_000
CODEC = Codec(LocalIds())


class Pipeline:
    """One partition a log; nothing is dropped, nothing dies."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.broker = MemoryBroker()
        self.agents: list[Processor[Any]] = [Processor(load(name), 0, 1, CODEC) for name in AGENTS]
        self.sites = {s.site_id: SiteSimulation.of(scenario, s) for s in scenario.sites}
        self._intake = schedule.intake_feed(scenario)[::-1]
        self._read = 0

    def begin(self) -> None:
        """Customers, sites, units, first prices, first tick."""
        self.publish(schedule.customer_events(self.scenario))
        for site in self.sites.values():
            self.publish(site.begin())

    def play(self, until: int) -> None:
        """Up to an event time, which every site reaches."""
        while (site := self._next()).next_at() <= until:
            self.publish(site.step())
            now = min(site.now or 0 for site in self.sites.values())
            while self._intake and self._intake[-1].at <= now:
                self.publish([self._intake.pop()])

    def tell(self, event: Event, source: str, name: str) -> None:
        """What somebody else puts on the log."""
        self.publish([Planned(event, produced(event, source=source, id=name))])

    def publish(self, events: Iterable[Planned]) -> None:
        for planned in events:
            topic = topic_of(type(planned.event))
            self.broker.append(record_for(topic, planned.event, planned.envelope, CODEC))
        while self._agents_answer():
            pass
        self._hardware_reads()

    def restart(self) -> None:
        """The simulator forgets everything and folds the log from its beginning."""
        self.sites = {s.site_id: SiteSimulation.of(self.scenario, s) for s in self.scenario.sites}
        for record in self.broker.records(SITES):
            self._fold(record)
        for site in self.sites.values():
            self.publish(site.begin())

    def events(self, topic: Topic = SITES) -> list[tuple[Event, Envelope]]:
        return [
            (CODEC.decode(record.value), Envelope.from_headers(record.headers))
            for record in self.broker.records(topic)
        ]

    def digests(self) -> dict[str, str]:
        """Of every key, value and header of each log."""
        return {topic.name: _digest(self.broker.records(topic)) for topic in LOGS}

    def _next(self) -> SiteSimulation:
        return min(self.sites.values(), key=lambda site: (site.next_at(), site.site_id))

    def _agents_answer(self) -> bool:
        answered = False
        for agent in self.agents:
            waiting = self.broker.records(agent.agent.log)[agent.position + 1 :]
            for record in waiting:
                for output in agent.handle(record):
                    self.broker.append(output)
            answered |= bool(waiting)
        return answered

    def _hardware_reads(self) -> None:
        records = self.broker.records(SITES)
        ours = schedule.source_of(self.scenario)
        for record in records[self._read :]:
            if Envelope.from_headers(record.headers).source != ours:
                self._fold(record)
        self._read = len(records)

    def _fold(self, record: Record) -> None:
        event = cast(SitesEvent, CODEC.decode(record.value))
        site = self.sites.get(event.site_id)
        if site is not None:
            site.fold(event, Envelope.from_headers(record.headers))


def play(name: str, seed: int, hours: float) -> Pipeline:
    """A scenario's first hours, with another seed for all its chance."""
    scenario = scenarios.load(name).model_copy(update={"seed": seed})
    pipeline = Pipeline(scenario)
    pipeline.begin()
    pipeline.play(scenario.starts_ms + int(hours * HOUR_MS))
    return pipeline


def _digest(records: list[Record]) -> str:
    found = hashlib.sha256()
    for record in records:
        found.update(repr((record.key, record.value, record.headers)).encode())
    return f"{len(records)} records {found.hexdigest()}"


if __name__ == "__main__":
    told = play(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])).digests()
    sys.stdout.write("".join(f"{name} {digest}\n" for name, digest in told.items()))
