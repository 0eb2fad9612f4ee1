"""The ledger as a process that fails half way through one record: `python -m … <event time>`."""

from __future__ import annotations

import sys
from dataclasses import replace

from schemas.topics import Event
from streams.app import run
from streams.refusal import RefusedInput
from tests.streams.faults import Injected
from tests.streams.ledger import LEDGER, Ledger, evolve


def failing_at(at: int) -> int:
    def evolve_or_fail(state: Ledger, event: Event | RefusedInput[Event]) -> Ledger:
        state = evolve(state, event)
        if not isinstance(event, RefusedInput) and event.at == at:
            raise Injected(f"the event at {at}")
        return state

    return run(replace(LEDGER, evolve=evolve_or_fail))


if __name__ == "__main__":
    sys.exit(failing_at(int(sys.argv[1])))
