"""A site log in memory, and a router of the plainest kind to drive the hardware with.

It is no model of routing: it places whatever was submitted on the first free units of the model,
turns ASICs on and off by price, and answers each input with routing's events.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from schemas.envelope import Cause, Envelope, answered, produced
from schemas.events import sites
from schemas.events.sites import SitesEvent
from schemas.topics import SITES
from simulators.scenario import Scenario, Site
from simulators.schedule import Planned
from simulators.site import SiteSimulation

Record = tuple[SitesEvent, Envelope]
BREAK_EVEN = Decimal(90)


class Router:
    """Feeds on the log's records in order; each answer names what it answers."""

    def __init__(self, site_id: str) -> None:
        self.site_id = site_id
        self.now = 0
        self.free: dict[str, list[str]] = {}
        self.models: dict[str, str] = {}
        self.power_w: dict[str, int] = {}
        self.asics: dict[str, str] = {}
        self.failed: set[str] = set()
        self.waiting: list[sites.WorkloadSubmitted] = []
        self.placed: dict[str, sites.WorkloadPlaced] = {}
        self.attempts: dict[str, int] = {}
        self.asked: dict[str, sites.WorkloadSubmitted] = {}
        self.read = 0

    def answer(self, log: list[Record]) -> list[Record]:
        """Answers to everything in the log that was not read yet."""
        answers: list[Record] = []
        while self.read < len(log):
            event, envelope = log[self.read]
            outputs = [] if envelope.cause else list(self._decide(event))
            for index, output in enumerate(outputs):
                cause = Cause("routing", SITES.name, 0, self.read, index, len(outputs))
                answers.append(
                    (
                        output,
                        answered(output, agent="routing", version="1", input=envelope, cause=cause),
                    )
                )
            self.read += 1
        return answers

    def _decide(self, event: SitesEvent) -> Iterable[SitesEvent]:
        match event:
            case sites.SiteConfigured() | sites.TimePassed():
                self.now = event.at
            case sites.UnitRegistered():
                self._register(event)
            case sites.PowerPricePublished():
                yield from self._assign("off" if event.price_usd_per_mwh > BREAK_EVEN else "normal")
            case sites.WorkloadSubmitted():
                self.asked[event.workload_id] = event
                self.waiting.append(event)
                yield from self._place()
            case sites.WorkloadCompleted():
                yield from self._complete(event)
            case sites.UnitFailed():
                self.failed.add(event.unit_id)
                yield from self._requeue(event.unit_id)
                yield from self._place()
            case sites.UnitRecovered():
                self.failed.discard(event.unit_id)
                yield from self._place()
            case _:
                pass

    def _register(self, event: sites.UnitRegistered) -> None:
        self.models[event.unit_id] = event.model
        self.power_w[event.unit_id] = event.modes[-1].power_w
        if event.kind == "gpu":
            self.free.setdefault(event.model, []).append(event.unit_id)
        else:
            self.asics[event.unit_id] = "off"

    def _assign(self, mode: str) -> Iterable[SitesEvent]:
        for unit_id, present in sorted(self.asics.items()):
            if unit_id not in self.failed and present != mode:
                self.asics[unit_id] = mode
                yield sites.UnitModeAssigned(
                    site_id=self.site_id,
                    at=self.now,
                    unit_id=unit_id,
                    mode=mode,
                    power_w=self.power_w[unit_id] if mode == "normal" else 0,
                    reason="plan",
                    decision_id=f"{unit_id}@{self.now}",
                )

    def _place(self) -> Iterable[SitesEvent]:
        for asked in list(self.waiting):
            model = asked.gpu_model or "A100"
            usable = [u for u in self.free.get(model, []) if u not in self.failed]
            if len(usable) < asked.gpu_count:
                continue
            self.waiting.remove(asked)
            units = usable[: asked.gpu_count]
            for unit_id in units:
                self.free[model].remove(unit_id)
            yield self._placement(asked, model, units)

    def _placement(
        self, asked: sites.WorkloadSubmitted, model: str, units: list[str]
    ) -> sites.WorkloadPlaced:
        attempt = self.attempts[asked.workload_id] = self.attempts.get(asked.workload_id, 0) + 1
        placed = sites.WorkloadPlaced(
            site_id=self.site_id,
            at=self.now,
            workload_id=asked.workload_id,
            placement_id=f"{asked.workload_id}/{attempt}",
            customer_id=asked.customer_id,
            gpu_model=model,
            gpu_milli=asked.gpu_milli,
            units=tuple(
                sites.UnitShare(unit_id=u, gpu_milli=asked.gpu_milli, power_w=self.power_w[u])
                for u in units
            ),
            duration_s=asked.duration_s,
            attempt=attempt,
            price_usd_per_gpu_hour=Decimal("2.35"),
            decision_id="d",
        )
        self.placed[asked.workload_id] = placed
        return placed

    def _complete(self, event: sites.WorkloadCompleted) -> Iterable[SitesEvent]:
        placed = self.placed.get(event.workload_id)
        if placed is None or placed.placement_id != event.placement_id:
            return
        self._give_back(placed)
        yield sites.WorkloadReleased(
            site_id=self.site_id,
            at=self.now,
            workload_id=placed.workload_id,
            placement_id=placed.placement_id,
            customer_id=placed.customer_id,
            outcome="completed",
        )
        yield from self._place()

    def _requeue(self, unit_id: str) -> Iterable[SitesEvent]:
        if unit_id in self.asics:
            self.asics[unit_id] = "off"
        for placed in list(self.placed.values()):
            if unit_id in {share.unit_id for share in placed.units}:
                self._give_back(placed)
                self.waiting.append(self.asked[placed.workload_id])
                yield sites.WorkloadRequeued(
                    site_id=self.site_id,
                    at=self.now,
                    workload_id=placed.workload_id,
                    placement_id=placed.placement_id,
                    customer_id=placed.customer_id,
                    reason="unit_failed",
                )

    def _give_back(self, placed: sites.WorkloadPlaced) -> None:
        del self.placed[placed.workload_id]
        for share in placed.units:
            self.free[self.models[share.unit_id]].append(share.unit_id)
            self.free[self.models[share.unit_id]].sort()


