"""What producers write in the benchmarks: a site that mines everywhere, and workloads that come."""

from __future__ import annotations

import random
from decimal import Decimal

from schemas.events import sites
from schemas.events.sites import SitesEvent

T0 = 1_700_000_000_000
FEEDERS = ("f0", "f1", "f2", "f3")
S21_W = 3_500
GPU_SHARE = 0.2


def opening(site_id: str, units: int) -> list[SitesEvent]:
    """A site whose ASICs all mine and leave no headroom, so that AI must displace them."""
    gpus = int(units * GPU_SHARE)
    cap_w = (units - gpus) * S21_W
    feeders = tuple(
        sites.Feeder(feeder_id=feeder_id, power_cap_w=cap_w // 4) for feeder_id in FEEDERS
    )
    prices = (sites.GpuPrice(gpu_model="H100", price_usd_per_gpu_hour=Decimal("2.35")),)
    return [
        sites.SiteConfigured(
            site_id=site_id, at=T0, name="", power_cap_w=cap_w, feeders=feeders, gpu_prices=prices
        ),
        sites.TimePassed(site_id=site_id, at=T0),
        sites.PowerPricePublished(
            site_id=site_id,
            at=T0,
            settlement_point="HB_HUBAVG",
            interval_start=T0,
            interval_end=T0 + 900_000,
            price_usd_per_mwh=Decimal("25.5"),
        ),
        sites.HashpricePublished(
            site_id=site_id,
            at=T0,
            interval_start=T0,
            hashprice_usd_per_ph_day=Decimal("38.2"),
            difficulty=152,
            fees_sats=0,
            btc_price_usd=Decimal(91_000),
        ),
        *(_unit(site_id, number, number < gpus) for number in range(units)),
        _everything_mines(site_id, range(gpus, units)),
    ]


def submission(site_id: str, serial: int, now: int, pick: random.Random) -> SitesEvent:
    count = pick.choice((1, 1, 1, 1, 1, 2, 4))
    return sites.WorkloadSubmitted(
        site_id=site_id,
        at=now,
        workload_id=f"{site_id}-w{serial:08}",
        customer_id=f"c{serial % 50}",
        name="run",
        kind="batch",
        gpu_model="H100",
        gpu_count=count,
        gpu_milli=pick.choice((1000, 1000, 500, 250)) if count == 1 else 1000,
        duration_s=600,
        priority=pick.choice((0, 0, 0, 5)),
    )


def completion(site_id: str, workload_id: str, placement_id: str, now: int) -> SitesEvent:
    return sites.WorkloadCompleted(
        site_id=site_id, at=now, workload_id=workload_id, placement_id=placement_id
    )


def _everything_mines(site_id: str, asics: range) -> SitesEvent:
    unit_ids = tuple(sorted(f"u{number:05}" for number in asics))
    return sites.PowerPlanProposed(
        site_id=site_id,
        at=T0,
        plan_id="all",
        policy_version="bench",
        trigger="price",
        assignments=(sites.PlanAssignment(mode="normal", unit_ids=unit_ids),),
        headroom=(),
        site_shadow_price_usd_per_mwh=Decimal(0),
        value_usd_micros_per_hour=0,
        bound_usd_micros_per_hour=0,
    )


def _unit(site_id: str, number: int, gpu: bool) -> SitesEvent:
    name, power_w, hashrate_ths = ("compute", 700, 0) if gpu else ("normal", S21_W, 200)
    return sites.UnitRegistered(
        site_id=site_id,
        at=T0,
        unit_id=f"u{number:05}",
        feeder_id=FEEDERS[number % 4],
        kind="gpu" if gpu else "asic",
        model="H100" if gpu else "S21",
        modes=(
            sites.UnitMode(mode="off", power_w=0, hashrate_ths=0, tflops=0.0),
            sites.UnitMode(mode=name, power_w=power_w, hashrate_ths=hashrate_ths, tflops=0.0),
        ),
    )
