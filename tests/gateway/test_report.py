"""A site that did exactly what AI-first does must come out exactly like it, to the micro-dollar."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import httpx2 as httpx
import pytest
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from schemas.events import sites
from tests.gateway.conftest import Platform
from tests.gateway.site_days import HOUR, day, grow, price, sign
from tests.projections.story import START

SITE = "gamma"


@pytest.fixture(scope="module")
def report(platform: Platform, client: httpx.Client) -> Any:  # noqa: ANN401 - JSON
    day(platform.story, SITE)
    return read(platform, client, SITE)


def read(platform: Platform, client: httpx.Client, site: str, clock: str | None = None) -> Any:  # noqa: ANN401 - JSON
    """clock: a report from before the site's clock was there is kept for a moment, and is not it"""
    query = {"site_id": site, "min_position": platform.write()}

    def ask() -> Any:  # noqa: ANN401 - JSON
        answer = client.get("/api/v1/report", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    attempts = Retrying(
        retry=retry_if_result(lambda said: clock is not None and said["clock"][0]["now"] != clock),
        stop=stop_after_delay(20),
        wait=wait_fixed(0.2),
    )
    return attempts(ask)


def test_only_complete_hours_after_the_first_count(report: dict[str, Any]) -> None:
    assert report["from"] == "2024-09-01T01:00:00Z"
    assert report["to"] == "2024-09-01T03:00:00Z"
    energy = (2 * 875 + 175) * 8
    assert report["energy"] == [
        {
            "site_id": SITE,
            "feeder_id": "f",
            "energy_mwh": f"{energy / 1e6:g}",
            "ai_energy_mwh": "0.0014",
            "mining_energy_mwh": "0.014",
        }
    ]
    assert report["unbilled_ai_energy_mwh"] == "0"
    assert report["refused_usage"] == report["billing_differences"] == []


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


def test_what_nobody_pays_is_said_and_holds_nothing_up(
    platform: Platform, client: httpx.Client
) -> None:
    """GPU time that no tariff has a price for, and 17.5 Wh an idle quarter of an hour."""
    day(platform.story, "refusing", idle_wh=18, refused=True, hours=7)
    report = read(platform, client, "refusing")
    assert report["to"] == "2024-09-01T05:00:00Z"
    assert report["refused_usage"] == [
        {"site_id": "refusing", "reason": "unpriced_model", "count": 2}
    ]
    assert report["unbilled_ai_energy_mwh"] == f"{8 * 18 / 10**6:f}"
    paid = sum((175 * price(quarter) for quarter in range(4, 12)), Decimal(0)) / 10**6
    assert _usd(report["profit"]["ai_revenue"]) == paid
    drawn = sum(
        ((1750 + (175 if quarter < 12 else 18)) * price(quarter) for quarter in range(4, 20)),
        Decimal(0),
    )
    assert _usd(report["profit"]["power_cost"]) == drawn / 10**6
    usage = client.get("/api/v1/usage", params={"site_id": "refusing"}).json()["items"]
    assert {(item["state"], item["reason"]) for item in usage if item["meter"] == "gpu_time"} == {
        ("refused", "unpriced_model")
    }


def test_a_price_that_came_too_late_for_the_bill_is_in_the_report(
    platform: Platform, client: httpx.Client
) -> None:
    """720 Wh billed at $20 where $900 was right."""
    story = day(platform.story, "late", hours=7)
    priced = story.report(
        sites.PowerPricePublished(
            site_id="late",
            at=START,
            settlement_point="HB_HUBAVG",
            interval_start=START + HOUR,
            interval_end=START + 2 * HOUR,
            price_usd_per_mwh=Decimal(900),
        )
    )
    found = sites.BillingDifferenceFound(
        site_id="late",
        at=START,
        reason="late_price",
        interval_start=START + HOUR,
        interval_end=START + 2 * HOUR,
        energy_wh=720,
        price_usd_per_mwh=Decimal(900),
        billed_price_usd_per_mwh=Decimal(20),
        difference_usd_micros=633_600,
    )
    story.answer("metering", priced, found)
    assert read(platform, client, "late")["billing_differences"] == [
        {
            "site_id": "late",
            "reason": "late_price",
            "count": 1,
            "energy_mwh": "0.00072",
            "difference": {"amount": "0.633600", "currency": "USD"},
        }
    ]


def test_a_site_whose_gpus_only_idle_has_a_report(platform: Platform, client: httpx.Client) -> None:
    day(platform.story, "idling", idle_wh=18, busy=False, hours=7)
    report = read(platform, client, "idling")
    assert report["to"] == "2024-09-01T05:00:00Z"
    assert report["unbilled_ai_energy_mwh"] == f"{16 * 18 / 10**6:f}"


def test_every_policy_adds_up(report: dict[str, Any]) -> None:
    for row in (report["profit"], *report["policies"]):
        earned = _usd(row["ai_revenue"]) + _usd(row["mining_revenue"])
        assert _usd(row["profit"]) == earned - _usd(row["power_cost"])


def test_what_comes_later_changes_no_hour_that_is_over(
    platform: Platform, client: httpx.Client
) -> None:
    """Twenty S21 more, twice the power, a dearer H100 and a new contract, two days later."""
    day(platform.story, "steady", hours=7)
    before = read(platform, client, "steady")
    assert before["hours"] == [
        {
            "site_id": "steady",
            "from": "2024-09-01T01:00:00Z",
            "to": "2024-09-01T05:00:00Z",
            "compared_to": "2024-09-01T05:00:00Z",
        }
    ]
    # an hour with work, and four in which mining's power grows dear: the policies must differ
    assert len({row["profit"]["amount"] for row in before["policies"]}) > 1
    grow(platform.story, "steady")
    after = read(platform, client, "steady", clock="2024-09-03T00:00:00Z")
    for key in ("hours", "policies", "profit", "energy"):
        assert after[key] == before[key], key


def test_a_contract_that_begins_in_the_past_counts_there(
    platform: Platform, client: httpx.Client
) -> None:
    day(platform.story, "amended", hours=7)
    before = read(platform, client, "amended")
    sign(platform.story, "amended", starts_at=START + 2 * HOUR)
    platform.story.report(sites.TimePassed(site_id="amended", at=START + 8 * HOUR))
    after = read(platform, client, "amended", clock="2024-09-01T08:00:00Z")
    assert after["profit"] == before["profit"]
    # AI first's second hour of work is now paid $9 an hour, without its energy
    energy = sum((175 * price(quarter) for quarter in range(8, 12)), Decimal(0)) / 10**6
    earned = _usd(after["policies"][2]["ai_revenue"]) - _usd(before["policies"][2]["ai_revenue"])
    assert earned == Decimal(9) - Decimal("2.35") - energy


def _usd(money: dict[str, str]) -> Decimal:
    return Decimal(money["amount"])
