"""Position tokens: `<log>:<partition>:<offset>`, where an event lies on the logs."""

from __future__ import annotations

import re
from dataclasses import dataclass

from schemas import topics

MAX_POSITIONS = 16


@dataclass(frozen=True, slots=True)
class Position:
    log: str  # topic name without the environment's prefix
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.log}:{self.partition}:{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Position:
        """Raises ValueError with a sentence for the caller."""
        name, _, rest = text.strip().partition(":")
        partition, _, offset = rest.partition(":")
        if name not in LOGS:
            raise ValueError(f"{text!r} is not a position: it names none of our logs.")
        if not (_natural(partition) and _natural(offset)):
            raise ValueError(f"{text!r} is not a position like {name}:0:1234.")
        return cls(name, int(partition), int(offset))


LOGS = frozenset(topic.name for topic in topics.LOGS)
_LOG = "|".join(re.escape(name) for name in sorted(LOGS))
_ONE = rf"\s*({_LOG}):[0-9]{{1,18}}:[0-9]{{1,18}}\s*"
POSITIONS_PATTERN = rf"^{_ONE}(,{_ONE}){{0,{MAX_POSITIONS - 1}}}$"
"""Of one position or several, for the API's document."""


def parse_all(text: str) -> list[Position]:
    """Positions separated by commas. Raises ValueError for the first text that is none."""
    parts = text.split(",")
    if len(parts) > MAX_POSITIONS:
        raise ValueError(f"At most {MAX_POSITIONS} positions can be waited for at once.")
    return [Position.parse(part) for part in parts]


def _natural(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18
