"""What names a site that is still registering its GPUs, over HTTP and on Kafka, waits for them."""

from __future__ import annotations

import uuid
from decimal import Decimal

import httpx
import pytest

from schemas.events import sites
from tests.e2e.conftest import NotYet, Reporter, Stack, eventually
from tests.e2e.test_refusals import OFF, submission

NOON = 1_704_110_400_000


def test_a_submission_waits_for_the_site_that_it_names(stack: Stack, reporter: Reporter) -> None:
    site_id = f"new-{uuid.uuid4().hex[:8]}"
    by_kafka, by_http, too_large = f"{site_id}-k", f"{site_id}-h", f"{site_id}-l"
    with stack.api() as api:
        assert submit(api, site_id, by_http, 2).status_code == 422, "there is no such site yet"
        reporter.send(configured(site_id))
        reporter.send(submission(by_kafka, site_id=site_id, at=NOON, gpu_count=2))
        for attempt in eventually():
            with attempt:
                if api.get(f"/sites/{site_id}").status_code != 200:
                    raise NotYet(site_id)
        for workload_id, count in ((by_http, 2), (too_large, 9)):
            assert submit(api, site_id, workload_id, count).status_code == 202
        for workload_id in (by_kafka, by_http, too_large):
            row = until(api, workload_id, "queued", "The site is still registering its GPUs.")
            assert row["detail"] == ""
            told = api.get(f"/workloads/{workload_id}/explain").json()["pending_because"]
            assert told == row["reason"]
        reporter.send(*(gpu(site_id, f"g{number}") for number in range(4)))
        until(api, by_kafka, "switching", "")
        until(api, by_http, "switching", "")
        reporter.send(sites.TimePassed(site_id=site_id, at=NOON))
        row = until(api, too_large, "rejected", "not_enough_gpus")
        assert row["detail"] == "Needs 9 GPUs of one model; the site has at most 4."
        reporter.send(*(gpu(site_id, f"g{number}") for number in range(4, 13)))
        assert submit(api, site_id, too_large, 9).status_code == 202, "its id is free again"
        until(api, too_large, "switching", "")


def submit(api: httpx.Client, site_id: str, workload_id: str, count: int) -> httpx.Response:
    wanted = {"workload_id": workload_id, "site_id": site_id, "name": "early", "kind": "batch"}
    asked = {"gpu_model": "H100", "gpu_count": count, "duration_s": 60, "customer_id": "stranger"}
    return api.post("/workloads", json=wanted | asked)


def until(api: httpx.Client, workload_id: str, state: str, reason: str) -> dict[str, object]:
    """What the workload looks like when it is in this state, for a reason that begins so."""
    for attempt in eventually():
        with attempt:
            answer = api.get(f"/workloads/{workload_id}")
            row: dict[str, object] = answer.json()
            if answer.status_code != 200 or row["state"] != state:
                raise NotYet(f"{answer.status_code} {row}")
            if not str(row["reason"]).startswith(reason):
                raise NotYet(f"{row}")
            return row
    pytest.fail("eventually() gave no attempt")


def configured(site_id: str) -> sites.SiteConfigured:
    return sites.SiteConfigured(
        site_id=site_id,
        at=NOON,
        name=site_id,
        power_cap_w=100_000,
        feeders=(sites.Feeder(feeder_id="fa", power_cap_w=100_000),),
        gpu_prices=(sites.GpuPrice(gpu_model="H100", price_usd_per_gpu_hour=Decimal("2.350000")),),
        pool=f"pool-{site_id}",
    )


def gpu(site_id: str, unit_id: str) -> sites.UnitRegistered:
    compute = sites.UnitMode(mode="compute", power_w=700, hashrate_ths=0, tflops=989.4)
    return sites.UnitRegistered(
        site_id=site_id,
        at=NOON,
        unit_id=unit_id,
        feeder_id="fa",
        kind="gpu",
        model="H100",
        memory_gb=80,
        modes=(OFF, compute),
    )
