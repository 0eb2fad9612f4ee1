"""OpenAPI 3.1 from the table of endpoints and their models: it documents what serves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from gateway.endpoints import MAX_PATH_ID, MIN_POSITION_HEADER, PREFIX, AnyEndpoint
from gateway.errors import MEDIA_TYPE, ProblemDocument

Json = dict[str, Any]
Mode = Literal["validation", "serialization"]

DESCRIPTION = """\
The control plane of a hybrid compute platform: submit workloads, watch sites, read invoices.

Times are RFC 3339 in UTC; money is a decimal string with a currency; prices by some unit are
decimal strings whose name says the unit. Lists are paged with `cursor` and `limit`. A write
answers with a `position`; a read that sends it back as `HCP-Min-Position` sees the write. An id in
a path is one segment, percent-encoded: `a/b` is `a%2Fb`. A query parameter that an operation does
not name, one given twice, a JSON member given twice and a position on a partition that is not there
are refused with 422, as is what breaks a schema below. An integer has no point and no exponent.
Every error is a problem document of RFC 9457.
"""

# What any request can be answered with, whatever it asks for.
ALWAYS = (
    HTTPStatus.MISDIRECTED_REQUEST,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)
WITH_BODY = (
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
)
PATH_ID: Json = {"type": "string", "minLength": 1, "maxLength": MAX_PATH_ID}
RETRY_LATER = frozenset({HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})


def document(table: Iterable[AnyEndpoint], version: str) -> Json:
    endpoints = list(table)
    names, components = _schemas(endpoints)
    paths: dict[str, Json] = {}
    for endpoint in endpoints:
        operations = paths.setdefault(public_path(endpoint), {})
        operations[endpoint.method.lower()] = _operation(endpoint, names)
    return {
        "openapi": "3.1.0",
        "info": {"title": "HCP", "version": version, "description": DESCRIPTION},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": components},
        "tags": [{"name": tag} for tag in dict.fromkeys(item.tag for item in endpoints)],
    }


def public_path(endpoint: AnyEndpoint) -> str:
    return PREFIX + re.sub(r"\{(\w+):\w+\}", r"{\1}", endpoint.path)


Names = Mapping[tuple[Any, Mode], Json]  # by model


def _schemas(endpoints: list[AnyEndpoint]) -> tuple[Names, Json]:
    problem: tuple[type[BaseModel], Mode] = ProblemDocument, "serialization"
    wanted = {problem: None}
    for endpoint in endpoints:
        wanted[endpoint.answer, "serialization"] = None
        if endpoint.has_body:
            wanted[endpoint.body, "validation"] = None
    names, definitions = models_json_schema(
        list(wanted), ref_template="#/components/schemas/{model}"
    )
    return names, definitions["$defs"]


def _operation(endpoint: AnyEndpoint, names: Names) -> Json:
    operation: Json = {
        "operationId": operation_id(endpoint),
        "summary": endpoint.summary,
        "tags": [endpoint.tag],
        "parameters": [
            *_path_parameters(endpoint),
            *_query_parameters(endpoint),
            *_headers(endpoint),
        ],
        "responses": _responses(endpoint, names),
    }
    if endpoint.has_body:
        schema = names[endpoint.body, "validation"]
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    return operation


def operation_id(endpoint: AnyEndpoint) -> str:
    return endpoint.handler.__name__ + "_" + endpoint.tag


def _path_parameters(endpoint: AnyEndpoint) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True, "schema": PATH_ID}
        for name in re.findall(r"\{(\w+)", endpoint.path)
    ]


def _query_parameters(endpoint: AnyEndpoint) -> list[Json]:
    schema = endpoint.query.model_json_schema(mode="validation")
    required = schema.get("required", [])
    parameters = []
    for name, given in schema["properties"].items():
        if name == "min_position" and not endpoint.reads:
            continue
        description = given.pop("description", None)
        parameter = {
            "name": name,
            "in": "query",
            "required": name in required,
            "schema": _said(given),
        }
        if description:
            parameter["description"] = description
        parameters.append(parameter)
    return parameters


def _said(schema: Json) -> Json:
    """A parameter that is there has a value: to leave it out is what null is in a body."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    rest = {name: value for name, value in schema.items() if name not in {"anyOf", "default"}}
    return {**kinds[0], **rest}


def _headers(endpoint: AnyEndpoint) -> list[Json]:
    headers = [*endpoint.headers, *((MIN_POSITION_HEADER,) if endpoint.reads else ())]
    return [
        {
            "name": header.name,
            "in": "header",
            "required": False,
            "description": header.meaning,
            "schema": dict(header.schema),
        }
        for header in headers
    ]


def _responses(endpoint: AnyEndpoint, names: Names) -> Json:
    answer = names[endpoint.answer, "serialization"]
    problem = names[ProblemDocument, "serialization"]
    responses: Json = {
        str(endpoint.status.value): {
            "description": endpoint.status.phrase,
            "content": {"application/json": {"schema": answer}},
        }
    }
    statuses = {*ALWAYS, *endpoint.problems, *(WITH_BODY if endpoint.has_body else ())}
    for status in sorted(statuses):
        responses[str(status.value)] = {
            "description": status.phrase,
            "content": {MEDIA_TYPE: {"schema": problem}},
        }
        if status in RETRY_LATER:
            responses[str(status.value)]["headers"] = {
                "Retry-After": {"description": "Seconds", "schema": {"type": "integer"}}
            }
    return responses