def play(
    scenario: Scenario,
    until: int,
    *,
    restart_every: int | None = None,
    submit: Sequence[sites.WorkloadSubmitted] = (),
) -> tuple[list[Record], SiteSimulation]:
    """The first site's log up to an event time; the simulator forgets everything every n steps.

    submit: what others put on the log when its time has come
    """
    asked = list(submit)
    site = scenario.sites[0]
    log: list[Record] = []
    router = Router(site.site_id)
    simulation = resumed(scenario, site, log)
    steps = 0
    _exchange(log, router, simulation, simulation.begin())
    while simulation.next_at() <= until:
        steps += 1
        if restart_every is not None and steps % restart_every == 0:
            simulation = resumed(scenario, site, log)
            assert list(simulation.begin()) == [], "nothing of the beginning comes twice"
        _exchange(log, router, simulation, simulation.step())
        while asked and asked[0].at <= (simulation.now or 0):
            event = asked.pop(0)
            envelope = produced(event, source="/someone/else", id=event.workload_id)
            _exchange(log, router, simulation, [Planned(event, envelope)])
    return log, simulation


def resumed(scenario: Scenario, site: Site, log: list[Record]) -> SiteSimulation:
    simulation = SiteSimulation.of(scenario, site)
    for event, envelope in log:
        simulation.fold(event, envelope)
    return simulation


def _exchange(
    log: list[Record], router: Router, simulation: SiteSimulation, events: Iterable[Planned]
) -> None:
    log += [(planned.event, planned.envelope) for planned in events]  # type: ignore[misc]
    answers = router.answer(log)
    log += answers
    router.answer(log)
    for event, envelope in answers:
        simulation.fold(event, envelope)
