"""The modes of an ASIC as one string: equal ASICs are equal strings, quick to group by."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import NamedTuple

from schemas.events.sites import UnitMode


class Mode(NamedTuple):
    name: str
    power_w: int
    hashrate_ths: int


def profile_of(modes: tuple[UnitMode, ...]) -> str:
    rows = sorted((mode.power_w, mode.hashrate_ths, mode.mode) for mode in modes)
    return json.dumps([[name, power_w, ths] for power_w, ths, name in rows])


@lru_cache(maxsize=4096)
def modes_of(profile: str) -> tuple[Mode, ...]:
    """In ascending power."""
    return tuple(Mode(*row) for row in json.loads(profile))


def most_power_w(profile: str) -> int:
    return modes_of(profile)[-1].power_w
