"""A site under test: given events, when one more comes, then these answers.

Every event goes through the oracle, so each test also checks power, units and placements.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, TypeVar

from schemas.events import sites
from schemas.events.decisions import DecisionExplained
from schemas.events.sites import SitesEvent
from streams.definition import step
from streams.routing.agent import AGENT
from streams.routing.state import State
from tests.streams.routing.oracle import Oracle

T = TypeVar("T")

SITE = "s1"
NOON = 1_704_110_400_000
MINUTE = 60_000
HOUR = 3_600_000


class SiteUnderTest:
    """Starts configured at noon: two feeders, H100 at $2.35, A100 at $1.29, power at $25/MWh."""

    def __init__(self, site_w: int = 100_000, fa_w: int = 50_000, fb_w: int = 50_000) -> None:
        self.state = State(SITE)
        self.oracle = Oracle()
        self.given(
            configured(site_w, fa=fa_w, fb=fb_w), time(NOON), power_price("25"), hashprice("38.2")
        )

    def given(self, *events: SitesEvent) -> SiteUnderTest:
        for event in events:
            self.when(event)
        return self

    def when(self, event: SitesEvent) -> list[Any]:
        self.state, answers = step(AGENT, self.state, event)
        self.oracle.watch(event, answers)
        return list(answers)

    def gpus(self, count: int, feeder: str = "fa", model: str = "H100", watts: int = 700) -> None:
        known = sum(unit.kind == "gpu" for unit in self.state.units.values())
        for number in range(known, known + count):
            self.when(gpu(f"g{number:02}", feeder, model, watts))

    def asics(self, count: int, feeder: str = "fa", mode: str = "normal") -> None:
        """ASICs that mine. S21: 3,500 W and 200 TH/s; eco 2,000 W and 150 TH/s."""
        known = sum(unit.kind == "asic" for unit in self.state.units.values())
        unit_ids = [f"a{number:02}" for number in range(known, known + count)]
        for unit_id in unit_ids:
            self.when(asic(unit_id, feeder))
        self.when(plan({mode: unit_ids}))

    def modes(self) -> dict[str, str]:
        units = self.state.units.values()
        return {unit.unit_id: unit.mode for unit in units if unit.kind == "asic"}


def of(kind: type[T], answers: Sequence[Any]) -> list[T]:
    return [answer for answer in answers if isinstance(answer, kind)]


def the(kind: type[T], answers: Sequence[Any]) -> T:
    found = of(kind, answers)
    assert len(found) == 1, f"expected one {kind.__name__} in {answers}"
    return found[0]


def names(answers: Sequence[Any]) -> list[str]:
    return [type(answer).__name__ for answer in answers]


def placed_on(answers: Sequence[Any]) -> list[str]:
    return [share.unit_id for share in the(sites.WorkloadPlaced, answers).units]


def explained(answers: Sequence[Any]) -> DecisionExplained:
    return the(DecisionExplained, answers)


def configured(
    site_w: int = 100_000, prices: dict[str, str] | None = None, **feeders_w: int
) -> SitesEvent:
    listed = {"H100": "2.35", "A100": "1.29"} if prices is None else prices
    return sites.SiteConfigured(
        site_id=SITE,
        at=NOON,
        name="Test",
        power_cap_w=site_w,
        feeders=tuple(
            sites.Feeder(feeder_id=feeder_id, power_cap_w=cap_w)
            for feeder_id, cap_w in feeders_w.items()
        ),
        gpu_prices=tuple(
            sites.GpuPrice(gpu_model=model, price_usd_per_gpu_hour=Decimal(price))
            for model, price in listed.items()
        ),
    )


def time(at: int) -> SitesEvent:
    return sites.TimePassed(site_id=SITE, at=at)


def power_price(usd_per_mwh: str, start: int = NOON) -> SitesEvent:
    return sites.PowerPricePublished(
        site_id=SITE,
        at=start,
        settlement_point="HB_HUBAVG",
        interval_start=start,
        interval_end=start + 15 * MINUTE,
        price_usd_per_mwh=Decimal(usd_per_mwh),
    )


def hashprice(usd_per_ph_day: str, start: int = NOON) -> SitesEvent:
    return sites.HashpricePublished(
        site_id=SITE,
        at=start,
        interval_start=start,
        hashprice_usd_per_ph_day=Decimal(usd_per_ph_day),
        difficulty=152_000_000_000_000,
        fees_sats=2_000_000,
        btc_price_usd=Decimal(91_000),
    )


def gpu(unit_id: str, feeder: str = "fa", model: str = "H100", watts: int = 700) -> SitesEvent:
    return unit(unit_id, feeder, "gpu", model, {"off": (0, 0), "compute": (watts, 0)})


def asic(unit_id: str, feeder: str = "fa", normal_w: int = 3_500) -> SitesEvent:
    modes = {"off": (0, 0), "eco": (2_000, 150), "normal": (normal_w, 200)}
    return unit(unit_id, feeder, "asic", "S21", modes)


def unit(
    unit_id: str, feeder: str, kind: str, model: str, modes: dict[str, tuple[int, int]]
) -> SitesEvent:
    """modes: power in W and terahashes a second, by name."""
    return sites.UnitRegistered(
        site_id=SITE,
        at=NOON,
        unit_id=unit_id,
        feeder_id=feeder,
        kind=kind,
        model=model,
        modes=tuple(
            sites.UnitMode(mode=name, power_w=power_w, hashrate_ths=ths, tflops=0.0)
            for name, (power_w, ths) in modes.items()
        ),
    )


def submitted(
    workload_id: str = "w1",
    count: int = 1,
    milli: int = 1000,
    model: str | None = "H100",
    at: int = NOON,
    **other: Any,  # noqa: ANN401 - fields of the event
) -> SitesEvent:
    fields: dict[str, Any] = {
        "customer_id": "c1",
        "name": "run",
        "kind": "training",
        "duration_s": 3600,
        **other,
    }
    return sites.WorkloadSubmitted(
        site_id=SITE,
        at=at,
        workload_id=workload_id,
        gpu_model=model,
        gpu_count=count,
        gpu_milli=milli,
        **fields,
    )


def completed(workload_id: str = "w1", attempt: int = 1) -> SitesEvent:
    return sites.WorkloadCompleted(
        site_id=SITE,
        at=NOON,
        workload_id=workload_id,
        placement_id=f"{workload_id}/{attempt}",
    )


def cancelled(workload_id: str = "w1") -> SitesEvent:
    return sites.WorkloadCancelled(
        site_id=SITE, at=NOON, workload_id=workload_id, cancelled_by="c1", reason="changed my mind"
    )


def failed(unit_id: str, at: int = NOON) -> SitesEvent:
    return sites.UnitFailed(site_id=SITE, at=at, unit_id=unit_id, reason="overheated")


def recovered(unit_id: str, at: int = NOON) -> SitesEvent:
    return sites.UnitRecovered(site_id=SITE, at=at, unit_id=unit_id)


def drained(unit_id: str) -> SitesEvent:
    return sites.UnitDrained(site_id=SITE, at=NOON, unit_id=unit_id, reason="maintenance")


def switched(
    unit_id: str, workload_id: str | None = None, mode: str = "compute", ok: bool = False
) -> SitesEvent:
    return sites.UnitSwitched(
        site_id=SITE,
        at=NOON,
        unit_id=unit_id,
        mode=mode,
        workload_id=workload_id,
        save_ms=50,
        clear_ms=80,
        load_ms=120,
        initialise_ms=150,
        succeeded=ok,
    )


def plan(modes: dict[str, list[str]], plan_id: str = "p1") -> SitesEvent:
    return sites.PowerPlanProposed(
        site_id=SITE,
        at=NOON,
        plan_id=plan_id,
        policy_version="test",
        trigger="price",
        assignments=tuple(
            sites.PlanAssignment(mode=mode, unit_ids=tuple(unit_ids))
            for mode, unit_ids in modes.items()
        ),
        headroom=(),
        site_shadow_price_usd_per_mwh=Decimal(0),
        value_usd_micros_per_hour=0,
        bound_usd_micros_per_hour=10**9,
    )


def curtailment(
    max_power_w: int,
    curtailment_id: str = "k1",
    starts_at: int = NOON,
    duration_s: int = 3600,
    payment: str | None = None,
) -> SitesEvent:
    return sites.CurtailmentRequested(
        site_id=SITE,
        at=NOON,
        curtailment_id=curtailment_id,
        max_power_w=max_power_w,
        starts_at=starts_at,
        duration_s=duration_s,
        payment_usd_per_mwh=None if payment is None else Decimal(payment),
    )


def lifted(curtailment_id: str = "k1") -> SitesEvent:
    return sites.CurtailmentLifted(site_id=SITE, at=NOON, curtailment_id=curtailment_id)
