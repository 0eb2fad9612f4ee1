"""The OpenAPI document says what a request is refused by: it and the gateway agree on any body."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from openapi_schema_validator import OAS31Validator, oas31_format_checker
from pydantic import BaseModel, ValidationError

from gateway.commands import CurtailmentRequest, WorkloadSubmission
from gateway.endpoints import PREFIX
from gateway.json_text import faults_of_json
from gateway.openapi import document
from gateway.routes.table import TABLE

SPEC = document(TABLE, "0")
GOOD = {"name": "train", "kind": "training", "gpu_count": 2, "duration_s": 3600, "site_id": "a"}
ARABIC = "\u0661\u0662"  # 12, in Arabic-Indic digits


def parameters(path: str, method: str) -> dict[str, Any]:
    found = SPEC["paths"][PREFIX + path][method]["parameters"]
    return {item["name"]: item["schema"] for item in found}


def test_every_parameter_has_a_type_and_no_null() -> None:
    for endpoint in TABLE:
        for schema in parameters(
            re.sub(r":\w+}", "}", endpoint.path), endpoint.method.lower()
        ).values():
            assert "null" not in json.dumps(schema)
            assert schema.keys() & {"type", "enum", "$ref", "anyOf"}


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.integers(0, 2000),
    st.floats().filter(lambda number: not number.is_integer()),
    st.text(max_size=300),
    st.sampled_from(
        ["1_0", ARABIC, "1e3", " 5", "100000", "100000.000001", "99999.9", "0.1234567"]
    ),
    st.sampled_from(
        ["2024-05-10T00:45:00Z", "2024-05-10T00:45:00+01:00", "2024-05-10", "classify"]
    ),
    st.lists(st.integers(), max_size=1),
)
BODIES: dict[str, type[BaseModel]] = {
    "WorkloadSubmission": WorkloadSubmission,
    "CurtailmentRequest": CurtailmentRequest,
}
MEMBERS = {name: sorted(SPEC["components"]["schemas"][name]["properties"]) for name in BODIES}
VALID: dict[str, dict[str, Any]] = {
    "WorkloadSubmission": GOOD,
    "CurtailmentRequest": {"max_power_w": 1, "duration_s": 1},
}


@pytest.mark.parametrize("name", BODIES)
@given(data=st.data())
def test_the_document_allows_what_the_gateway_takes(name: str, data: st.DataObject) -> None:
    """A body that is valid by the document has no fault, and one that is not has one."""
    changed = data.draw(
        st.dictionaries(st.sampled_from([*MEMBERS[name], "colour"]), ODD, max_size=3)
    )
    for member, said in changed.items():  # said of prices in words: no schema can say it exactly
        assume(("price" not in member and "payment" not in member) or round_to_micros(said) == said)
    body = {**VALID[name], **changed}
    raw = json.dumps(body).encode("utf-8", "surrogatepass")
    checker = OAS31Validator(
        {**SPEC["components"]["schemas"][name], "components": SPEC["components"]},
        format_checker=oas31_format_checker,
    )
    assert checker.is_valid(body) == is_taken(name, raw), raw


def round_to_micros(said: object) -> object:
    return round(said, 6) if isinstance(said, float) else said


def is_taken(name: str, raw: bytes) -> bool:
    try:
        BODIES[name].model_validate_json(raw)
    except ValidationError:
        return False
    return not faults_of_json(raw)
