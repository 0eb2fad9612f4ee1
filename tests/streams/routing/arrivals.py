"""Random but reproducible inputs for one small site: ordinary days, races and nonsense."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from decimal import Decimal
from typing import Any

from schemas.events import sites
from schemas.events.sites import SitesEvent

SITE = "s1"
T0 = 1_700_000_000_000
FEEDERS = ("fa", "fb", "fc")
DAY = 86_400_000
LONGS = (2**63 - 1, 2**62, -(2**63), 2**31, 10**13, -1, 0)
DECIMALS = tuple(Decimal(text) for text in ("999999999999.999999", "-999999999999", "5000000"))
MODELS = {"H100": 700, "A100": 400}


def years(count: int) -> int:
    return count * 365 * DAY


def with_extreme(pick: random.Random, event: Any) -> Any:  # noqa: ANN401 - any event, or a part
    """The same event but for one number, which nobody sends who means well."""
    numbers = [
        field.name
        for field in fields(event)
        if isinstance(getattr(event, field.name), int | Decimal | tuple)
        and not isinstance(getattr(event, field.name), bool)
        and getattr(event, field.name) != ()
    ]
    name = pick.choice(numbers)
    value = getattr(event, name)
    if isinstance(value, Decimal):
        return replace(event, **{name: pick.choice(DECIMALS)})
    if isinstance(value, int):
        return replace(event, **{name: pick.choice(LONGS)})
    position = pick.randrange(len(value))
    if not is_dataclass(value[position]):
        return event
    parts = [*value]
    parts[position] = with_extreme(pick, parts[position])
    return replace(event, **{name: tuple(parts)})


class Arrivals:
    """Makes inputs one by one; told what routing placed, it reports about it, or falsely."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = T0
        self.serial = 0
        self.placements: list[tuple[str, str]] = []
        self.submitted: list[sites.WorkloadSubmitted] = []
        self.asics = [f"a{number}" for number in range(10)]
        self.gpus = [f"g{number}" for number in range(12)]
        self.makers: tuple[tuple[int, Callable[[], SitesEvent]], ...] = (
            (30, self.submit),
            (22, self.report),
            (14, self.tick),
            (8, self.plan),
            (5, self.power_price),
            (2, self.hashprice),
            (4, self.curtail),
            (2, self.lift),
            (4, self.switch),
            (3, self.unit_event),
            (2, self.register),
            (1, self.configure),
            (2, self.cancel),
            (2, self.nonsense),
            (2, self.extreme),
            (1, self.jump),
            (1, self.meter),
        )
        self.curtailments: list[SitesEvent] = []

    def opening(self) -> list[SitesEvent]:
        units = [self._unit(unit_id) for unit_id in (*self.gpus, *self.asics)]
        return [self._configuration(12_000, 9_000), self._time(), *units]

    def next(self) -> SitesEvent:
        weights = [weight for weight, _ in self.makers]
        (_, make), *_ = self.random.choices(self.makers, weights)
        return make()

    def saw(self, answers: list[object]) -> None:
        for answer in answers:
            if isinstance(answer, sites.WorkloadPlaced):
                self.placements.append((answer.workload_id, answer.placement_id))
        del self.placements[:-40]
        del self.submitted[:-40]

    def submit(self) -> SitesEvent:
        pick = self.random
        if self.submitted and pick.random() < 0.1:
            return pick.choice(self.submitted)
        self.serial += 1
        count = pick.choice((1, 1, 1, 2, 3, 4, 8))
        event = sites.WorkloadSubmitted(
            site_id=SITE,
            at=self.now - pick.choice((0, 0, 1_000)),
            workload_id=f"w{pick.randrange(1_000_000)}-{self.serial}",
            customer_id=f"c{pick.randrange(3)}",
            name="a run",
            kind=pick.choice(("training", "inference", "batch", "interactive")),
            gpu_model=pick.choice((None, "H100", "A100", "H100")),
            gpu_count=count,
            gpu_milli=pick.choice((1000, 250, 333, 500)) if count == 1 else 1000,
            duration_s=pick.choice((60, 600, 7200)),
            priority=pick.choice((0, 0, 5, -1)),
            deadline=pick.choice((None, None, self.now + 900_000, self.now + 20_000_000)),
            max_price_usd_per_gpu_hour=pick.choice((None, None, Decimal("2.000000"))),
        )
        self.submitted.append(event)
        return event

    def report(self) -> SitesEvent:
        if not self.placements:
            return self.tick()
        workload_id, placement_id = self.random.choice(self.placements)
        named: dict[str, Any] = {
            "site_id": SITE,
            "at": self.now,
            "workload_id": workload_id,
            "placement_id": placement_id,
        }
        kind = self.random.randrange(10)
        if kind == 0:
            return sites.WorkloadStarted(**named)
        if kind == 1:
            return sites.WorkloadFailed(**named, reason="out of memory")
        return sites.WorkloadCompleted(**named)

    def tick(self) -> SitesEvent:
        self.now += self.random.choice((0, 60_000, 300_000, 900_000, 3_600_000))
        return self._time()

    def plan(self) -> SitesEvent:
        modes: dict[str, list[str]] = {}
        for unit_id in self.asics:
            mode = self.random.choice(("normal", "normal", "eco", "off", "turbo"))
            modes.setdefault(mode, []).append(unit_id)
        self.serial += 1
        return sites.PowerPlanProposed(
            site_id=SITE,
            at=self.now,
            plan_id=f"p{self.serial}",
            policy_version="test",
            trigger="price",
            assignments=tuple(
                sites.PlanAssignment(mode=mode, unit_ids=tuple(unit_ids))
                for mode, unit_ids in sorted(modes.items())
            ),
            headroom=(),
            site_shadow_price_usd_per_mwh=Decimal(0),
            value_usd_micros_per_hour=0,
            bound_usd_micros_per_hour=0,
        )

    def power_price(self) -> SitesEvent:
        start = self.now + self.random.choice((-900_000, 0, 0, 900_000))
        price = self.random.choice(("-12.5", "25.25", "60", "95", "4900"))
        return sites.PowerPricePublished(
            site_id=SITE,
            at=self.now,
            settlement_point="HB_HUBAVG",
            interval_start=start,
            interval_end=start + 900_000,
            price_usd_per_mwh=Decimal(price),
        )

    def hashprice(self) -> SitesEvent:
        return sites.HashpricePublished(
            site_id=SITE,
            at=self.now,
            interval_start=self.now,
            hashprice_usd_per_ph_day=Decimal(self.random.choice(("38.2", "55", "380"))),
            difficulty=1,
            fees_sats=0,
            btc_price_usd=Decimal(1),
        )

    def jump(self) -> SitesEvent:
        """A clock gone wrong; seldom a site that was down for long, whose next tick confirms it."""
        ahead = self.random.choice((40 * DAY, 300 * DAY, years(60)))
        if self.random.random() < 0.1 and self.now < T0 + years(20):
            self.now += 40 * DAY
            return self._time()
        return sites.TimePassed(site_id=SITE, at=self.now + ahead)

    def meter(self) -> SitesEvent:
        start = self.now // 900_000 * 900_000
        return sites.EnergyMetered(
            site_id=SITE,
            at=self.now,
            feeder_id=self.random.choice(FEEDERS),
            interval_start=start,
            interval_end=start + 900_000,
            readings=(sites.MeterReading(unit_id="g0", energy_wh=175, work_th=0),),
        )

    def extreme(self) -> SitesEvent:
        """An ordinary input with one of its numbers, at any depth, replaced by an extreme one."""
        makers = [make for _, make in self.makers if make not in (self.extreme, self.plan)]
        changed: SitesEvent = with_extreme(self.random, self.random.choice(makers)())
        return changed

    def curtail(self) -> SitesEvent:
        if self.curtailments and self.random.random() < 0.2:
            return self.random.choice(self.curtailments)
        self.curtailments.append(self._curtailment())
        del self.curtailments[:-20]
        return self.curtailments[-1]

    def _curtailment(self) -> SitesEvent:
        return sites.CurtailmentRequested(
            site_id=SITE,
            at=self.now,
            curtailment_id=f"k{self.random.randrange(30)}",
            max_power_w=self.random.choice((0, self._level(12_000), 50_000)),
            starts_at=self.now + self.random.choice((-60_000, 0, 300_000)),
            duration_s=self.random.choice((300, 900, 3600)),
            payment_usd_per_mwh=self.random.choice((None, Decimal(100))),
        )

    def lift(self) -> SitesEvent:
        return sites.CurtailmentLifted(
            site_id=SITE, at=self.now, curtailment_id=f"k{self.random.randrange(30)}"
        )

    def switch(self) -> SitesEvent:
        unit_id = self.random.choice(self.asics + self.gpus)
        workload_id = self.random.choice(self.placements)[0] if self.placements else None
        return sites.UnitSwitched(
            site_id=SITE,
            at=self.now,
            unit_id=unit_id,
            mode="off" if unit_id in self.asics else "compute",
            workload_id=workload_id if unit_id in self.gpus else None,
            save_ms=50,
            clear_ms=80,
            load_ms=120,
            initialise_ms=150,
            succeeded=self.random.random() < 0.5,
        )

    def unit_event(self) -> SitesEvent:
        unit_id = self.random.choice([*self.asics, *self.gpus, "ghost"])
        named: dict[str, Any] = {"site_id": SITE, "at": self.now, "unit_id": unit_id}
        kind = self.random.randrange(8)
        if kind < 2:
            return sites.UnitFailed(**named, reason="overheated")
        if kind == 2:
            return sites.UnitDrained(**named, reason="maintenance")
        if kind == 3:
            health = self.random.choice(("ok", "degraded"))
            return sites.UnitReported(**named, health=health, power_w=self.random.choice((-1, 5)))
        return sites.UnitRecovered(**named)

    def register(self) -> SitesEvent:
        return self._unit(self.random.choice(self.asics + self.gpus), self.random.random() < 0.5)

    def configure(self) -> SitesEvent:
        return self._configuration(self._level(20_000), self._level(9_000))

    def cancel(self) -> SitesEvent:
        workload_id = self.submitted[-1].workload_id if self.submitted else "ghost"
        return sites.WorkloadCancelled(
            site_id=SITE, at=self.now, workload_id=workload_id, cancelled_by="c0"
        )

    def nonsense(self) -> SitesEvent:
        return self.random.choice(
            (
                sites.TimePassed(site_id=SITE, at=self.now - 5),
                sites.WorkloadCompleted(
                    site_id=SITE, at=self.now, workload_id="ghost", placement_id="ghost/1"
                ),
                sites.WorkloadSubmitted(
                    site_id=SITE,
                    at=self.now,
                    workload_id="bad",
                    customer_id="c0",
                    name="",
                    kind="training",
                    gpu_count=-3,
                    duration_s=0,
                ),
                sites.EnergyMetered(
                    site_id=SITE,
                    at=self.now,
                    feeder_id="fa",
                    interval_start=0,
                    interval_end=1,
                    readings=(sites.MeterReading(unit_id="g0", energy_wh=-1, work_th=0),),
                ),
            )
        )

    def _level(self, most_w: int) -> int:
        """A limit, often a watt beside a sum of units, which draw multiples of 50 W."""
        return self.random.randrange(most_w // 5, most_w, 50) + self.random.choice((0, 1, 49))

    def _time(self) -> SitesEvent:
        return sites.TimePassed(site_id=SITE, at=self.now)

    def _configuration(self, site_w: int, feeder_w: int) -> SitesEvent:
        feeders = FEEDERS[: self.random.choice((2, 3))] if self.serial else FEEDERS
        prices = {"H100": "2.35", "A100": "1.29"}
        if self.serial and self.random.random() < 0.1:
            del prices[self.random.choice(sorted(prices))]
        return sites.SiteConfigured(
            site_id=SITE,
            at=self.now,
            name="Test site",
            power_cap_w=site_w,
            feeders=tuple(
                sites.Feeder(feeder_id=feeder_id, power_cap_w=feeder_w) for feeder_id in feeders
            ),
            gpu_prices=tuple(
                sites.GpuPrice(gpu_model=model, price_usd_per_gpu_hour=Decimal(price))
                for model, price in prices.items()
            ),
        )

    def _unit(self, unit_id: str, moved: bool = False) -> SitesEvent:
        number = int(unit_id[1:])
        feeder_id = self.random.choice(FEEDERS) if moved else FEEDERS[number % 3]
        if unit_id in self.asics:
            eco_w = self.random.choice((2_400, 2_000)) if moved else 2_400
            modes: tuple[sites.UnitMode, ...] = (
                sites.UnitMode(mode="off", power_w=0, hashrate_ths=0, tflops=0.0),
                sites.UnitMode(mode="eco", power_w=eco_w, hashrate_ths=150, tflops=0.0),
                sites.UnitMode(mode="normal", power_w=3_500, hashrate_ths=200, tflops=0.0),
            )
            return self._registration(unit_id, feeder_id, "asic", "S21", modes)
        model = sorted(MODELS)[number % 2]
        power_w = MODELS[model] + (self.random.choice((0, 50)) if moved else 0)
        modes = (
            sites.UnitMode(mode="off", power_w=0, hashrate_ths=0, tflops=0.0),
            sites.UnitMode(mode="compute", power_w=power_w, hashrate_ths=0, tflops=300.0),
        )
        return self._registration(unit_id, feeder_id, "gpu", model, modes)

    def _registration(
        self,
        unit_id: str,
        feeder_id: str,
        kind: str,
        model: str,
        modes: tuple[sites.UnitMode, ...],
    ) -> SitesEvent:
        return sites.UnitRegistered(
            site_id=SITE,
            at=self.now,
            unit_id=unit_id,
            feeder_id=feeder_id,
            kind=kind,
            model=model,
            memory_gb=80,
            modes=modes,
        )
