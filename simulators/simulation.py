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
    home_partition,
    topic_of,
)
from simulators import metrics, schedule
from simulators.clock import Clock
from simulators.gate import QUESTIONS, Gate
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
_ASK_ROUTING_EVERY_S = 0.5
_SAY_HELD_AFTER_S = 5.0
_TYPES: tuple[type[Event], ...] = (
    *FOLDED,
    *QUESTIONS,
    *CLOCK_TOLD,
    sites.PowerPlanApplied,
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
    """state: resuming, running, waiting (for routing) or finished.

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
        self._gates = {n: Gate(lead_ms) for n in range(reader.partitions[SITES.name])}
        self._clock = Clock(simulation.speed, 0, 0.0, 0)
        self._intake: list[Planned] = []
        self._found_intake: set[str] = set()
        self._asked_routing_at = 0.0
        self._held_since: float | None = None
        self._said_held = False
        self._plans = Patience(simulation.settings.simulator_settle_s)
        self._choices = Patience(simulation.settings.simulator_settle_s)
        # By site, its newest price and until when that may be acted on.
        self._settles: dict[str, tuple[str, float]] = {}
        self._brokered: dict[str, float] = {}  # by workload, until when brokering may choose a site

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
        self._ask_routing()
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
        # Found in reverse order they can be taken from the end.
        self._intake = [
            planned
            for planned in reversed(schedule.intake_feed(self._scenario))
            if planned.envelope.id not in self._found_intake
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
        if time.monotonic() - self._asked_routing_at >= _ASK_ROUTING_EVERY_S:
            self._ask_routing()

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
            gate = self._gate_of(site.site_id)
            if self._paced and not gate.is_open(at):
                self._held(gate)
                self._clock.reached(at, time.monotonic())
                return 0.005
            self._released()
            self._publish_all(site.step())
            self._publish_intake()
            metrics.EVENT_TIME.labels(site.site_id).set((site.now or 0) / 1000)
            metrics.PLACEMENTS.labels(site.site_id).set(len(site.world.placements))
        return 0.0

    def _settling(self, site_id: str) -> bool:
        """Whether a price may still be acted on, or a submission still be given a site."""
        now = time.monotonic()
        self._brokered = {name: until for name, until in self._brokered.items() if until > now}
        return bool(self._brokered) or self._settles.get(site_id, ("", 0.0))[1] > now

    def _publish_intake(self) -> None:
        now = self._event_ms()
        while self._intake and self._intake[-1].at <= now:
            planned = self._intake.pop()
            workload_id = cast(intake.WorkloadSubmitted, planned.event).workload_id
            self._brokered[workload_id] = self._choices.ask(workload_id, time.monotonic())
            self._publish(planned)

    def _publish_all(self, events: Iterable[Planned]) -> None:
        for planned in events:
            self._publish(planned)

    def _publish(self, planned: Planned) -> None:
        event = planned.event
        if isinstance(event, sites.UnitSwitched):
            self._simulation.switches.add(event)
        if topic_of(type(event)) is SITES:
            self._gate_of(cast(SitesEvent, event).site_id).published(event)
        if isinstance(event, _PRICES):
            asked = planned.envelope.correlation_id
            self._settles[event.site_id] = asked, self._plans.ask(asked, time.monotonic())
        self._publisher.publish(planned, self._delivered)

    def _delivered(self, event: Event, partition: int, offset: int) -> None:
        if topic_of(type(event)) is SITES:
            self._gates[partition].delivered(event, offset)

    def _take_in(self, found: Found, *, history: bool) -> None:
        ours = found.envelope.source == self._source
        if found.topic is INTAKE:
            self._found_intake.add(found.envelope.id)
            return
        gate = self._gates[found.partition]
        cause = found.envelope.cause
        if cause is not None and cause.agent == "routing":
            gate.answered(cause)
        if found.key not in self._sites or (ours and not history):
            return  # ours is known since it was published
        event = cast(SitesEvent | None, found.event)
        self._sites[found.key].fold(event, found.envelope)
        if isinstance(event, sites.PowerPlanApplied):
            price = found.envelope.correlation_id
            if self._settles.get(found.key, ("",))[0] == price:
                del self._settles[found.key]  # a plan for an earlier price ends no wait
            self._plans.answered(price, time.monotonic())
            metrics.LATE.labels("plan").set(self._plans.late)
        elif isinstance(event, sites.WorkloadSubmitted) and cause is not None:
            self._choices.answered(event.workload_id, time.monotonic())
            metrics.LATE.labels("choice of a site").set(self._choices.late)
            if self._brokered.pop(event.workload_id, None) is not None:
                gate.found(event, found.offset)  # it is our question, by way of brokering
        if ours and event is not None:
            gate.found(event, found.offset)
            if isinstance(event, sites.UnitSwitched):
                self._simulation.switches.add(event)

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
                self._gate_of(event.site_id).published(event)
            self._publisher.publish(
                Planned(event, produced(event, source=HYBRID_SOURCE)), self._answer_to(request)
            )

    def _answer_to(self, request: Request) -> Callable[[Event, int, int], None]:
        def delivered(event: Event, partition: int, offset: int) -> None:
            self._delivered(event, partition, offset)
            request.answer.set_result(Position(topic_of(type(event)).name, partition, offset))

        return delivered

    def _ask_routing(self) -> None:
        self._asked_routing_at = time.monotonic()
        if self._paced:
            for partition, offset in self._reader.routing_is_past().items():
                self._gates[partition].committed(offset)

    def _gate_of(self, site_id: str) -> Gate:
        return self._gates[home_partition(site_id.encode(), len(self._gates))]

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
