"""Inputs for the ledger agent."""

from __future__ import annotations

import random
from decimal import Decimal

from schemas.events.sites import PowerPlanProposed, TimePassed, UnitReported
from schemas.topics import Event


def report(at: int, *, unit: int = 0, site: str = "site-a", health: str = "ok") -> UnitReported:
    return UnitReported(
        site_id=site, at=at, unit_id=f"u{unit}", health=health, power_w=100 * unit + at % 97
    )


def random_events(seed: int, count: int, sites: int = 1) -> list[Event]:
    rng = random.Random(seed)
    events: list[Event] = []
    for at in range(count):
        site = f"site-{rng.randrange(sites)}"
        if rng.random() < 0.1:
            events.append(TimePassed(site_id=site, at=at))
            continue
        health = rng.choice(("ok", "degraded"))
        events.append(report(at, unit=rng.randrange(7), site=site, health=health))
    return events


def plan(at: int, site: str = "site-a") -> PowerPlanProposed:
    return PowerPlanProposed(
        site_id=site,
        at=at,
        plan_id=f"plan-{at}",
        policy_version="1",
        trigger="price",
        assignments=(),
        headroom=(),
        site_shadow_price_usd_per_mwh=Decimal("0.000000"),
        value_usd_micros_per_hour=0,
        bound_usd_micros_per_hour=0,
    )
