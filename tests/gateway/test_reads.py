"""Every read over a site's day that real projections put into real tables."""

from __future__ import annotations

from typing import Any

import httpx2 as httpx
import pytest

from tests.gateway.conftest import Platform
from tests.projections.story import tell


@pytest.fixture(scope="module", autouse=True)
def told(platform: Platform, client: httpx.Client) -> None:
    """Twenty workloads on site alpha, and the gateway has seen all of it."""
    tell(platform.story, site="alpha")
    answer = client.get("/api/v1/sites", headers={"HCP-Min-Position": platform.write()})
    assert answer.status_code == 200, answer.text


def read(client: httpx.Client, path: str, **query: str | int) -> Any:  # noqa: ANN401 - JSON
    answer = client.get(f"/api/v1{path}", params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def every_page(client: httpx.Client, path: str, **query: str | int) -> list[Any]:
    items: list[Any] = []
    page = read(client, path, **query)
    for _ in range(200):
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        page = read(client, path, **query, cursor=page["next_cursor"])
    raise AssertionError("the list has no end")


def test_workloads_newest_first(client: httpx.Client) -> None:
    page = read(client, "/workloads", site_id="alpha")
    ids = [item["workload_id"] for item in page["items"]]
    assert ids == [f"alpha-w{number:05}" for number in reversed(range(20))]
    assert page["next_cursor"] is None


def test_workloads_filtered(client: httpx.Client) -> None:
    rejected = read(client, "/workloads", site_id="alpha", state="rejected")["items"]
    assert {item["workload_id"] for item in rejected} == {"alpha-w00006", "alpha-w00013"}
    assert {item["reason"] for item in rejected} == {"no_such_model"}
    of_one = read(client, "/workloads", customer_id="alpha-c1", site_id="alpha")["items"]
    assert {item["customer_id"] for item in of_one} == {"alpha-c1"}
    assert len(of_one) == 7
    assert read(client, "/workloads", site_id="nowhere")["items"] == []


def test_one_workload(client: httpx.Client) -> None:
    workload = read(client, "/workloads/alpha-w00001")
    assert workload["state"] == "completed"
    assert workload["units"] == ["u002"]
    assert workload["submitted_at"] == "2024-09-01T00:01:00Z"
    assert workload["started_at"] == "2024-09-01T00:01:00.400Z"
    assert workload["price_usd_per_gpu_hour"] == "2.35"


def test_the_history_of_a_workload_begins_at_the_intake(client: httpx.Client) -> None:
    events = every_page(client, "/workloads/alpha-w00000/events", limit=2)
    types = [event["type"].rpartition(".")[2] for event in events]
    assert types[:2] == ["WorkloadSubmitted", "WorkloadSubmitted"]
    assert types[2:] == [
        *("WorkloadQueued", "WorkloadPlaced", "WorkloadStarted"),
        *("WorkloadCompleted", "WorkloadReleased"),
    ]
    assert events[0]["position"].startswith("hcp.intake.v1:0:")


def test_explain_names_the_decision_and_its_alternatives(client: httpx.Client) -> None:
    explained = read(client, "/workloads/alpha-w00001/explain")
    assert explained["pending_because"] is None
    (decision,) = explained["decisions"]
    assert decision["chosen"] == "u002"
    assert decision["value_per_hour"] == {"amount": "2.350000", "currency": "USD"}
    assert decision["alternatives"][0]["value_per_hour"]["amount"] == "2.350000"
    assert read(client, f"/decisions/{decision['decision_id']}") == decision


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/workloads", "workload_id"),
        ("/units", "unit_id"),
        ("/prices/power", "interval_start"),
        ("/prices/hash", "interval_start"),
        ("/usage", "usage_id"),
        ("/invoices", "invoice_id"),
    ],
)
def test_pages_of_one_add_up_to_the_whole(client: httpx.Client, path: str, key: str) -> None:
    whole = read(client, path, limit=500)["items"]
    assert len(whole) > 1
    assert every_page(client, path, limit=1) == whole
    assert len({item[key] for item in whole}) == len(whole)


def test_a_site_with_its_feeders(client: httpx.Client) -> None:
    (listed,) = (item for item in read(client, "/sites")["items"] if item["site_id"] == "alpha")
    site = read(client, "/sites/alpha")
    assert listed == {name: value for name, value in site.items() if name != "feeders"}
    assert site["gpu_prices"] == [{"gpu_model": "H100", "price_usd_per_gpu_hour": "2.35"}]
    assert site["now"] == "2024-09-01T00:19:00Z"
    mining, ai = site["feeders"][1], site["feeders"][0]
    assert mining["mining_power_w"] == 4 * 3500
    assert site["planned_power_w"] == ai["planned_power_w"] + mining["planned_power_w"]


