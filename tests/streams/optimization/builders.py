"""Events of one site, `dallas`, with the fields that the tests do not care about filled in."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from schemas.events.sites import (
    CurtailmentRequested,
    Feeder,
    HashpricePublished,
    PowerPricePublished,
    SiteConfigured,
    TimePassed,
    UnitMode,
    UnitModeAssigned,
    UnitRegistered,
    UnitShare,
    WorkloadPlaced,
    WorkloadReleased,
)

MINUTE = 60_000
QUARTER = 15 * MINUTE
CONFIGURED = SiteConfigured(
    site_id="dallas",
    at=0,
    name="Dallas",
    power_cap_w=14_000,
    feeders=(
        Feeder(feeder_id="a", power_cap_w=10_500),
        Feeder(feeder_id="b", power_cap_w=10_500),
    ),
    gpu_prices=(),
)


def tick(at: int) -> TimePassed:
    return TimePassed(site_id="dallas", at=at)


def power(usd: str, start: int = 0) -> PowerPricePublished:
    return PowerPricePublished(
        site_id="dallas",
        at=start,
        settlement_point="HB_NORTH",
        interval_start=start,
        interval_end=start + QUARTER,
        price_usd_per_mwh=Decimal(usd),
    )


def hashes(usd: str, start: int = 0) -> HashpricePublished:
    return HashpricePublished(
        site_id="dallas",
        at=start,
        interval_start=start,
        hashprice_usd_per_ph_day=Decimal(usd),
        difficulty=1,
        fees_sats=0,
        btc_price_usd=Decimal(1),
    )


def curtailment(max_power_w: int, starts_at: int, duration_s: int) -> CurtailmentRequested:
    return CurtailmentRequested(
        site_id="dallas",
        at=0,
        curtailment_id="c1",
        max_power_w=max_power_w,
        starts_at=starts_at,
        duration_s=duration_s,
    )


def mode(name: str, power_w: int, hashrate_ths: int) -> UnitMode:
    return UnitMode(mode=name, power_w=power_w, hashrate_ths=hashrate_ths, tflops=0.0)


def asic(unit_id: str, feeder_id: str) -> UnitRegistered:
    return UnitRegistered(
        site_id="dallas",
        at=0,
        unit_id=unit_id,
        feeder_id=feeder_id,
        kind="asic",
        model="S21",
        modes=(mode("off", 0, 0), mode("normal", 3_500, 200)),
    )


def gpu(unit_id: str, feeder_id: str) -> UnitRegistered:
    modes = (mode("off", 0, 0), mode("compute", 4_000, 0))
    return replace(asic(unit_id, feeder_id), kind="gpu", model="H100", modes=modes)


def assigned(unit_id: str, mode_name: str) -> UnitModeAssigned:
    return UnitModeAssigned(
        site_id="dallas",
        at=0,
        unit_id=unit_id,
        mode=mode_name,
        power_w=0,
        reason="plan",
        decision_id="d",
    )


def placed(placement_id: str, unit_id: str, power_w: int) -> WorkloadPlaced:
    return WorkloadPlaced(
        site_id="dallas",
        at=0,
        workload_id=placement_id,
        placement_id=placement_id,
        customer_id="c",
        gpu_model="H100",
        gpu_milli=500,
        units=(UnitShare(unit_id=unit_id, gpu_milli=500, power_w=power_w),),
        duration_s=60,
        attempt=1,
        price_usd_per_gpu_hour=Decimal(2),
        decision_id="d",
    )


def released(placement_id: str) -> WorkloadReleased:
    return WorkloadReleased(
        site_id="dallas",
        at=0,
        workload_id=placement_id,
        placement_id=placement_id,
        customer_id="c",
        outcome="completed",
    )
