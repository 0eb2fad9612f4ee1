"""Records that were refused, for operators: why, and what they held, shown safely."""

from __future__ import annotations

import base64
from datetime import datetime

from pydantic import BaseModel, Field

from gateway import dead_letter_queries as queries
from gateway.context import Gateway
from gateway.database import Row
from gateway.endpoints import Call, NoBody, Query, get
from gateway.errors import NotFound
from gateway.pages import Order, Page, PageQuery
from gateway.values import Text, Time

TAG = "dead letters"
NEWEST = Order("dead letters", refused_at=datetime, dead_letter_id=str)
HEX_BYTES = 256
TEXT_CHARS = 4096


class DeadLetter(BaseModel):
    """One for each record that no reader understands, and one for what a reader alone cannot
    answer (`unanswerable`) or store (`unprojectable`)."""

    dead_letter_id: str
    topic: str
    partition: int
    offset: int
    position: str = Field(description="Of the record", examples=["hcp.sites.v1:0:1234"])
    reader: str = Field(description="Who wrote the dead letter")
    reason: str = Field(description="A code", examples=["malformed_body"])
    detail: str = Field(description="A sentence")
    refused_at: Time
    key_bytes: int = Field(description="Size of the record's key")
    value_bytes: int = Field(description="Size of the record's value")
    header_count: int

    @classmethod
    def of(cls, row: Row) -> DeadLetter:
        return cls.model_validate(row | {"position": _position(row)})


class Bytes(BaseModel):
    """The beginning of some bytes, in three ways."""

    size_bytes: int = Field(description="Of all of them")
    base64: str
    hex: str = Field(description=f"Of the first {HEX_BYTES}")
    text: str = Field(description="As UTF-8; what is none, or no print, as \\x and its hex digits")

    @classmethod
    def of(cls, found: bytes, size_bytes: int) -> Bytes:
        return cls(
            size_bytes=size_bytes,
            base64=base64.b64encode(found).decode(),
            hex=found[:HEX_BYTES].hex(" "),
            text=printable(found)[:TEXT_CHARS],
        )


class HeaderShown(BaseModel):
    name: str
    value: Bytes | None


class DeadLetterShown(DeadLetter):
    """What it holds is the beginning: all of it is on the log, at `position`."""

    recorded_at_ms: int = Field(description="The record's Kafka timestamp, whatever it may be")
    key: Bytes | None
    value: Bytes | None
    headers: list[HeaderShown] = Field(description="The first, each with its value's beginning")

    @classmethod
    def of(cls, row: Row) -> DeadLetterShown:
        headers = [
            HeaderShown(name=header["name"], value=_header_value(header))
            for header in row["headers"]
        ]
        shown = {
            "position": _position(row),
            "key": _optional(row["key"], row["key_bytes"]),
            "value": _optional(row["value"], row["value_bytes"]),
            "headers": headers,
        }
        return cls.model_validate(row | shown)


class DeadLettersQuery(PageQuery):
    order = NEWEST

    topic: Text | None = Field(default=None, examples=["hcp.sites.v1"])
    reader: Text | None = None
    reason: Text | None = Field(default=None, examples=["malformed_body"])


def printable(found: bytes) -> str:
    text = found.decode(errors="backslashreplace")
    return "".join(c if c.isprintable() or c == "\n" else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _position(row: Row) -> str:
    return f"{row['topic']}:{row['partition']}:{row['offset']}"


def _optional(found: bytes | None, size_bytes: int) -> Bytes | None:
    return None if found is None else Bytes.of(bytes(found), size_bytes)


def _header_value(header: Row) -> Bytes | None:
    if header["value_base64"] is None:
        return None
    return Bytes.of(base64.b64decode(header["value_base64"]), header["value_bytes"])


async def list_dead_letters(
    gateway: Gateway, call: Call[DeadLettersQuery, NoBody]
) -> Page[DeadLetter]:
    query = call.query
    rows = await queries.dead_letters(
        gateway.database,
        query.limit,
        NEWEST.after(query),
        topic=query.topic,
        reader=query.reader,
        reason=query.reason,
    )
    return NEWEST.page(rows, query.limit, DeadLetter.of)


async def read_dead_letter(gateway: Gateway, call: Call[Query, NoBody]) -> DeadLetterShown:
    dead_letter_id = call.path["dead_letter_id"]
    row = await queries.dead_letter(gateway.database, dead_letter_id)
    if row is None:
        raise NotFound(f"There is no dead letter {dead_letter_id}.")
    return DeadLetterShown.of(row)


ENDPOINTS = (
    get(
        "/dead-letters",
        list_dead_letters,
        query=DeadLettersQuery,
        answer=Page[DeadLetter],
        summary="Records that were refused, and why; newest first",
        tag=TAG,
    ),
    get(
        "/dead-letters/{dead_letter_id}",
        read_dead_letter,
        query=Query,
        answer=DeadLetterShown,
        summary="One of them, with what the record held",
        tag=TAG,
    ),
)
