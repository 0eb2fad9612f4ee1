"""Cursors: the server takes back every one that it gave."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx2 as httpx
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.pages import MAX_CURSOR, Order
from schemas.envelope import MAX_TIME_MS
from schemas.events import sites
from tests.gateway.conftest import Platform
from tests.projections.story import START

ODD_IDS = ["pg\u00a02", "и" * 150, 'a"b\\c', "a/b", "50%2F", "ид\u200bид", "a\nb", "q?x=1#y"]
SITE = "oddly-named"
ORDER = Order("things", at=datetime, unit_id=str, number=int)


@given(
    st.integers(0, MAX_TIME_MS * 1000),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=600),
    st.integers(-(2**63) + 1, 2**63 - 1),
)
def test_a_cursor_is_the_key_of_its_row(at_us: int, unit_id: str, number: int) -> None:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)
    key = at, unit_id, number
    rows = [dict(zip(ORDER.columns, key, strict=True))] * 2
    cursor = ORDER.next_cursor(rows, 1)
    assert cursor is not None
    assert len(cursor) <= MAX_CURSOR
    assert ORDER.decode(cursor) == key


@pytest.fixture(scope="module")
def odd(platform: Platform, client: httpx.Client) -> Iterator[None]:
    """A site whose workloads are named by producers that ask nobody."""
    for number, workload_id in enumerate(ODD_IDS):
        platform.story.report(
            sites.WorkloadSubmitted(
                site_id=SITE,
                at=START + number,
                workload_id=workload_id,
                customer_id="c",
                name="n",
                kind="batch",
                gpu_model=None,
                gpu_count=1,
                gpu_milli=1000,
                duration_s=1,
                priority=0,
                preemptible=False,
                deadline=None,
                max_price_usd_per_gpu_hour=None,
            )
        )
    answer = client.get("/api/v1/sites", headers={"HCP-Min-Position": platform.write()})
    assert answer.status_code == 200, answer.text
    yield
    with psycopg.connect(platform.settings.database, autocommit=True) as connection:
        connection.execute("DELETE FROM workloads WHERE site_id = %s", (SITE,))


@pytest.mark.usefixtures("odd")
def test_a_list_goes_on_after_any_id(client: httpx.Client) -> None:
    found: list[str] = []
    query: dict[str, Any] = {"limit": 1, "site_id": SITE}
    for _ in ODD_IDS:
        page = client.get("/api/v1/workloads", params=query)
        assert page.status_code == 200, page.text
        found += [item["workload_id"] for item in page.json()["items"]]
        query["cursor"] = page.json()["next_cursor"]
    assert query["cursor"] is None
    assert found == ODD_IDS[::-1]


@pytest.mark.usefixtures("odd")
@pytest.mark.parametrize("workload_id", ODD_IDS)
def test_any_id_is_reached_by_its_path(client: httpx.Client, workload_id: str) -> None:
    path = f"/api/v1/workloads/{quote(workload_id, safe='')}"
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.json()["workload_id"] == workload_id
    assert client.get(f"{path}/events").json()["items"]
    assert client.get(f"{path}/explain").json()["workload"]["workload_id"] == workload_id


def test_capacity_by_pages(client: httpx.Client) -> None:
    every = client.get("/api/v1/capacity").json()
    assert every["next_cursor"] is None
    first = client.get("/api/v1/capacity", params={"limit": 1}).json()
    assert first["items"] == every["items"][:1]
    if len(every["items"]) > 1:
        rest = client.get("/api/v1/capacity", params={"cursor": first["next_cursor"]}).json()
        assert rest["items"] == every["items"][1:]


def test_the_words_of_a_path_may_be_encoded(client: httpx.Client) -> None:
    assert client.get("/api/v1/%77orkloads").status_code == 200
    assert client.get("/api%2Fv1/workloads").status_code == 404
