"""A site that did exactly what AI-first does must come out exactly like it, to the micro-dollar."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import httpx2 as httpx
import pytest

from schemas.events import accounts, sites
from tests.gateway.conftest import Platform
from tests.projections.story import START, Said, Story

SITE = "gamma"
QUARTER = 900_000
HOUR = 4 * QUARTER


def price(quarter: int) -> Decimal:
    """In the third hour it is above $80 for good, so the strike rule stops ten minutes into it."""
    return Decimal(40 + quarter if quarter < 8 else 100)


def day(story: Story) -> Story:
    """Two S21 mine all the time; one H100 runs for hours two and three of five."""
    _commission(story)
    for quarter in range(20):
        _quarter(story, quarter)
    submitted = _submit(story)
    _usage(story, submitted)
    story.report(sites.TimePassed(site_id=SITE, at=START + 4 * HOUR))
    return story


@pytest.fixture(scope="module")
def report(platform: Platform, client: httpx.Client) -> Any:  # noqa: ANN401 - JSON
    day(platform.story)
    query = {"site_id": SITE, "min_position": platform.write()}
    answer = client.get("/api/v1/report", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_only_complete_hours_after_the_first_count(report: dict[str, Any]) -> None:
    assert report["from"] == "2024-09-01T01:00:00Z"
    assert report["to"] == "2024-09-01T03:00:00Z"
    energy = (2 * 875 + 175) * 8
    assert report["energy"] == [
        {"site_id": SITE, "feeder_id": "f", "energy_mwh": f"{energy / 1e6:g}"}
    ]


def test_hcp_and_ai_first_agree_to_the_micro_dollar(report: dict[str, Any]) -> None:
    hcp, _, ai_first, _ = report["policies"]
    assert hcp == {"policy": "hcp", **report["profit"]}
    assert {**ai_first, "policy": "hcp"} == hcp
    passed_through = sum((175 * price(quarter) for quarter in range(4, 12)), Decimal(0))
    assert _usd(hcp["ai_revenue"]) == Decimal("4.70") + passed_through / 10**6
    assert _usd(hcp["mining_revenue"]) == Decimal("1.44")


def test_the_other_policies_differ_where_they_should(report: dict[str, Any]) -> None:
    hcp, always_mine, _, strike = report["policies"]
    # 10 kW: mining takes 7, AI fits beside it, so here always mining costs nothing
    assert {**always_mine, "policy": "hcp"} == hcp
    # mining stops after ten of the third hour's minutes: 50 of 120 minutes are lost
    assert _usd(strike["mining_revenue"]) == Decimal("0.84")
    saved = _usd(hcp["power_cost"]) - _usd(strike["power_cost"])
    assert abs(saved - Decimal("0.583333")) < Decimal("0.000001")


def _usd(money: dict[str, str]) -> Decimal:
    return Decimal(money["amount"])


def _commission(story: Story) -> None:
    story.report(
        sites.SiteConfigured(
            site_id=SITE,
            at=START,
            name="Gamma",
            pool="default",
            power_cap_w=10_000,
            feeders=(sites.Feeder(feeder_id="f", power_cap_w=10_000),),
            gpu_prices=(sites.GpuPrice(gpu_model="H100", price_usd_per_gpu_hour=Decimal("2.35")),),
        )
    )
    off = sites.UnitMode(mode="off", power_w=0, hashrate_ths=0, tflops=0.0)
    mine = sites.UnitMode(mode="normal", power_w=3500, hashrate_ths=200, tflops=0.0)
    compute = sites.UnitMode(mode="compute", power_w=700, hashrate_ths=0, tflops=989.4)
    for unit_id, kind, model, on in (
        ("g1", "gpu", "H100", compute),
        ("s1", "asic", "S21", mine),
        ("s2", "asic", "S21", mine),
    ):
        story.report(
            sites.UnitRegistered(
                site_id=SITE,
                at=START,
                unit_id=unit_id,
                feeder_id="f",
                kind=kind,
                model=model,
                memory_gb=80 if kind == "gpu" else 0,
                modes=(off, on),
            )
        )
    story.report(
        sites.HashpricePublished(
            site_id=SITE,
            at=START,
            interval_start=START,
            hashprice_usd_per_ph_day=Decimal("43.2"),
            difficulty=10**14,
            fees_sats=0,
            btc_price_usd=Decimal(90_000),
        )
    )


def _quarter(story: Story, quarter: int) -> None:
    start = START + quarter * QUARTER
    story.report(
        sites.PowerPricePublished(
            site_id=SITE,
            at=start,
            settlement_point="HB_WEST",
            interval_start=start,
            interval_end=start + QUARTER,
            price_usd_per_mwh=price(quarter),
        )
    )
    gpu_wh = 175 if 4 <= quarter < 12 else 0
    story.report(
        sites.EnergyMetered(
            site_id=SITE,
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


def _submit(story: Story) -> Said:
    at = START + HOUR
    spec: dict[str, Any] = {
        "workload_id": "gamma-w1",
        "customer_id": "gamma-c1",
        "name": "job",
        "kind": "batch",
        "gpu_model": "H100",
        "gpu_count": 1,
        "duration_s": 7200,
    }
    submitted = story.report(sites.WorkloadSubmitted(site_id=SITE, at=at, **spec))
    placed = sites.WorkloadPlaced(
        site_id=SITE,
        at=at,
        workload_id="gamma-w1",
        placement_id="gamma-p1",
        customer_id="gamma-c1",
        gpu_model="H100",
        gpu_milli=1000,
        units=(sites.UnitShare(unit_id="g1", gpu_milli=1000, power_w=700),),
        duration_s=7200,
        attempt=1,
        price_usd_per_gpu_hour=Decimal("2.35"),
        decision_id="gamma-d1",
    )
    queued = sites.WorkloadQueued(site_id=SITE, at=at, submitted_at=at, reason="", **spec)
    story.answer("routing", submitted, queued, placed)
    run = {"site_id": SITE, "workload_id": "gamma-w1", "placement_id": "gamma-p1"}
    story.report(sites.WorkloadStarted(at=at, **run))
    done = story.report(sites.WorkloadCompleted(at=at + 2 * HOUR, **run))
    released = sites.WorkloadReleased(
        at=at + 2 * HOUR, customer_id="gamma-c1", outcome="completed", **run
    )
    story.answer("routing", done, released)
    return submitted


def _usage(story: Story, submitted: Said) -> None:
    """What metering and invoicing make of it: two hours of GPU time, eight quarters of energy."""
    slices = [("gpu_time", 4 * hour, HOUR, HOUR * 1000, 2_350_000) for hour in (1, 2)]
    slices += [
        ("energy", quarter, QUARTER, 175, int(175 * price(quarter))) for quarter in range(4, 12)
    ]
    recorded = [
        accounts.UsageRecorded(
            customer_id="gamma-c1",
            at=START + 3 * HOUR,
            usage_id=f"gamma-{meter}-{quarter}",
            site_id=SITE,
            workload_id="gamma-w1",
            placement_id="gamma-p1",
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
    answered = story.answer("metering", submitted, *recorded)
    for said, usage, (*_, amount) in zip(answered, recorded, slices, strict=True):
        story.answer(
            "invoicing",
            said,
            accounts.UsageRated(
                customer_id=usage.customer_id,
                at=usage.at,
                usage_id=usage.usage_id,
                site_id=SITE,
                workload_id=usage.workload_id,
                meter=usage.meter,
                interval_start=usage.interval_start,
                contract_id="gamma-contract",
                tariff_id="on-demand",
                quantity=usage.quantity,
                unit=usage.unit,
                amount_usd_micros=amount,
            ),
        )
