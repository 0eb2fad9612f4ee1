"""Five hours of a small site as records: what its agents said, for a report about it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from schemas.events import accounts, sites
from schemas.topics import Event
from streams.invoicing.contracts import on_demand
from tests.projections.story import START, Said, Story

QUARTER = 900_000
HOUR = 4 * QUARTER


def price(quarter: int) -> Decimal:
    """In the third hour it is above $80 for good, so the strike rule stops ten minutes into it."""
    return Decimal(40 + quarter if quarter < 8 else 100)


def day(
    story: Story,
    site: str,
    *,
    idle_wh: int = 0,
    busy: bool = True,
    refused: bool = False,
    hours: int = 4,
) -> Story:
    """Two S21 mine all the time; one H100 runs for hours two and three of five.

    idle_wh: what the H100 draws in a quarter without work
    refused: nobody pays its GPU time
    hours: where the clock stands in the end
    """
    commission(story, site)
    for quarter in range(20):
        _quarter(story, site, quarter, busy=busy, idle_wh=idle_wh)
    if busy:
        _usage(story, site, _submit(story, site), refused=refused)
    story.report(sites.TimePassed(site_id=site, at=START + hours * HOUR))
    return story


def grow(story: Story, site: str) -> None:
    """Two days later everything is more."""
    at = START + 48 * HOUR
    hour = story.report(sites.TimePassed(site_id=site, at=at))
    story.answer("routing", hour, sites.HourClosed(site_id=site, at=at, closed_until=at))
    # What a producer says of its own time does not make it so: some are dated back.
    story.report(_configured(site, at, power_cap_w=200_000, usd="9.35"))
    for number in range(20):
        registered_at = START if number % 2 else at
        story.report(_unit(site, registered_at, f"late{number}", "asic"))
    sign(story, site, starts_at=at)


def sign(story: Story, site: str, *, starts_at: int) -> None:
    """$9 for an H100, energy included."""
    story.report(
        accounts.TariffPublished(
            customer_id=f"{site}-c1",
            at=starts_at,
            tariff_id="flat",
            effective_from=starts_at,
            gpu_prices=(accounts.GpuPrice(gpu_model="H100", price_usd_per_gpu_hour=Decimal(9)),),
            energy_pass_through=False,
            energy_adder_usd_per_mwh=Decimal(0),
        )
    )
    story.report(
        accounts.ContractSigned(
            customer_id=f"{site}-c1",
            at=starts_at,
            contract_id="flat",
            tariff_id="flat",
            starts_at=starts_at,
            billing_period="day",
            grace_s=3600,
        )
    )


def commission(story: Story, site: str) -> None:
    story.report(_configured(site, START, power_cap_w=10_000, usd="2.35"))
    for unit_id, kind in (("g1", "gpu"), ("s1", "asic"), ("s2", "asic")):
        story.report(_unit(site, START, unit_id, kind))
    story.report(
        sites.HashpricePublished(
            site_id=site,
            at=START,
            interval_start=START,
            hashprice_usd_per_ph_day=Decimal("43.2"),
            difficulty=10**14,
            fees_sats=0,
            btc_price_usd=Decimal(90_000),
        )
    )


def _configured(site: str, at: int, *, power_cap_w: int, usd: str) -> sites.SiteConfigured:
    return sites.SiteConfigured(
        site_id=site,
        at=at,
        name=site.title(),
        pool="default",
        power_cap_w=power_cap_w,
        feeders=(sites.Feeder(feeder_id="f", power_cap_w=power_cap_w),),
        gpu_prices=(sites.GpuPrice(gpu_model="H100", price_usd_per_gpu_hour=Decimal(usd)),),
    )


def _unit(site: str, at: int, unit_id: str, kind: str) -> sites.UnitRegistered:
    gpu = kind == "gpu"
    off = sites.UnitMode(mode="off", power_w=0, hashrate_ths=0, tflops=0.0)
    compute = sites.UnitMode(mode="compute", power_w=700, hashrate_ths=0, tflops=989.4)
    mine = sites.UnitMode(mode="normal", power_w=3500, hashrate_ths=200, tflops=0.0)
    return sites.UnitRegistered(
        site_id=site,
        at=at,
        unit_id=unit_id,
        feeder_id="f",
        kind=kind,
        model="H100" if gpu else "S21",
        memory_gb=80 if gpu else 0,
        modes=(off, compute if gpu else mine),
    )


def _quarter(story: Story, site: str, quarter: int, *, busy: bool, idle_wh: int) -> None:
    start = START + quarter * QUARTER
    story.report(
        sites.PowerPricePublished(
            site_id=site,
            at=start,
            settlement_point="HB_WEST",
            interval_start=start,
            interval_end=start + QUARTER,
            price_usd_per_mwh=price(quarter),
        )
    )
    gpu_wh = 175 if busy and 4 <= quarter < 12 else idle_wh
    story.report(
        sites.EnergyMetered(
            site_id=site,
            at=start + QUARTER,
            feeder_id="f",
            interval_start=start,
            interval_end=start + QUARTER,
            readings=(
                sites.MeterReading(unit_id="g1", energy_wh=gpu_wh, work_th=0),
                sites.MeterReading(unit_id="s1", energy_wh=875, work_th=180_000),
                sites.MeterReading(unit_id="s2", energy_wh=875, work_th=180_000),
            ),
        )
    )


def _submit(story: Story, site: str) -> Said:
    at = START + HOUR
    spec: dict[str, Any] = {
        "workload_id": f"{site}-w1",
        "customer_id": f"{site}-c1",
        "name": "job",
        "kind": "batch",
        "gpu_model": "H100",
        "gpu_count": 1,
        "duration_s": 7200,
    }
    submitted = story.report(sites.WorkloadSubmitted(site_id=site, at=at, **spec))
    placed = sites.WorkloadPlaced(
        site_id=site,
        at=at,
        workload_id=f"{site}-w1",
        placement_id=f"{site}-p1",
        customer_id=f"{site}-c1",
        gpu_model="H100",
        gpu_milli=1000,
        units=(sites.UnitShare(unit_id="g1", gpu_milli=1000, power_w=700),),
        duration_s=7200,
        attempt=1,
        price_usd_per_gpu_hour=Decimal("2.35"),
        decision_id=f"{site}-d1",
    )
    queued = sites.WorkloadQueued(site_id=site, at=at, submitted_at=at, reason="", **spec)
    story.answer("routing", submitted, queued, placed)
    run = {"site_id": site, "workload_id": f"{site}-w1", "placement_id": f"{site}-p1"}
    story.report(sites.WorkloadStarted(at=at, **run))
    done = story.report(sites.WorkloadCompleted(at=at + 2 * HOUR, **run))
    released = sites.WorkloadReleased(
        at=at + 2 * HOUR, customer_id=f"{site}-c1", outcome="completed", **run
    )
    story.answer("routing", done, released)
    return submitted


def _usage(story: Story, site: str, submitted: Said, *, refused: bool) -> None:
    """What metering and invoicing make of it: two hours of GPU time, eight quarters of energy."""
    slices = [("gpu_time", 4 * hour, HOUR, HOUR * 1000, 2_350_000) for hour in (1, 2)]
    slices += [
        ("energy", quarter, QUARTER, 175, int(175 * price(quarter))) for quarter in range(4, 12)
    ]
    recorded = [
        accounts.UsageRecorded(
            customer_id=f"{site}-c1",
            at=START + 3 * HOUR,
            usage_id=f"{site}-{meter}-{quarter}",
            site_id=site,
            workload_id=f"{site}-w1",
            placement_id=f"{site}-p1",
            meter=meter,
            gpu_model="H100",
            interval_start=START + quarter * QUARTER,
            interval_end=START + quarter * QUARTER + length,
            quantity=quantity,
            unit="gpu_us" if meter == "gpu_time" else "wh",
            price_usd_per_mwh=price(quarter) if meter == "energy" else None,
        )
        for meter, quarter, length, quantity, _ in slices
    ]
    collected = accounts.UsageCollected(
        customer_id=f"{site}-c1",
        at=START + 3 * HOUR,
        site_id=site,
        collected_until=START + 20 * QUARTER,
    )
    answered = story.answer("metering", submitted, *recorded, collected)
    agreed: tuple[Event, ...] = on_demand(f"{site}-c1", at=START + 3 * HOUR)
    for said, usage, (*_, amount) in zip(answered[:-1], recorded, slices, strict=True):
        if refused and usage.meter == "gpu_time":
            story.answer("invoicing", said, *agreed, _refusal(usage))
        else:
            story.answer("invoicing", said, *agreed, _rating(usage, amount))
        agreed = ()  # once


def _refusal(usage: accounts.UsageRecorded) -> accounts.InputRejected:
    return accounts.InputRejected(
        customer_id=usage.customer_id,
        at=usage.at,
        rejected_type=usage.FULL_NAME,
        subject=usage.usage_id,
        reason="unpriced_model",
        detail="No price.",
    )


def _rating(usage: accounts.UsageRecorded, amount: int) -> accounts.UsageRated:
    return accounts.UsageRated(
        customer_id=usage.customer_id,
        at=usage.at,
        usage_id=usage.usage_id,
        site_id=usage.site_id,
        workload_id=usage.workload_id,
        meter=usage.meter,
        interval_start=usage.interval_start,
        contract_id=f"{usage.site_id}-contract",
        tariff_id="on-demand",
        quantity=usage.quantity,
        unit=usage.unit,
        amount_usd_micros=amount,
    )
