"""A site that did exactly what AI-first does must come out exactly like it, to the micro-dollar."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import httpx2 as httpx
import pytest

from tests.gateway.conftest import Platform
from tests.gateway.site_days import day, price

SITE = "gamma"


@pytest.fixture(scope="module")
def report(platform: Platform, client: httpx.Client) -> Any:  # noqa: ANN401 - JSON
    day(platform.story, SITE)
    return read(platform, client, SITE)


def read(platform: Platform, client: httpx.Client, site: str) -> Any:  # noqa: ANN401 - JSON
    query = {"site_id": site, "min_position": platform.write()}
    answer = client.get("/api/v1/report", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


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
    assert report["refused_usage"] == []


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


def test_a_site_whose_gpus_only_idle_has_a_report(platform: Platform, client: httpx.Client) -> None:
    day(platform.story, "idling", idle_wh=18, busy=False, hours=7)
    report = read(platform, client, "idling")
    assert report["to"] == "2024-09-01T05:00:00Z"
    assert report["unbilled_ai_energy_mwh"] == f"{16 * 18 / 10**6:f}"


def _usd(money: dict[str, str]) -> Decimal:
    return Decimal(money["amount"])
