"""Records that are nothing: whoever writes to a log can send them."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

from schemas.codec import OutRecord

_GIANTS_EVERY, _GIANT_BYTES = 2_500, 4_500_000
_LARGE_EVERY, _LARGE_BYTES = 50, 20_000
_UNKNOWN_BYTES = 40
_WIRE_PREFIX_BYTES = 5  # a magic byte and the schema's id


@dataclass(frozen=True)
class Garbage:
    """timestamp_ms: as its producer says it, in whatever unit; 0: none"""

    value: bytes
    headers: list[tuple[str, str | bytes | None]]
    timestamp_ms: int = 0


def garbage(real: OutRecord, number: int, pick: random.Random) -> Garbage:
    """One kind after the other. real: an event of the log, for what looks like one"""
    now_ms = time.time_ns() // 1_000_000
    noise, headers = pick.randbytes(pick.randrange(200)), list(real.headers)
    match number % 5:
        case 0:
            return Garbage(noise, headers)
        case 1:
            return Garbage(real.value[:_WIRE_PREFIX_BYTES] + b"\xff" * 12 + noise, headers)
        case 2:
            others = [header for header in headers if header[0] != "ce_type"]
            return Garbage(real.value, [*others, ("ce_type", b"x" * _type_bytes(number))])
        case 3:
            return Garbage(noise, headers, now_ms * 1_000)
        case _:
            return Garbage(noise, [("\x01", noise)], now_ms * 1_000_000)


def _type_bytes(number: int) -> int:
    """Most types are only unknown, some are larger than is read, and a few than can be kept."""
    if number % _GIANTS_EVERY < 5:
        return _GIANT_BYTES
    return _LARGE_BYTES if number % _LARGE_EVERY < 5 else _UNKNOWN_BYTES
