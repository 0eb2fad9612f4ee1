"""One workload through every hop that ARCHITECTURE.md names, on the whole stack."""

from __future__ import annotations

import re
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from schemas.events import accounts
from tests.e2e.conftest import NotYet, Reporter, Stack, eventually
from tests.e2e.stock_reader import Seen, StockReader

ROOT = Path(__file__).parents[2]
HOP = re.compile(r"^\| (\d+) \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
EVENT = re.compile(r"`([A-Z][A-Za-z]+)`")
H100_USD = Decimal("2.35")
DURATION_S = 1800
PATH = re.compile(r"`([\w/]+\.py)`")


class Hop(NamedTuple):
    number: int
    events: list[str]
    topic: str
    paths: list[str]


def hops() -> list[Hop]:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    return [
        Hop(int(number), EVENT.findall(events), topic.strip("`"), PATH.findall(where))
        for number, where, events, topic in HOP.findall(text)
    ]


class Life(NamedTuple):
    workload_id: str
    customer: str
    invoices: list[dict[str, Any]]
    records: list[Seen]


@pytest.fixture(scope="module")
def life(stack: Stack, reporter: Reporter) -> Life:
    """A workload is submitted to the running stack and followed to its finalized invoice."""
    customer = f"e2e-{uuid.uuid4().hex[:8]}"
    with stack.api() as api:
        site = api.get("/sites").raise_for_status().json()["items"][0]["site_id"]
        enrol(reporter, customer)
        answer = api.post(
            "/workloads",
            json={
                "name": "end to end",
                "kind": "training",
                "gpu_model": "H100",
                "gpu_count": 1,
                "duration_s": DURATION_S,
                "priority": 9,
                "site_id": site,
                "customer_id": customer,
            },
        )
        assert answer.status_code == 202, answer.text
        workload_id = answer.json()["workload_id"]
        seen = api.get(
            f"/workloads/{workload_id}", headers={"HCP-Min-Position": answer.json()["position"]}
        )
        assert seen.status_code == 200, seen.text
        for attempt in eventually(240):
            with attempt:
                invoices = finalized(api, customer)
                billed_us = sum(line["quantity"] for line in gpu_time(invoices))
                if billed_us < DURATION_S * 1_000_000:
                    raise NotYet(f"{billed_us} GPU-microseconds on {len(invoices)} invoices")
    reader = StockReader(stack.endpoint("kafka"), stack.endpoint("registry"))
    logs = ("hcp.sites.v1", "hcp.decisions.v1", "hcp.accounts.v1")
    records = [record for log in logs for record in reader.read_readable(log)]
    reader.close()
    return Life(workload_id, customer, invoices, records)


def test_architecture_names_the_hops() -> None:
    found = hops()

    assert [hop.number for hop in found] == list(range(1, len(found) + 1))
    assert len(found) >= 10
    for hop in found:
        assert hop.paths, f"hop {hop.number} names no file"
        for path in hop.paths:
            assert (ROOT / path).is_file(), f"hop {hop.number} names {path}, which is not there"


def test_every_hop_names_its_events_in_its_files() -> None:
    for hop in hops():
        text = "".join((ROOT / path).read_text() for path in hop.paths)
        for event in hop.events:
            assert re.search(rf"\b{event}\b", text), f"hop {hop.number}: {event} in {hop.paths}"


def test_the_workload_makes_every_hop_in_order(life: Life) -> None:
    of_this_life = [record for record in life.records if concerns(record, life)]

    last: dict[str, int] = {}
    for hop in hops():
        for event in hop.events:
            offsets = [
                record.offset
                for record in of_this_life
                if record.name == event and record.topic == hop.topic
            ]
            assert offsets, f"hop {hop.number}: no {event} on {hop.topic}"
            assert max(offsets) >= last.get(hop.topic, 0), f"hop {hop.number}: {event} came early"
            last[hop.topic] = min(offset for offset in offsets if offset >= last.get(hop.topic, 0))


def test_each_invoice_adds_up_and_names_its_usage(life: Life) -> None:
    recorded = {r.body["usage_id"]: r.body for r in life.records if r.name == "UsageRecorded"}
    for invoice in life.invoices:
        lines = invoice["lines"]
        total = sum((Decimal(line["amount"]["amount"]) for line in lines), Decimal(0))
        assert total == Decimal(invoice["total"]["amount"])
        assert "gpu_time" in {line["meter"] for line in lines}
        for line in lines:
            assert line["workload_id"] == life.workload_id
            usage = [recorded[usage_id] for usage_id in line["usage_ids"]]
            assert sum(item["quantity"] for item in usage) == line["quantity"]
    assert "energy" in {line["meter"] for invoice in life.invoices for line in invoice["lines"]}


def test_gpu_time_costs_its_list_price(life: Life) -> None:
    for line in gpu_time(life.invoices):
        hours = Decimal(line["quantity"]) / Decimal(3_600_000_000)
        rounding = len(line["usage_ids"]) * Decimal("0.0000005")
        assert abs(Decimal(line["amount"]["amount"]) - hours * H100_USD) <= rounding


def finalized(api: httpx.Client, customer: str) -> list[dict[str, Any]]:
    """In full. A workload that runs past an hour is on two."""
    found = api.get("/invoices", params={"customer_id": customer}).raise_for_status().json()
    return [
        api.get(f"/invoices/{item['invoice_id']}").raise_for_status().json()
        for item in found["items"]
        if item["state"] == "finalized"
    ]


def gpu_time(invoices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for item in invoices for line in item["lines"] if line["meter"] == "gpu_time"]


def enrol(reporter: Reporter, customer: str) -> None:
    """A customer who is billed by the hour, so that the test need not wait for a day to pass."""
    tariff = accounts.TariffPublished(
        customer_id=customer,
        at=0,
        tariff_id=f"{customer}-list",
        effective_from=0,
        gpu_prices=(accounts.GpuPrice(gpu_model="H100", price_usd_per_gpu_hour=H100_USD),),
        energy_pass_through=True,
        energy_adder_usd_per_mwh=Decimal(0),
    )
    contract = accounts.ContractSigned(
        customer_id=customer,
        at=0,
        contract_id=f"{customer}-hourly",
        tariff_id=tariff.tariff_id,
        starts_at=0,
        billing_period="hour",
        grace_s=0,
    )
    reporter.send(tariff, contract)


def concerns(record: Seen, life: Life) -> bool:
    """By the workload's id, as part of the invoice that bills it, or as its hardware."""
    body = record.body
    if life.workload_id in (body.get("workload_id"), body.get("subject")):
        return True
    if record.topic == "hcp.accounts.v1":
        return bool(body["customer_id"] == life.customer)
    placed = next(
        r
        for r in life.records
        if r.name == "WorkloadPlaced" and r.body["workload_id"] == life.workload_id
    )
    if record.offset < placed.offset:
        return False
    units = {share["unit_id"] for share in placed.body["units"]}
    readings = {reading["unit_id"] for reading in body.get("readings", ())}
    return record.name in ("TimePassed", "HourClosed") or bool(units & readings)
