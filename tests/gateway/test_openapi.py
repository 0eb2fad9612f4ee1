"""The document is valid OpenAPI 3.1, and says all that is served."""

from __future__ import annotations

import re
from html import escape
from typing import Any

import httpx2 as httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.routing import Route

from gateway.app import create_app
from gateway.docs import docs_page
from gateway.endpoints import PREFIX
from gateway.openapi import document, public_path
from gateway.routes.table import TABLE
from gateway.settings import Settings

SPEC = document(TABLE, "0")
OPERATIONS: list[tuple[str, str, dict[str, Any]]] = [
    (path, method, operation)
    for path, operations in SPEC["paths"].items()
    for method, operation in operations.items()
]


def test_it_is_valid() -> None:
    assert list(OpenAPIV31SpecValidator(SPEC).iter_errors()) == []


def test_every_route_under_the_api_is_documented() -> None:
    app = create_app(Settings())
    served = {
        route.path.replace(":path}", "}")
        for route in app.routes
        if isinstance(route, Route) and route.path.startswith(PREFIX)
    }
    assert served == set(SPEC["paths"])
    documented = {(path, method.upper()) for path, method, _ in OPERATIONS}
    assert documented == {(public_path(endpoint), endpoint.method) for endpoint in TABLE}


def test_what_the_contract_promises_is_there() -> None:
    paths = {
        *("/workloads", "/workloads/{workload_id}", "/workloads/classify", "/queue", "/sites"),
        *("/workloads/{workload_id}/events", "/workloads/{workload_id}/explain", "/units"),
        *("/sites/{site_id}", "/sites/{site_id}/plan", "/units/{unit_id}", "/capacity"),
        *("/sites/{site_id}/curtailments", "/curtailments/{curtailment_id}", "/prices/power"),
        *("/prices/hash", "/profitability", "/usage", "/invoices", "/invoices/{invoice_id}"),
        *(
            "/sites/{site_id}/waivers",
            "/sites/{site_id}/clock",
            "/alerts",
            "/decisions/{decision_id}",
            "/health",
            "/report",
        ),
        *("/dead-letters", "/dead-letters/{dead_letter_id}"),
    }
    assert {PREFIX + path for path in paths} == set(SPEC["paths"])


def test_operations_have_names_of_their_own() -> None:
    names = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_every_answer_has_a_schema(path: str, method: str, operation: dict[str, Any]) -> None:
    for status, answer in operation["responses"].items():
        media = "application/json" if status.startswith("2") else "application/problem+json"
        name = answer["content"][media]["schema"]["$ref"].rpartition("/")[2]
        assert SPEC["components"]["schemas"][name]["properties"], (path, method, status)
    if method == "post":
        assert operation["requestBody"]["required"]


def test_money_always_has_its_currency() -> None:
    assert SPEC["components"]["schemas"]["Money"]["required"] == ["amount", "currency"]


def test_the_limits_of_a_price_are_stated() -> None:
    submission = SPEC["components"]["schemas"]["WorkloadSubmission"]["properties"]
    assert "6 digits" in submission["max_price_usd_per_gpu_hour"]["description"]


def test_what_is_called_a_list_is_paged() -> None:
    schemas = SPEC["components"]["schemas"]
    lists = {name for name, schema in schemas.items() if "items" in schema.get("properties", {})}
    assert lists >= {"Profitability", "Page_SiteCapacity_"}
    assert [name for name in lists if "next_cursor" not in schemas[name]["properties"]] == []


def test_no_property_is_without_a_type() -> None:
    typed = {"type", "$ref", "anyOf", "enum", "const"}
    bare = [
        (name, key)
        for name, schema in SPEC["components"]["schemas"].items()
        for key, value in schema.get("properties", {}).items()
        if not typed & set(value)
    ]
    assert bare == []


def test_the_docs_name_every_operation_and_need_nobody_else() -> None:
    page = docs_page(SPEC)
    for path, _, operation in OPERATIONS:
        assert path in page
        assert escape(operation["summary"]) in page
    assert "<script" not in page
    assert "http" not in page.replace("HTTP", "")


@pytest.mark.parametrize("path", [p for p, m, _ in OPERATIONS if m == "get"])
def test_what_is_said_of_an_unknown_site_is_documented(path: str, client: httpx.Client) -> None:
    answer = client.get(re.sub(r"\{\w+\}", "nothing", path), params={"site_id": "nowhere"})
    assert str(answer.status_code) in SPEC["paths"][path]["get"]["responses"], answer.text


def test_what_a_parameter_is_refused_by_is_stated() -> None:
    """Every rule that a schema can say, so that generated clients know."""
    for path, item in SPEC["paths"].items():
        for method, operation in item.items():
            for parameter in operation["parameters"]:
                name, schema = parameter["name"], parameter["schema"]
                given = [schema, *schema.get("anyOf", ())]
                rules = {rule for part in given for rule in part}
                told = f"{method} {path}: {name}"
                if name in ("cursor", "min_position", "HCP-Min-Position"):
                    assert "pattern" in rules, told
                if name in ("cursor", "min_position", "Idempotency-Key"):
                    assert "maxLength" in rules, told
                if parameter["in"] == "path":
                    assert {"minLength", "maxLength"} <= rules, told
                if name == "limit":
                    assert {"minimum", "maximum"} <= rules, told
