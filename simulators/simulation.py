"""The shell around the pure parts: read the logs, let event time go on, publish what is due.

One thread does everything that touches Kafka; the HTTP server's thread hands submissions over
through a bounded queue and reads the status, which is replaced, never changed.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import cast

from schemas.codec import Codec
from schemas.envelope import produced, rfc3339
from schemas.events import intake, sites
from schemas.events.sites import SitesEvent
from schemas.registry import RegistryIds
from schemas.topics import (
    ACCOUNTS,
    INTAKE,
    SITES,
    Event,
    Topics,
    topic_of,
)
from simulators import metrics, schedule
from simulators.clock import Clock
from simulators.gate import QUESTIONS, Gate, Gates, is_question
from simulators.patience import Patience
from simulators.publisher import Publisher
from simulators.reader import Found, LogReader
from simulators.scenario import Scenario
from simulators.schedule import Planned
from simulators.settings import Settings
from simulators.site import CLOCK_TOLD, SiteSimulation
from simulators.switch_log import SwitchLog
from simulators.world import FOLDED

log = logging.getLogger(__name__)

MAX_INBOX = 1_000
HYBRID_SOURCE = "/hcp/simulators/hybrid"
_INSTANTS_PER_ROUND = 200
_ASK_AGENTS_EVERY_S = 0.5
_SAY_HELD_AFTER_S = 5.0
_TYPES: tuple[type[Event], ...] = (
    *FOLDED,
    *QUESTIONS,
    *CLOCK_TOLD,
)
_PRICES = (sites.PowerPricePublished, sites.HashpricePublished)

Build = Callable[[int], Event]
"""From event time to the event."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a submission lies: `<log>:<partition>:<offset>`, as the gateway writes it."""

    log: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.log}:{self.partition}:{self.offset}"


@dataclass(frozen=True, slots=True)
class Request:
    """A submission on its way to the log."""

    build: Build
    answer: Future[Position]


@dataclass(frozen=True, slots=True)
class Status:
    """state: resuming, running, waiting (for an agent) or finished.

    Finished: the scenario has been played; event time goes on at the wall's pace.
    """

    state: str = "resuming"
    event_ms: int | None = None
    waits_for: str | None = None


@dataclass(slots=True)
class Simulation:
    scenario: Scenario
    settings: Settings
    speed: float
    status: Status = field(default_factory=Status)
    switches: SwitchLog = field(default_factory=SwitchLog)
    inbox: queue.Queue[Request] = field(default_factory=lambda: queue.Queue(MAX_INBOX))

    def run(self, stop: threading.Event) -> None:
        """Until `stop`. Raises SimulatorError, SchemaError."""
        topics = Topics(self.settings.topic_prefix)
        codec = Codec(RegistryIds(self.settings.schema_registry, topics))
        codec.warm(SITES, INTAKE, ACCOUNTS)
        publisher = Publisher(
            self.settings.kafka, topics, codec, stall_s=self.settings.simulator_stall_s
        )
        pools = {site.pool for site in self.scenario.sites}
        reader = LogReader(
            self.settings.kafka,
            topics,
            codec,
            logs=(SITES, INTAKE),
            keys={site.site_id for site in self.scenario.sites} | pools,
            types=_TYPES,
        )
        try:
            session = _Session(self, reader, publisher)
            session.resume()
            if not session.has_begun:
                self._enrol_customers(topics, codec, publisher)
            session.begin()
            while not stop.is_set():
                session.round()
            publisher.flush()
        finally:
            reader.close()

    def _enrol_customers(self, topics: Topics, codec: Codec, publisher: Publisher) -> None:
        """Before anything is on the site log, so that what is there says they are enrolled."""
        customers = schedule.customer_events(self.scenario)
        reader = LogReader(
            self.settings.kafka,
            topics,
            codec,
            logs=(ACCOUNTS,),
            keys={customer.customer_id for customer in self.scenario.customers},
            types=(),
        )
        try:
            found = {record.envelope.id for record in reader.history()}
        finally:
            reader.close()
        for planned in customers:
            if planned.envelope.id not in found:
                publisher.publish(planned)
        publisher.flush()