def test_the_newest_plan(client: httpx.Client) -> None:
    plan = read(client, "/sites/alpha/plan")
    assert plan["plan_id"] == "alpha-plan-1"
    assert plan["headroom"][0]["shadow_price_usd_per_mwh"] == "59.7"
    assert plan["bound_per_hour"]["amount"] == "1.200000"
    assert plan["applied"] == 1


def test_units(client: httpx.Client) -> None:
    asics = read(client, "/units", site_id="alpha", kind="asic")["items"]
    assert [unit["unit_id"] for unit in asics] == ["u001", "u003", "u005", "u007"]
    unit = read(client, "/units/u001", site_id="alpha")
    assert (unit["mode"], unit["power_w"], unit["hashrate_ths"]) == ("mine", 3500, 200)
    assert read(client, "/units", site_id="alpha", feeder_id="f1", state="ok")["items"]


def test_capacity(client: httpx.Client) -> None:
    (site,) = read(client, "/capacity", site_id="alpha")["items"]
    (gpus,) = site["gpus"]
    assert gpus["total"] == 4
    assert gpus["free"] + gpus["in_use"] == 4
    assert gpus["price_usd_per_gpu_hour"] == "2.35"
    assert site["headroom_w"] == 1_000_000 - 14_000 - 700 * gpus["in_use"]
    assert site["ai_headroom_w"] == site["headroom_w"] + 14_000


def test_power_prices_by_time(client: httpx.Client) -> None:
    newest, oldest = read(client, "/prices/power", site_id="alpha")["items"]
    assert (oldest["price_usd_per_mwh"], newest["price_usd_per_mwh"]) == ("31.25", "32.25")
    since = {"site_id": "alpha", "from": "2024-09-01T00:15:00Z"}
    assert read(client, "/prices/power", **since)["items"] == [newest]
    until = {"site_id": "alpha", "to": "2024-09-01T00:15:00+00:00"}
    assert read(client, "/prices/power", **until)["items"] == [oldest]


def test_profitability_at_the_prices_in_force(client: httpx.Client) -> None:
    found = read(client, "/profitability", site_id="alpha")
    assert found["prices"][0]["power_price_usd_per_mwh"] == "32.25"
    asic, gpu = found["items"]
    assert gpu["model"] == "H100"
    assert gpu["revenue_usd_per_mwh"] == "3357.142857"
    assert asic["break_even_usd_per_mwh"] == "90.952381"
    assert asic["units"] == 4


def test_usage_and_invoices_agree(client: httpx.Client) -> None:
    invoices = every_page(client, "/invoices", customer_id="alpha-c1", state="finalized")
    assert invoices
    for listed in invoices:
        invoice = read(client, f"/invoices/{listed['invoice_id']}")
        assert invoice["total"] == {"amount": "0.391667", "currency": "USD"}
        assert [line["amount"] for line in invoice["lines"]] == [invoice["total"]]
        (usage_id,) = invoice["lines"][0]["usage_ids"]
        workload_id = invoice["lines"][0]["workload_id"]
        (usage,) = read(client, "/usage", workload_id=workload_id)["items"]
        assert usage["usage_id"] == usage_id
        assert usage["amount"] == invoice["total"]


def test_the_report_counts_what_happened(client: httpx.Client) -> None:
    report = read(client, "/report", site_id="alpha")
    assert report["workloads"]["submitted"] == 20
    assert report["workloads"]["rejected"] == 2
    assert report["invoices"]["finalized"] >= len(every_page(client, "/invoices", limit=500))
    assert report["clock"] == [{"site_id": "alpha", "now": "2024-09-01T00:19:00Z"}]
    names = [policy["policy"] for policy in report["policies"]]
    assert names == ["hcp", "always_mine", "ai_first", "strike_2_up_4_down"]
    # No hour is complete yet, so there is no money to compare.
    assert report["from"] is None
    assert read(client, "/report")["workloads"]["submitted"] >= 20


def test_health_names_every_part(client: httpx.Client) -> None:
    health = read(client, "/health")
    parts = {part["name"]: part["status"] for part in health["components"]}
    assert list(parts) == [
        *("broker", "transactions", "registry", "database"),
        *("routing", "optimization", "metering", "invoicing", "brokering", "projections"),
        *("dead letters", "alerts", "identity", "websocket"),
    ]
    assert parts["broker"] == parts["registry"] == parts["database"] == "ok"
    assert parts["projections"] == "ok"
    assert parts["routing"] == "down"
    assert parts["identity"] == parts["websocket"] == "not_installed"
    assert health["status"] == "degraded"


def test_probes_and_pages_for_people(client: httpx.Client) -> None:
    assert client.get("/healthz").text == "ok\n"
    assert client.get("/readyz").text == "ready\n"
    assert "hcp_gateway_requests_total" in client.get("/metrics").text
    docs = client.get("/docs")
    assert "/api/v1/workloads" in docs.text
    assert "://" not in docs.text
    assert "/docs" in client.get("/").text
    assert client.head("/api/v1/workloads").status_code == 200
