"""A request repeated with the same `Idempotency-Key`, or for the same id, gets the same answer.

The identifiers and the event time are kept before anything is published. A request repeated after
a crash, a timeout or alongside the first one therefore publishes the same event once more, which
the agents ignore, and the answer that was kept first is the one that everybody gets.

An id that the client chose is claimed in the same way before anything is published: of two requests
that give one id two meanings, at once and to different sites, one is refused.

Only acceptances are kept, never a refusal: what this gateway refused is judged again. An id is free
again when an agent has refused what it stood for, since that rested on what there was at the time.
An `Idempotency-Key` keeps its answer even then: it says that the request was accepted, as it was.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from pydantic import BaseModel

from gateway import kept_queries
from gateway.database import Database
from gateway.endpoints import Header
from gateway.errors import Conflict, Fault, Invalid, Problem
from gateway.values import plain, to_ms

HEADER = "Idempotency-Key"
MAX_KEY = 255
KEPT_FOR = timedelta(days=7)
IDEMPOTENCY_KEY = Header(
    name=HEADER,
    meaning="The same key and body give the same answer, for seven days.",
    schema={"type": "string", "minLength": 1, "maxLength": MAX_KEY, "pattern": r"^[ -~]+$"},
)

T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Identity:
    """What makes a command's event the same event when the request is repeated."""

    subject_id: str
    event_id: str
    at_ms: int


def key_faults(headers: Mapping[str, str]) -> list[Fault]:
    """What is wrong with the key, if there is one."""
    key = headers.get(HEADER)
    if key is None or (0 < len(key) <= MAX_KEY and key.isascii() and key.isprintable()):
        return []
    detail = f"must be 1 to {MAX_KEY} printable characters of ASCII"
    return [Fault(detail=detail, parameter=HEADER)]


async def once(
    database: Database,
    *,
    scope: str,
    headers: Mapping[str, str],
    raw_body: bytes,
    fresh: Identity,
    act: Callable[[Identity], Awaitable[T]],
    answer: type[T],
) -> T:
    """The kept answer of this key, or what `act` answers, kept.

    scope: the operation; the same key may be used again for another one
    headers: of a request whose key has no faults
    fresh: the identity of the event when this is the first request with its key
    Raises Invalid when the key was used with another body.
    """
    key = headers.get(HEADER)
    if key is None:
        return await act(fresh)
    return await _kept(
        database,
        scope=scope,
        key=key,
        digest=body_digest(raw_body),
        fresh=fresh,
        act=act,
        answer=answer,
        clash=_used("was used before with another body; use a new key for a new request"),
    )


async def claim(
    database: Database,
    *,
    scope: str,
    content: BaseModel,
    fresh: Identity,
    act: Callable[[Identity], Awaitable[T]],
    answer: type[T],
    clash: Conflict,
) -> T:
    """The kept answer for `fresh.subject_id`, which the client chose, or what `act` answers, kept.

    scope: what kind of id it is; content: what the client means by it
    Raises `clash` when the id was claimed for other content.
    """
    return await _kept(
        database,
        scope=scope,
        key=fresh.subject_id,
        digest=content_digest(content),
        fresh=fresh,
        act=act,
        answer=answer,
        clash=clash,
    )


async def _kept(
    database: Database,
    *,
    scope: str,
    key: str,
    digest: bytes,
    fresh: Identity,
    act: Callable[[Identity], Awaitable[T]],
    answer: type[T],
    clash: Problem,
) -> T:
    kept = await kept_queries.keep_identity(
        database,
        scope=scope,
        key=key,
        body_sha256=digest,
        subject_id=fresh.subject_id,
        event_id=fresh.event_id,
        at_ms=fresh.at_ms,
    )
    if kept["body_sha256"] != digest:
        raise clash
    if kept["answer"] is not None:
        return answer.model_validate(kept["answer"])
    identity = Identity(kept["subject_id"], str(kept["event_id"]), kept["at_ms"])
    made = await act(identity)
    first = await kept_queries.keep_answer(database, scope, key, made.model_dump(mode="json"))
    return answer.model_validate(first)


def fresh_identity(subject_id: str, at_ms: int) -> Identity:
    return Identity(subject_id, str(uuid.uuid4()), at_ms)


def body_digest(raw_body: bytes) -> bytes:
    """Of the JSON's meaning: the order of members and white space do not count."""
    canonical = json.dumps(json.loads(raw_body), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).digest()


def content_digest(content: BaseModel) -> bytes:
    """Of what the events will say: times in milliseconds, 3.10 the same as 3.1.

    Without what is left at its default, so that a member added later changes no digest.
    """
    said = content.model_dump(exclude_defaults=True)
    canonical = json.dumps(said, sort_keys=True, default=_recorded)
    return hashlib.sha256(canonical.encode()).digest()


def _recorded(value: object) -> int | str:
    if isinstance(value, datetime):
        return to_ms(value)
    assert isinstance(value, Decimal)
    return plain(value)


def _used(detail: str) -> Invalid:
    return Invalid(f"{HEADER} {detail}.", faults=[Fault(detail=detail, parameter=HEADER)])
