"""One site in event time: its schedule, its clock ticks, its hardware and its meters, merged.

Folds the site's log to know where it stands; gives, instant by instant, what to publish next. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

from schemas.envelope import Envelope
from schemas.events.sites import (
    ClockCorrected,
    HourClosed,
    InputRejected,
    SitesEvent,
    TimePassed,
    UnitRegistered,
)
from simulators import schedule
from simulators.scenario import Scenario, Site
from simulators.schedule import Planned, planned
from simulators.world import Report, World

OPERATOR = "/hcp/gateway"
"""Source of what an operator asks for."""
CLOCK_TOLD: tuple[type[SitesEvent], ...] = (TimePassed, ClockCorrected, HourClosed, InputRejected)


@dataclass(slots=True)
class SiteSimulation:
    """now: the site's clock, as far as it is known here; None before the first tick."""

    scenario: Scenario
    site: Site
    world: World
    now: int | None = None
    _found: set[str] = field(default_factory=set)
    _feed: list[Planned] = field(default_factory=list)
    _next: int = 0
    _held: Iterator[Planned] = field(default_factory=lambda: iter(()))

    @classmethod
    def of(cls, scenario: Scenario, site: Site) -> SiteSimulation:
        world = World(site.site_id, scenario.seed, scenario.hardware)
        return cls(scenario, site, world)

    @property
    def site_id(self) -> str:
        return self.site.site_id

    def fold(self, event: SitesEvent | None, envelope: Envelope) -> None:
        """An event found in the log: an agent's, or our own from before this process began.

        What another producer reports is about other hardware than ours, and may be nonsense, its
        ticks too: where they move the site's clock, routing says so. A correction of the clock is
        believed: routing takes every one that is a time. A unit that an operator registers is ours
        to play once routing uses it.

        event: None when nothing but its being there matters
        """
        ours = envelope.source == schedule.source_of(self.scenario)
        if ours:
            self._found.add(envelope.id)
        if event is None:
            return
        told = _clock_told(event, ours=ours)
        if isinstance(event, ClockCorrected):
            self.now = event.now
        elif told is not None:
            self.now = max(told, self.now or told)
        if ours or envelope.cause is not None or isinstance(event, ClockCorrected):
            self.world.apply(event)
        elif isinstance(event, UnitRegistered) and envelope.source == OPERATOR:
            self.world.offer(event, envelope.id)
        if isinstance(event, InputRejected) and envelope.causation_id is not None:
            self.world.withdraw(event.subject, envelope.causation_id)

    @property
    def has_begun(self) -> bool:
        """Whether anything of ours is in the log already."""
        return bool(self._found)

    def begin(self) -> Iterator[Planned]:
        """After the fold: what is missing of the beginning, in order. The world takes it in."""
        start_ms = self.scenario.starts_ms
        feed = schedule.site_feed(self.scenario, self.site)
        first = [event for event in feed if event.at <= start_ms]
        for event in [*schedule.site_setup(self.scenario, self.site), *first]:
            if event.envelope.id not in self._found:
                self.world.apply(cast(SitesEvent, event.event))
                yield event
        if self.now is None:
            yield self._tick(start_ms)
        self._feed = [e for e in feed if e.at > start_ms and e.envelope.id not in self._found]
        # Past the scenario's end there are held prices to find; before it nothing need be kept.
        found = self._found if self.now is not None and self.now >= self.scenario.closes_ms else ()
        held = schedule.held_prices(self.scenario, self.site)
        self._held = (event for event in held if event.envelope.id not in found)
        self._found = set()

    def next_at(self) -> int:
        """When the next thing is due; what is overdue counts too."""
        assert self.now is not None
        tick_ms = self.scenario.tick_s * 1000
        times = [self.now - self.now % tick_ms + tick_ms, *self._meter_ends().values()]
        times.append(self._upcoming().at)
        due = self.world.next_due()
        if due is not None:
            times.append(due)
        return min(times)

    def step(self) -> list[Planned]:
        """Everything of the next instant: tick, hardware's reports, meters, prices, arrivals.

        A switch that ends makes no tick of its own: it changes nothing that needs the time.
        """
        at = self.next_at()
        assert self.now is not None
        reports = list(self._due_reports(at))
        feed = list(self._due_feed(at))
        only_switches = reports and not feed and all(_is_switch(report) for report in reports)
        aligned = at % (self.scenario.tick_s * 1000) == 0
        ticks = at > self.now and (aligned or not only_switches)
        reports += self._due_readings(at)
        return [
            *([self._tick(at)] if ticks else []),
            *(self._planned(report) for report in reports),
            *feed,
        ]

    def _tick(self, at: int) -> Planned:
        self.now = at
        return planned(self.scenario, self.site_id, TimePassed(site_id=self.site_id, at=at), at)

    def _due_reports(self, at: int) -> Iterator[Report]:
        while (due := self.world.next_due()) is not None and due <= at:
            yield self.world.take_due()

    def _due_readings(self, at: int) -> Iterator[Report]:
        for feeder_id, end in sorted(self._meter_ends().items()):
            if end <= at:
                yield self.world.read_meters(feeder_id, self.world.feeders[feeder_id], end)

    def _due_feed(self, at: int) -> Iterator[Planned]:
        while (upcoming := self._upcoming()).at <= at:
            self._next += 1
            yield upcoming

    def _upcoming(self) -> Planned:
        """Next of the feed: there is always a price to come."""
        if self._next == len(self._feed):
            self._feed, self._next = [next(self._held)], 0
        return self._feed[self._next]

    def _meter_ends(self) -> dict[str, int]:
        """Until when to read next: an interval more, or all that a leap of the clock left out."""
        assert self.now is not None
        interval_ms = self.scenario.meter_interval_s * 1000
        passed = self.now - self.now % interval_ms
        return {
            feeder_id: max(until - until % interval_ms + interval_ms, passed)
            for feeder_id, until in self.world.feeders.items()
        }

    def _planned(self, report: Report) -> Planned:
        return planned(self.scenario, self.site_id, report.event, *report.names)


def _clock_told(event: SitesEvent, *, ours: bool) -> int | None:
    """Where the clock stands, from who knows: our own ticks, and routing, which alone judges the
    ticks of others. Time it believed it never takes back, so ours must not stay behind it."""
    match event:
        case TimePassed() if ours:
            return event.at
        case HourClosed() | InputRejected(reason="clock_backwards"):
            return event.at
        case _:
            return None


def _is_switch(report: Report) -> bool:
    return report.event.FULL_NAME.endswith(".UnitSwitched")
