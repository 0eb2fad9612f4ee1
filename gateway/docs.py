"""The documentation for people, and the first page: plain HTML made from the OpenAPI document.

Self-contained: no script, no font, no style from anywhere else.
"""

from __future__ import annotations

from html import escape
from typing import Any

Json = dict[str, Any]

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;
color:#1a1a1a}
h1{font-size:1.6rem}h2{margin-top:2.2rem;text-transform:capitalize;border-bottom:1px solid #ddd}
details{border:1px solid #ddd;border-radius:6px;margin:.5rem 0;padding:.3rem .8rem}
summary{cursor:pointer}code,.m{font:13px ui-monospace,monospace}.m{display:inline-block;
width:4.5rem;font-weight:700}.get{color:#0a6e31}.post{color:#0a4a8e}.delete{color:#a11d1d}
table{border-collapse:collapse;width:100%;margin:.4rem 0 1rem}td,th{text-align:left;
vertical-align:top;padding:.25rem .6rem .25rem 0;border-bottom:1px solid #eee}
@media(prefers-color-scheme:dark){body{background:#15171a;color:#e6e6e6}a{color:#7ab8ff}
details,h2,td,th{border-color:#333}.get{color:#5fd38d}.post{color:#7ab8ff}.delete{color:#ff8a8a}}
"""


def docs_page(document: Json) -> str:
    schemas = document["components"]["schemas"]
    parts = [
        "<h1>HCP API</h1>",
        *(f"<p>{escape(part)}</p>" for part in document["info"]["description"].split("\n\n")),
        '<p>The same as <a href="/openapi.json">OpenAPI 3.1</a>.</p>',
    ]
    for tag in (item["name"] for item in document["tags"]):
        parts.append(f"<h2>{escape(tag)}</h2>")
        for path, operations in document["paths"].items():
            parts += [
                _operation(path, method, operation, schemas)
                for method, operation in operations.items()
                if tag in operation["tags"]
            ]
    parts.append("<h2>Schemas</h2>")
    parts += [_schema(name, schema) for name, schema in sorted(schemas.items())]
    return page("HCP API", "\n".join(parts))


def index_page() -> str:
    links = {
        "/docs": "API documentation",
        "/openapi.json": "OpenAPI 3.1 document",
        "/api/v1/health": "Health of every part",
        "/api/v1/report": "Report: workloads, energy, profit, naive policies",
        "/api/v1/workloads": "Workloads",
        "/api/v1/sites": "Sites",
        "/api/v1/units": "Units",
        "/api/v1/profitability": "Profitability",
        "/api/v1/invoices": "Invoices",
        "/metrics": "Metrics",
    }
    items = (f'<li><a href="{href}">{escape(text)}</a></li>' for href, text in links.items())
    return page("HCP", f"<h1>HCP</h1><p>Hybrid compute platform.</p><ul>{''.join(items)}</ul>")


def page(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>{body}</body></html>"
    )


def _operation(path: str, method: str, operation: Json, schemas: Json) -> str:
    rows = [
        (parameter["name"], parameter["in"], _type(parameter["schema"]), parameter)
        for parameter in operation["parameters"]
    ]
    table = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{where}</td><td>{kind}</td>"
        f"<td>{escape(parameter.get('description', ''))}</td></tr>"
        for name, where, kind, parameter in rows
    )
    body = ""
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        body = f"<p>Body: {_type(schema)}</p>{_fields(_resolve(schema, schemas))}"
    answers = "".join(
        f"<tr><td>{status}</td><td>{escape(answer['description'])}</td>"
        f"<td>{' '.join(_type(item['schema']) for item in answer['content'].values())}</td></tr>"
        for status, answer in operation["responses"].items()
    )
    return (
        f'<details id="{operation["operationId"]}"><summary>'
        f'<span class="m {method}">{method.upper()}</span><code>{escape(path)}</code> '
        f"{escape(operation['summary'])}</summary>"
        f"<table>{table}</table>{body}<table>{answers}</table></details>"
    )


def _schema(name: str, schema: Json) -> str:
    description = escape(schema.get("description", ""))
    return (
        f'<details id="schema-{escape(name)}"><summary><code>{escape(name)}</code></summary>'
        f"<p>{description}</p>{_fields(schema)}</details>"
    )


def _fields(schema: Json) -> str:
    required = schema.get("required", [])
    rows = (
        f"<tr><td><code>{escape(name)}</code></td><td>{_type(given)}"
        f"{'' if name in required else ', optional'}</td>"
        f"<td>{escape(given.get('description', ''))}</td></tr>"
        for name, given in schema.get("properties", {}).items()
    )
    return f"<table>{''.join(rows)}</table>"


def _resolve(schema: Json, schemas: Json) -> Json:
    found: Json = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    return found


def _type(schema: Json) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#schema-{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(item) for item in schema["anyOf"])
    if "enum" in schema:
        return escape(" | ".join(map(str, schema["enum"])))
    if "const" in schema:
        return escape(str(schema["const"]))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return escape(str(schema.get("format") or schema.get("type") or "any"))
