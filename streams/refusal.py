"""Why an input that was understood is not taken, and what stands in its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from schemas.topics import Event

E_co = TypeVar("E_co", bound=Event, covariant=True)

CLOCK_JUMP = "clock_jump"
"""Reason of a refused tick that the next one can confirm, see `streams.site_inputs.Tick`."""


class Refusal(NamedTuple):
    """A code, and a sentence for people."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class RefusedInput(Generic[E_co]):
    """What `evolve` is given in the place of an input that the authority of its log refused.

    reason: the authority's code
    """

    input: E_co
    reason: str
