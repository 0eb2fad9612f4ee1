"""JSON as RFC 8259 means it, and what of it two readers could take differently is refused.

Python's and pydantic's parsers keep the last of two members with one name, and a proxy or a log
before us may have kept the first; they take NaN and Infinity, which are no JSON.
"""

from __future__ import annotations

import json
from collections import Counter

from gateway.errors import Fault

MAX_NAMED = 20
"""Faults that are named; how many more there are is said."""


def faults_of_json(raw: bytes) -> list[Fault]:
    """What is ambiguous or no JSON in a body, each once, as a fault of the whole of it; nothing:
    neither."""
    found: Counter[str] = Counter()

    def members(pairs: list[tuple[str, object]]) -> dict[str, object]:
        by_name = dict(pairs)
        if len(by_name) < len(pairs):
            for name, count in Counter(name for name, _ in pairs).items():
                if count > 1:
                    found[f"The member {name[:100]!r} is given more than once"] += 1
        return by_name

    def no_json(constant: str) -> None:
        found[f"{constant} is no number in JSON"] += 1

    try:
        json.loads(raw.decode(), object_pairs_hook=members, parse_constant=no_json)
    except UnicodeDecodeError:
        return [Fault(detail="The body must be UTF-8", pointer="#")]
    except RecursionError:
        return [Fault(detail="The body is nested too deeply", pointer="#")]
    except ValueError:
        return []  # no JSON: the model's parser says where it ends to be some
    said = list(found)
    if len(said) > MAX_NAMED:
        said = [*said[:MAX_NAMED], f"{len(said) - MAX_NAMED} more of the kind"]
    return [Fault(detail=detail, pointer="#") for detail in said]
