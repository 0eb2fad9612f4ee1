"""A site in few words: events at hours and minutes of one day, folded as the loop folds them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from schemas.events import sites
from schemas.events.accounts import UsageCollected, UsageRecorded
from schemas.events.sites import SitesEvent
from streams.definition import step
from streams.metering.agent import AGENT
from streams.metering.intervals import QUARTER_MS
from streams.metering.state import State
from streams.quantities import HOUR_MS

DAY = 1_717_200_000_000  # 2024-06-01T00:00Z
SITE = "plano"
FEEDER = "f1"
GPU = "gpu-1"
ROUTINGS = (
    sites.WorkloadPlaced,
    sites.WorkloadQueued,
    sites.WorkloadReleased,
    sites.WorkloadRequeued,
)


def at(hours: int, minutes: int = 0, ms: int = 0) -> int:
    return DAY + hours * HOUR_MS + minutes * 60_000 + ms


def configured(when: int = DAY) -> sites.SiteConfigured:
    return sites.SiteConfigured(
        site_id=SITE,
        at=when,
        name="Plano",
        power_cap_w=100_000,
        feeders=tuple(
            sites.Feeder(feeder_id=feeder_id, power_cap_w=100_000) for feeder_id in (FEEDER, "f2")
        ),
        gpu_prices=(),
    )


def registered(
    unit_id: str = GPU, *, feeder_id: str = FEEDER, kind: str = "gpu"
) -> sites.UnitRegistered:
    return sites.UnitRegistered(
        site_id=SITE,
        at=DAY,
        unit_id=unit_id,
        feeder_id=feeder_id,
        kind=kind,
        model="H100",
        modes=tuple(
            sites.UnitMode(mode=mode, power_w=power_w, hashrate_ths=0, tflops=0.0)
            for mode, power_w in (("off", 0), ("compute", 700))
        ),
    )


def tick(when: int) -> sites.TimePassed:
    return sites.TimePassed(site_id=SITE, at=when)


def closed(when: int) -> sites.HourClosed:
    return sites.HourClosed(site_id=SITE, at=when, closed_until=when // HOUR_MS * HOUR_MS)


def queued(workload_id: str = "w1", *, when: int = DAY, customer_id: str = "acme") -> SitesEvent:
    return sites.WorkloadQueued(
        site_id=SITE,
        at=when,
        workload_id=workload_id,
        customer_id=customer_id,
        name=workload_id,
        kind="training",
        gpu_count=1,
        duration_s=3600,
        submitted_at=when,
        reason="waits for units",
    )


def placed(
    placement_id: str = "p1",
    *,
    when: int,
    workload_id: str = "w1",
    customer_id: str = "acme",
    units: Iterable[tuple[str, int]] = ((GPU, 1000),),
    list_price: str = "2.35",
) -> sites.WorkloadPlaced:
    units = tuple(units)
    return sites.WorkloadPlaced(
        site_id=SITE,
        at=when,
        workload_id=workload_id,
        placement_id=placement_id,
        customer_id=customer_id,
        gpu_model="H100",
        gpu_milli=units[0][1],
        units=tuple(
            sites.UnitShare(unit_id=unit, gpu_milli=milli, power_w=700) for unit, milli in units
        ),
        duration_s=3600,
        attempt=1,
        price_usd_per_gpu_hour=Decimal(list_price),
        decision_id=f"d-{placement_id}",
    )


def released(
    placement_id: str | None = "p1",
    *,
    when: int,
    workload_id: str = "w1",
    customer_id: str = "acme",
    reason: str = "",
) -> sites.WorkloadReleased:
    return sites.WorkloadReleased(
        site_id=SITE,
        at=when,
        workload_id=workload_id,
        placement_id=placement_id,
        customer_id=customer_id,
        outcome="completed",
        reason=reason,
    )


def requeued(
    placement_id: str = "p1",
    *,
    when: int,
    reason: str,
    workload_id: str = "w1",
    customer_id: str = "acme",
) -> sites.WorkloadRequeued:
    return sites.WorkloadRequeued(
        site_id=SITE,
        at=when,
        workload_id=workload_id,
        placement_id=placement_id,
        customer_id=customer_id,
        reason=reason,
    )


def metered(
    start: int,
    readings: Iterable[tuple[str, int]],
    *,
    length: int = QUARTER_MS,
    feeder_id: str = FEEDER,
) -> sites.EnergyMetered:
    return sites.EnergyMetered(
        site_id=SITE,
        at=start + length,
        feeder_id=feeder_id,
        interval_start=start,
        interval_end=start + length,
        readings=tuple(
            sites.MeterReading(unit_id=unit, energy_wh=energy, work_th=0)
            for unit, energy in readings
        ),
    )


def priced(start: int, price: str, *, length: int = QUARTER_MS) -> sites.PowerPricePublished:
    return sites.PowerPricePublished(
        site_id=SITE,
        at=start,
        settlement_point="HB_NORTH",
        interval_start=start,
        interval_end=start + length,
        price_usd_per_mwh=Decimal(price),
    )


def metered_hour(hour: int, energy_wh: int) -> list[SitesEvent]:
    """All meters and prices of an hour in which one GPU ran."""
    quarters = [at(hour) + quarter * QUARTER_MS for quarter in range(4)]
    return [
        *(priced(quarter, "20") for quarter in quarters),
        *(metered(quarter, [(GPU, energy_wh)]) for quarter in quarters),
    ]


@dataclass
class Folded:
    """A state, and everything that was said on the way to it."""

    state: State = field(default_factory=lambda: AGENT.initial(SITE))
    answers: list[UsageRecorded | UsageCollected] = field(default_factory=list)
    differences: list[sites.BillingDifferenceFound] = field(default_factory=list)

    def fold(self, *events: SitesEvent) -> Folded:
        for told in (told for event in events for told in self._in_time(event)):
            self.state, answers = step(AGENT, self.state, told)
            for answer in answers:
                if isinstance(answer, sites.BillingDifferenceFound):
                    self.differences.append(answer)
                    continue
                assert isinstance(answer, UsageRecorded | UsageCollected)
                self.answers.append(answer)
        return self

    def _in_time(self, event: SitesEvent) -> Iterator[SitesEvent]:
        """Routing writes the clock's time, which the log has told before."""
        now = self.state.now
        if isinstance(event, ROUTINGS) and now is not None and now < event.at:
            yield tick(event.at)
        yield event

    def usage(self, meter: str) -> list[UsageRecorded]:
        return [
            answer
            for answer in self.answers
            if isinstance(answer, UsageRecorded) and answer.meter == meter
        ]

    @property
    def watermarks(self) -> list[tuple[str, int]]:
        return [
            (answer.customer_id, answer.collected_until)
            for answer in self.answers
            if isinstance(answer, UsageCollected)
        ]


def running_site() -> Folded:
    """One GPU, the clock at ten."""
    return Folded().fold(configured(), registered(), tick(at(10)), closed(at(10)))