class _Session:
    """One run against the logs, from the fold to the end."""

    def __init__(self, simulation: Simulation, reader: LogReader, publisher: Publisher) -> None:
        self._simulation = simulation
        self._scenario = simulation.scenario
        self._source = schedule.source_of(self._scenario)
        self._reader = reader
        self._publisher = publisher
        self._sites = {
            site.site_id: SiteSimulation.of(self._scenario, site) for site in self._scenario.sites
        }
        lead_ms = int(simulation.settings.simulator_lead_s * simulation.speed * 1000)
        # Never less than two ticks, or a slow clock would wait for itself.
        lead_ms = max(lead_ms, 2_000 * self._scenario.tick_s)
        self._gates = Gates(lead_ms, reader.partitions)
        self._brokering_was_past: dict[int, int] = {}
        self._clock = Clock(simulation.speed, 0, 0.0, 0)
        # Found in reverse order they can be taken from the end.
        self._intake = schedule.intake_feed(self._scenario)[::-1]
        self._brokered = frozenset(
            cast(intake.WorkloadSubmitted, planned.event).workload_id for planned in self._intake
        )
        self._found_intake: set[str] = set()
        self._asked_agents_at = 0.0
        self._held_since: float | None = None
        self._said_held = False
        self._plans = Patience(simulation.settings.simulator_settle_s)
        # By site, its newest price and until when that may be acted on.
        self._settles: dict[str, tuple[str, float]] = {}

    @property
    def has_begun(self) -> bool:
        return any(site.has_begun for site in self._sites.values())

    @property
    def _paced(self) -> bool:
        return self._simulation.settings.simulator_pace == "routing"

    def resume(self) -> None:
        """Fold what is in the logs: where event time stands, what runs, what was published."""
        records = 0
        for found in self._reader.history():
            records += 1
            self._take_in(found, history=True)
        self._ask_agents()
        if self.has_begun:
            log.info(
                "resumed %s at %s from %d records",
                self._scenario.name,
                _shown(self._event_ms()),
                records,
            )

    def begin(self) -> None:
        for site in self._sites.values():
            self._publish_all(site.begin())
        self._intake = [
            planned for planned in self._intake if planned.envelope.id not in self._found_intake
        ]
        self._clock = Clock(
            self._simulation.speed, self._event_ms(), time.monotonic(), self._scenario.closes_ms
        )
        log.info(
            "%s: event time %s, at most %g times wall time, until %s",
            self._scenario.name,
            _shown(self._event_ms()),
            self._simulation.speed,
            _shown(self._scenario.closes_ms),
        )

    def round(self) -> None:
        """Read, then publish what is due; returns soon, whatever happens."""
        wait_s = self._advance()
        for found in self._reader.read(wait_s):
            self._take_in(found, history=False)
        self._publisher.poll()
        self._serve_inbox()
        if time.monotonic() - self._asked_agents_at >= _ASK_AGENTS_EVERY_S:
            self._ask_agents()

    def _advance(self) -> float:
        """Let event time go on as far as it may; returns how long to wait for news."""
        now_s = time.monotonic()
        if self._event_ms() > self._clock.target_ms(now_s):
            self._clock.reached(self._event_ms(), now_s)
        target_ms = self._clock.target_ms(now_s)
        for _ in range(_INSTANTS_PER_ROUND):
            site = min(self._sites.values(), key=lambda site: (site.next_at(), site.site_id))
            at = site.next_at()
            if at > target_ms:
                self._released()
                self._clock.reached(target_ms, time.monotonic())
                return min(0.05, max(0.001, (at - target_ms) / 1000 / self._clock.speed))
            if self._paced and self._settling(site.site_id):
                return 0.005
            shut = self._gates.shut(site.site_id, at) if self._paced else None
            if shut is not None:
                self._held(shut)
                self._clock.reached(at, time.monotonic())
                return 0.005
            self._released()
            if self._publish_intake():
                continue  # answered before anything else happens
            self._publish_all(site.step())
            metrics.EVENT_TIME.labels(site.site_id).set((site.now or 0) / 1000)
            metrics.PLACEMENTS.labels(site.site_id).set(len(site.world.placements))
        return 0.0

    def _settling(self, site_id: str) -> bool:
        """Whether the optimizer may still act on a price."""
        return self._settles.get(site_id, ("", 0.0))[1] > time.monotonic()

    def _publish_intake(self) -> bool:
        """Whether any submission was due."""
        now, due = self._event_ms(), False
        while self._intake and self._intake[-1].at <= now:
            self._publish(self._intake.pop())
            due = True
        return due

    def _publish_all(self, events: Iterable[Planned]) -> None:
        for planned in events:
            self._publish(planned)

    def _publish(self, planned: Planned) -> None:
        event = planned.event
        if isinstance(event, sites.UnitSwitched):
            self._simulation.switches.add(event)
        self._gates.published(event)
        if isinstance(event, _PRICES):
            asked = planned.envelope.correlation_id
            self._settles[event.site_id] = asked, self._plans.ask(asked, time.monotonic())
        self._publisher.publish(planned, self._gates.delivered)

    def _take_in(self, found: Found, *, history: bool) -> None:
        envelope, event = found.envelope, found.event
        ours = envelope.source == self._source
        if envelope.cause is not None:
            self._gates.answered(found.topic, envelope.cause)
        if ours and not history:
            return  # known since it was published
        agents = envelope.cause is not None and event is not None and self._asks_for_us(event)
        if event is not None and (ours or agents):
            self._gates.found(event, found.partition, found.offset)
        if found.topic is INTAKE and ours:
            self._found_intake.add(envelope.id)
        if found.key not in self._sites:
            return
        self._sites[found.key].fold(cast(SitesEvent | None, event), envelope)
        if isinstance(event, sites.PowerPlanProposed):
            self._advised(found.key, envelope.correlation_id)
        elif ours and isinstance(event, sites.UnitSwitched):
            self._simulation.switches.add(event)

    def _asks_for_us(self, event: Event) -> bool:
        """A choice of brokering's or a plan is a question too: routing has to answer it. But what
        brokering sends on for others was not asked by this moment, and must not stop the clock."""
        if isinstance(event, sites.WorkloadSubmitted | sites.WorkloadCancelled):
            return event.workload_id in self._brokered
        return is_question(event)

    def _advised(self, site_id: str, price: str) -> None:
        """There is a plan: from here on the gate waits until routing has applied it."""
        if self._settles.get(site_id, ("",))[0] == price:
            del self._settles[site_id]  # a plan for an earlier price ends no wait
        self._plans.answered(price, time.monotonic())
        metrics.LATE.set(self._plans.late)

    def _serve_inbox(self) -> None:
        for _ in range(MAX_INBOX):
            try:
                request = self._simulation.inbox.get_nowait()
            except queue.Empty:
                return
            if not request.answer.set_running_or_notify_cancel():
                continue
            event = request.build(self._event_ms())
            if isinstance(event, sites.WorkloadSubmitted):
                self._gates.published(event)
            planned = Planned(event, produced(event, source=HYBRID_SOURCE))
            self._publisher.publish(planned, self._answer_to(request))

    def _answer_to(self, request: Request) -> Callable[[Event, int, int], None]:
        def delivered(event: Event, partition: int, offset: int) -> None:
            if isinstance(event, sites.WorkloadSubmitted):
                self._gates.delivered(event, partition, offset)
            request.answer.set_result(Position(topic_of(type(event)).name, partition, offset))

        return delivered

    def _ask_agents(self) -> None:
        self._asked_agents_at = time.monotonic()
        if not self._paced:
            return
        self._gates.committed("routing", self._reader.is_past("routing"))
        if self._gates.is_asked("brokering"):
            # What it chose has been read by the next time, so routing is waited for in between.
            self._gates.committed("brokering", self._brokering_was_past)
            self._brokering_was_past = self._reader.is_past("brokering")

    def _held(self, gate: Gate) -> None:
        now = time.monotonic()
        if self._held_since is None:
            self._held_since = now
        elif not self._said_held and now - self._held_since > _SAY_HELD_AFTER_S:
            self._said_held = True
            log.warning(
                "time stands still at %s: waiting for %s",
                _shown(self._event_ms()),
                gate.waits_for(),
            )
            self._say("waiting", gate.waits_for())

    def _released(self) -> None:
        if self._held_since is not None:
            metrics.HELD.inc(time.monotonic() - self._held_since)
            self._held_since = None
        if self._said_held:
            log.info("time goes on from %s", _shown(self._event_ms()))
            self._said_held = False
        self._say("finished" if self._event_ms() >= self._scenario.closes_ms else "running")

    def _say(self, state: str, waits_for: str | None = None) -> None:
        self._simulation.status = replace(
            self._simulation.status, state=state, waits_for=waits_for, event_ms=self._event_ms()
        )

    def _event_ms(self) -> int:
        """Event time of the site that is furthest behind."""
        return min(site.now or self._scenario.starts_ms for site in self._sites.values())


def _shown(at_ms: int) -> str:
    return rfc3339(at_ms)
