"""Why an input that was understood is not taken."""

from __future__ import annotations

from typing import NamedTuple


class Refusal(NamedTuple):
    """A code, and a sentence for people."""

    reason: str
    detail: str
