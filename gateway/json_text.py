"""JSON as RFC 8259 means it, and what of it two readers could take differently is refused.

Python's and pydantic's parsers keep the last of two members with one name, and a proxy or a log
before us may have kept the first; they take NaN and Infinity, which are no JSON.
"""

from __future__ import annotations

import json
from typing import NoReturn

from gateway.errors import Fault


def faults_of_json(raw: bytes) -> list[Fault]:
    """What is ambiguous or no JSON in a body, as a fault of the whole of it; nothing: neither."""
    try:
        text = raw.decode()
        json.loads(text, object_pairs_hook=_members, parse_constant=_no_json)
    except UnicodeDecodeError:
        return [Fault(detail="The body must be UTF-8", pointer="#")]
    except RecursionError:
        return [Fault(detail="The body is nested too deeply", pointer="#")]
    except _Ambiguous as error:
        return [Fault(detail=str(error), pointer="#")]
    except ValueError:
        return []  # no JSON: the model's parser says where it ends to be some
    return []


class _Ambiguous(Exception):
    """JSON to some readers, or not the same JSON to all of them."""


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _Ambiguous(f"The member {twice[:100]!r} is given twice")
    return members


def _no_json(constant: str) -> NoReturn:
    raise _Ambiguous(f"{constant} is no number in JSON")
