"""How long hardware takes to change what it does, in four phases, and whether it manages.

About 50 ms to save the old state, 80 to clear memory, 120 to load the new state, 150 to initialise;
350 to 480 in all. Each phase and the outcome follow from the seed, the unit, what the switch is for
and the attempt, so a switch is the same whenever, and by whichever process, it is carried out.
"""

from __future__ import annotations

from dataclasses import dataclass

from simulators import seeded

MAX_ATTEMPTS = 3
_SAVE_MS = (44, 60)
_CLEAR_MS = (70, 96)
_LOAD_MS = (105, 144)
_INITIALISE_MS = (131, 180)


@dataclass(frozen=True, slots=True)
class Switch:
    save_ms: int
    clear_ms: int
    load_ms: int
    initialise_ms: int
    succeeded: bool

    @property
    def total_ms(self) -> int:
        return self.save_ms + self.clear_ms + self.load_ms + self.initialise_ms


@dataclass(frozen=True, slots=True)
class Switching:
    """failures_per_million: of single attempts."""

    seed: int
    failures_per_million: int

    def attempt(self, unit_id: str, purpose: str, attempt: int) -> Switch:
        """purpose: the placement or the assignment; attempt: from 1."""
        names = (unit_id, purpose, attempt)
        return Switch(
            save_ms=seeded.between(*_SAVE_MS, self.seed, "save", *names),
            clear_ms=seeded.between(*_CLEAR_MS, self.seed, "clear", *names),
            load_ms=seeded.between(*_LOAD_MS, self.seed, "load", *names),
            initialise_ms=seeded.between(*_INITIALISE_MS, self.seed, "initialise", *names),
            succeeded=not seeded.happens(self.failures_per_million, self.seed, "fails", *names),
        )


@dataclass(frozen=True, slots=True)
class PendingSwitch:
    """purpose: the placement or the decision; exhausted: no attempt is left, the unit is broken."""

    purpose: str
    attempt: int
    ends_at: int

    @property
    def exhausted(self) -> bool:
        return self.attempt > MAX_ATTEMPTS

    @classmethod
    def first(cls, unit_id: str, purpose: str, at: int, switching: Switching) -> PendingSwitch:
        return cls(purpose, 1, at + switching.attempt(unit_id, purpose, 1).total_ms)

    def next(self, unit_id: str, at: int, switching: Switching) -> PendingSwitch:
        attempt = self.attempt + 1
        if attempt > MAX_ATTEMPTS:
            return PendingSwitch(self.purpose, attempt, at)
        took_ms = switching.attempt(unit_id, self.purpose, attempt).total_ms
        return PendingSwitch(self.purpose, attempt, at + took_ms)
