"""Randomness that depends on names only: the same on every machine, in any order of calls.

Draws come from BLAKE2b over the seed and what is drawn for, so nothing shifts when one more thing
is drawn elsewhere, and a simulator that resumes needs no generator state.
"""

from __future__ import annotations

import hashlib
import uuid

_PPM = 1_000_000
_BITS = 64


def draw(seed: int, *names: str | int) -> int:
    """A uniform integer in [0, 2^64)."""
    text = "\x1f".join((str(seed), *map(str, names)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=_BITS // 8).digest(), "big")


def between(low: int, high: int, seed: int, *names: str | int) -> int:
    """A uniform integer in [low, high]."""
    assert low <= high
    return low + draw(seed, *names) * (high - low + 1) // (1 << _BITS)


def happens(per_million: int, seed: int, *names: str | int) -> bool:
    return between(0, _PPM - 1, seed, *names) < per_million


def normal_ppm(seed: int, *names: str | int) -> int:
    """A roughly normal draw with mean 0 and standard deviation 1, in millionths.

    The sum of twelve uniforms (Irwin-Hall), in integers because floats differ between platforms.
    """
    return sum(between(0, _PPM, seed, *names, n) for n in range(12)) - 6 * _PPM


def event_id(scenario: str, owner: str, kind: str, *names: str | int) -> str:
    """The same event of the same scenario has the same id, whichever process publishes it."""
    path = "/".join((scenario, owner, kind, *map(str, names)))
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"hcp:simulators/{path}"))
