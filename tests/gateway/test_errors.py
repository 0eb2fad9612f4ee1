"""The error contract: every fault is a problem document of RFC 9457 that names what is wrong."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx2 as httpx
import pytest

from gateway.endpoints import PREFIX
from gateway.openapi import public_path
from gateway.routes.table import TABLE

GOOD = {
    "name": "fine-tune",
    "customer_id": "acme",
    "kind": "training",
    "gpu_count": 2,
    "duration_s": 3600,
}


def cursor(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def problem(answer: httpx.Response, status: int) -> Any:  # noqa: ANN401 - JSON
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == status
    assert document["title"]
    assert document["detail"].endswith(".")
    assert "Traceback" not in answer.text
    return document


@pytest.mark.parametrize(
    "path",
    [
        *("/workloads/nope", "/workloads/nope/events", "/workloads/nope/explain", "/sites/nope"),
        *("/sites/nope/plan", "/units/nope", "/decisions/nope", "/invoices/nope", "/nope"),
        *("/sites/nope/curtailments", "/workloads/", "/workloads/%00", "/sites/%F0%9F", "/"),
        f"/workloads/{'x' * 600}",
    ],
)
def test_what_is_not_there_is_404(client: httpx.Client, path: str) -> None:
    problem(client.get(PREFIX + path), 404)


def test_what_cannot_be_deleted_is_404(client: httpx.Client) -> None:
    problem(client.delete("/api/v1/workloads/nope"), 404)
    problem(client.delete("/api/v1/curtailments/nope"), 404)


def test_paths_outside_the_api_are_404_too(client: httpx.Client) -> None:
    problem(client.get("/favicon.ico"), 404)


@pytest.mark.parametrize("path", sorted({public_path(endpoint) for endpoint in TABLE}))
def test_another_method_is_405_and_names_the_right_ones(client: httpx.Client, path: str) -> None:
    right = {item.method for item in TABLE if public_path(item) == path}
    answer = client.request("PUT", path.replace("{", "").replace("}", ""))
    problem(answer, 405)
    allowed = set(answer.headers["allow"].split(", "))
    assert allowed == right | ({"HEAD"} if "GET" in right else set())


def test_a_method_that_nobody_has_heard_of_is_405_and_names_the_right_ones(
    client: httpx.Client,
) -> None:
    answer = client.request("BREW", "/api/v1/workloads")
    problem(answer, 405)
    assert answer.headers["allow"] == "GET, HEAD, POST"


def test_another_host_is_421(client: httpx.Client) -> None:
    problem(client.get("/api/v1/workloads", headers={"Host": "rebound.example"}), 421)


def test_methods_outside_the_api_are_405(client: httpx.Client) -> None:
    problem(client.post("/healthz"), 405)


def test_a_large_body_is_413(client: httpx.Client) -> None:
    large = b'{"name": "' + b"x" * 1_000_000 + b'"}'
    json_type = {"Content-Type": "application/json"}
    problem(client.post("/api/v1/workloads", content=large, headers=json_type), 413)

    def piece_by_piece() -> Iterator[bytes]:
        for _ in range(20):
            yield b" " * 100_000

    answer = client.post("/api/v1/workloads", content=piece_by_piece(), headers=json_type)
    problem(answer, 413)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
def test_another_media_type_is_415(client: httpx.Client, headers: dict[str, str]) -> None:
    problem(client.post("/api/v1/workloads", content=b"{}", headers=headers), 415)


@pytest.mark.parametrize(
    ("change", "pointers"),
    [
        ({"gpu_count": 0}, ["#/gpu_count"]),
        ({"gpu_count": -1, "duration_s": 0, "kind": "mining"}, None),
        ({"gpu_count": "2"}, ["#/gpu_count"]),
        ({"gpu_count": 1.5}, ["#/gpu_count"]),
        ({"gpu_count": True}, ["#/gpu_count"]),
        ({"gpu_count": 10**30}, ["#/gpu_count"]),
        ({"name": ""}, ["#/name"]),
        ({"name": "a\x00b"}, ["#/name"]),
        ({"name": None}, ["#/name"]),
        ({"customer_id": "a b"}, ["#/customer_id"]),
        ({"workload_id": "../etc"}, ["#/workload_id"]),
        ({"workload_id": "w" * 129}, ["#/workload_id"]),
        ({"deadline": "tomorrow"}, ["#/deadline"]),
        ({"deadline": "2024-09-01T00:00:00"}, ["#/deadline"]),
        ({"deadline": "1969-09-01T00:00:00Z"}, ["#/deadline"]),
        ({"deadline": 1_725_148_800}, ["#/deadline"]),
        ({"deadline": "2100-01-02T00:00:00Z"}, ["#/deadline"]),
        ({"max_price_usd_per_gpu_hour": "100000.01"}, ["#/max_price_usd_per_gpu_hour"]),
        ({"max_price_usd_per_gpu_hour": "-1"}, ["#/max_price_usd_per_gpu_hour"]),
        ({"max_price_usd_per_gpu_hour": "1.1234567"}, ["#/max_price_usd_per_gpu_hour"]),
        ({"max_price_usd_per_gpu_hour": "NaN"}, ["#/max_price_usd_per_gpu_hour"]),
        ({"gpu_milli": 500}, ["#/gpu_milli"]),
        ({"gpu_milli": 1001}, ["#/gpu_milli"]),
        ({"priorty": 1}, ["#/priorty"]),
        ({"a/b~c": 1}, ["#/a~1b~0c"]),
    ],
)
def test_a_bad_body_is_422_with_a_pointer_to_each_fault(
    client: httpx.Client, change: dict[str, Any], pointers: list[str] | None
) -> None:
    document = problem(client.post("/api/v1/workloads", json={**GOOD, **change}), 422)
    expected = pointers or [f"#/{name}" for name in change]
    assert sorted(fault["pointer"] for fault in document["errors"]) == sorted(expected)
    assert all(fault["detail"] for fault in document["errors"])


def test_every_missing_member_is_named(client: httpx.Client) -> None:
    document = problem(client.post("/api/v1/workloads", json={}), 422)
    assert {fault["pointer"] for fault in document["errors"]} == {
        f"#/{name}" for name in GOOD if name != "customer_id"
    }


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b'"x"', b'{"name": "\\ud800"}', b"\xff\xfe", b"[" * 5000]
)
def test_what_is_no_json_object_is_422(client: httpx.Client, content: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    document = problem(client.post("/api/v1/workloads", content=content, headers=headers), 422)
    assert document["errors"]


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/workloads?limit=0", ["limit"]),
        ("/workloads?limit=501", ["limit"]),
        ("/workloads?limit=ten", ["limit"]),
        ("/workloads?limit=0&state=gone", ["limit", "state"]),
        ("/workloads?stat=queued", ["stat"]),
        ("/workloads?customer_id=%00", ["customer_id"]),
        ("/workloads?cursor=x", ["cursor"]),
        ("/workloads?cursor=%C3%A9", ["cursor"]),
        ("/workloads?cursor=" + "A" * 600, ["cursor"]),
        ("/units?cursor=WyJ3b3JrbG9hZHMiLDAsIngiXQ", ["cursor"]),  # of the list of workloads
        ("/workloads?cursor=WyJ3b3JrbG9hZHMiLCJ4IiwieCJd", ["cursor"]),  # text for a time
        ("/workloads?cursor=WyJ3b3JrbG9hZHMiLDEwMDAwMDAwMDAwMDAwMDAwMDAwMDAwLCJ4Il0", ["cursor"]),
        ("/prices/power?from=yesterday", ["from"]),
        ("/prices/power?from=2024-09-01T00:00:00", ["from"]),
        ("/workloads?min_position=here", ["min_position"]),
        ("/workloads?min_position=hcp.sites.v1:0:-1", ["min_position"]),
        ("/workloads?min_position=hcp.other.v1:0:1", ["min_position"]),
        ("/workloads?min_position=hcp.sites.v1:0:" + "9" * 30, ["min_position"]),
        ("/alerts?active=perhaps", ["active"]),
        ("/workloads?min_position=", ["min_position"]),
        (
            "/workloads?min_position=here&cursor=x&limit=0&stat=1",
            ["cursor", "limit", "min_position", "stat"],
        ),
        (f"/workloads/x/events?cursor={cursor('workload events', 't', 2**31, 1)}", ["cursor"]),
        (f"/workloads/x/events?cursor={cursor('workload events', 't', 5 * 10**9, 1)}", ["cursor"]),
        (f"/sites?cursor={cursor('sites', 'a' + chr(0))}", ["cursor"]),
        (f"/sites?cursor={cursor('sites', chr(0xD800))}", ["cursor"]),
        ("/sites?cursor=" + base64.urlsafe_b64encode(b"[" * 9000).decode(), ["cursor"]),
        ("/sites?cursor=" + "A" * 20_000, ["cursor"]),
    ],
)
def test_bad_parameters_are_422_and_named(
    client: httpx.Client, path: str, parameters: list[str]
) -> None:
    document = problem(client.get(PREFIX + path), 422)
    assert sorted(fault["parameter"] for fault in document["errors"]) == parameters


@pytest.mark.parametrize("text", ["a:b:c", ""])
def test_a_position_with_an_odd_header_is_422(client: httpx.Client, text: str) -> None:
    document = problem(client.get("/api/v1/sites", headers={"HCP-Min-Position": text}), 422)
    assert [fault["parameter"] for fault in document["errors"]] == ["HCP-Min-Position"]


def test_faults_of_body_query_and_headers_are_named_together(client: httpx.Client) -> None:
    answer = client.post(
        "/api/v1/workloads?min_position=x",
        json={**GOOD, "gpu_count": 0},
        headers={"Idempotency-Key": "", "HCP-Min-Position": "y"},
    )
    faults = problem(answer, 422)["errors"]
    assert {fault.get("pointer") or fault["parameter"] for fault in faults} == {
        *("#/gpu_count", "min_position", "HCP-Min-Position", "Idempotency-Key")
    }


def test_a_word_of_the_paths_is_no_workload_id(client: httpx.Client) -> None:
    words = {
        item.path.split("/")[2]
        for item in TABLE
        if item.path.startswith("/workloads/") and "{" not in item.path.split("/")[2]
    }
    assert words
    for word in words:
        answer = client.post("/api/v1/workloads", json={**GOOD, "workload_id": word})
        assert problem(answer, 422)["errors"][0]["pointer"] == "#/workload_id"


@pytest.mark.parametrize("key", ["", "k" * 256, "a\tb"])
def test_a_bad_idempotency_key_is_422(client: httpx.Client, key: str) -> None:
    headers = {"Idempotency-Key": key}
    document = problem(client.post("/api/v1/workloads", json=GOOD, headers=headers), 422)
    assert document["errors"][0]["parameter"] == "Idempotency-Key"


def test_queries_are_values_never_sql(client: httpx.Client) -> None:
    answer = client.get("/api/v1/workloads", params={"customer_id": "'; DROP TABLE workloads; --"})
    assert answer.status_code == 200
    assert answer.json()["items"] == []


@pytest.mark.parametrize("where", ["parameter", "header"])
def test_a_position_on_a_partition_that_is_not_there_is_refused_at_once(
    client: httpx.Client, where: str
) -> None:
    nowhere = "hcp.sites.v1:999:0"
    if where == "parameter":
        answer = client.get("/api/v1/sites", params={"min_position": nowhere})
    else:
        answer = client.get("/api/v1/sites", headers={"HCP-Min-Position": nowhere})
    (fault,) = problem(answer, 422)["errors"]
    assert nowhere in fault["detail"]
    assert fault["parameter"] == ("min_position" if where == "parameter" else "HCP-Min-Position")


def test_a_parameter_given_twice_is_a_fault(client: httpx.Client) -> None:
    (fault,) = problem(client.get("/api/v1/sites?limit=1&limit=2"), 422)["errors"]
    assert fault["parameter"] == "limit"


def test_a_member_given_twice_is_a_fault_and_nothing_is_submitted(client: httpx.Client) -> None:
    body = json.dumps({**GOOD, "workload_id": "twice"})[:-1] + ', "gpu_count": 400}'
    json_type = {"Content-Type": "application/json"}
    (fault,) = problem(client.post("/api/v1/workloads", content=body, headers=json_type), 422)[
        "errors"
    ]
    assert "gpu_count" in fault["detail"]
    problem(client.get("/api/v1/workloads/twice"), 404)
