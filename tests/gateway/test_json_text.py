"""What pydantic and Python would take, and the API's document does not say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.commands import CurtailmentRequest, WorkloadSubmission
from gateway.json_text import MAX_NAMED, faults_of_json
from gateway.routes.decisions import AlertsQuery
from gateway.routes.prices import PowerPricesQuery

SUBMISSION: dict[str, Any] = {"name": "n", "kind": "batch", "gpu_count": 1, "duration_s": 60}


@pytest.mark.parametrize(
    "raw",
    [
        b'{"gpu_count": 1, "gpu_count": 2}',
        b'{"a": [{"b": 1, "b": 1}]}',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b"\xff",
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
    ids=["twice", "twice inside", "nan", "infinity", "no text", "deep", "deep members"],
)
def test_what_two_readers_could_take_differently_is_a_fault(raw: bytes) -> None:
    (fault,) = faults_of_json(raw)
    assert fault.pointer == "#"


def test_every_member_that_is_given_more_than_once_is_named() -> None:
    raw = b'{"a": 1, "b": {"c": 1, "d": 2, "c": NaN, "c": 4}, "a": 2, "e": Infinity, "e": 1}'
    assert [fault.detail for fault in faults_of_json(raw)] == [
        "NaN is no number in JSON",
        "The member 'c' is given more than once",
        "Infinity is no number in JSON",
        "The member 'a' is given more than once",
        "The member 'e' is given more than once",
    ]


def test_how_many_are_named_is_bounded() -> None:
    names = [f'"{number}": 0' for number in range(50_000)]
    faults = faults_of_json(f"{{{', '.join(names * 2)}}}".encode())
    assert len(faults) == MAX_NAMED + 1
    assert faults[-1].detail == f"{50_000 - MAX_NAMED} more of the kind"


@pytest.mark.parametrize("raw", [b"{}", b'{"a": 1e3, "b": "NaN"}', b'{"a": {"a": 1}}', b"{"])
def test_other_json_is_the_parsers_business(raw: bytes) -> None:
    assert faults_of_json(raw) == []


@pytest.mark.parametrize(
    "price", ["1_0", "\u0661\u0660", " 1", "1e1", "+1", "0x1", "NaN", "", ".5"]
)
def test_a_price_as_text_is_a_plain_decimal(price: object) -> None:
    refused(WorkloadSubmission, {**SUBMISSION, "max_price_usd_per_gpu_hour": price})


@pytest.mark.parametrize("price", ["10", "10.5", "0.000001", 10, 10.5])
def test_a_plain_decimal_is_taken_as_text_and_as_number(price: object) -> None:
    body = {**SUBMISSION, "max_price_usd_per_gpu_hour": price}
    WorkloadSubmission.model_validate_json(json.dumps(body))


NO_TIMES = ["1700000000", "1700000000000", 1700000000, 1.5e9, "2024-05-08", "2024-05-08T12:00Z"]
NO_TIMES += ["2024-05-08T12:00:00", "\u0662\u0660\u0662\u0664-05-08T12:00:00Z", "now", True]


@pytest.mark.parametrize("moment", NO_TIMES)
def test_a_time_is_rfc_3339(moment: object) -> None:
    refused(WorkloadSubmission, {**SUBMISSION, "deadline": moment})
    refused(CurtailmentRequest, {"max_power_w": 0, "duration_s": 1, "starts_at": moment})
    with pytest.raises(ValidationError):
        PowerPricesQuery.model_validate_strings({"from": str(moment)})


@pytest.mark.parametrize("moment", ["2024-05-08T12:00:00Z", "2024-05-08t12:00:00.123+05:30"])
def test_rfc_3339_is_a_time(moment: str) -> None:
    body = {**SUBMISSION, "deadline": moment}
    assert WorkloadSubmission.model_validate_json(json.dumps(body)).deadline is not None
    assert PowerPricesQuery.model_validate_strings({"from": moment}).since is not None


@pytest.mark.parametrize(
    "limit", ["1_0", "\u0661\u0660", " 10", "10 ", "1e1", "+10", "10.0", "9" * 400]
)
def test_a_whole_number_in_a_query_has_digits_only(limit: str) -> None:
    with pytest.raises(ValidationError):
        AlertsQuery.model_validate_strings({"limit": limit})


@pytest.mark.parametrize(("text", "meant"), [("true", True), ("false", False)])
def test_a_flag_is_true_or_false(text: str, meant: bool) -> None:
    assert AlertsQuery.model_validate_strings({"active": text}).active is meant


@pytest.mark.parametrize("text", ["1", "yes", "on", "True", "t", ""])
def test_no_other_word_is_a_flag(text: str) -> None:
    with pytest.raises(ValidationError):
        AlertsQuery.model_validate_strings({"active": text})


def refused(model: Any, body: dict[str, Any]) -> None:  # noqa: ANN401
    with pytest.raises(ValidationError):
        model.model_validate_json(json.dumps(body))
