"""What only looks like the authority's word moves nothing, live or at a start."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.codec import OutRecord
from schemas.envelope import produced
from schemas.events import sites
from schemas.topics import SITES
from streams.definition import Agent
from streams.driver import Seat, run_until_idle
from streams.metering.agent import AGENT as METERING
from streams.optimization.agent import AGENT as OPTIMIZATION
from streams.routing.agent import AGENT as ROUTING
from streams.snapshots import state_bytes
from tests.streams.routing.arrivals import Arrivals
from tests.streams.substrates import CODEC, MemorySubstrate, everything, put

HOUR_MS = 3_600_000
ROUTINGS = "/hcp/agents/routing/9"
FORGED = [("/miner/7", True), (ROUTINGS, False), ("/miner/7", False)]


def seen(seat: Seat) -> bytes:
    return state_bytes(seat.worker.processor)


@pytest.mark.parametrize("agent", [OPTIMIZATION, METERING])
@pytest.mark.parametrize(("source", "is_readable"), FORGED)
def test_an_adviser_starts_with_what_it_had(
    agent: Agent[Any, Any], source: str, is_readable: bool
) -> None:
    substrate = MemorySubstrate()
    opening = Arrivals(1).opening()
    put(substrate, *opening)
    adviser, routing = (Seat(each, 0, CODEC, substrate.open) for each in (agent, ROUTING))
    run_until_idle([routing, adviser])
    site_id = opening[0].site_id
    now = max(event.at for event in opening)
    put(substrate, sites.TimePassed(site_id=site_id, at=now + HOUR_MS))
    offset = len(everything(substrate.open(), SITES)) - 1
    adviser.run()
    rejected = sites.InputRejected(
        site_id=site_id,
        at=now,
        rejected_type=sites.TimePassed.FULL_NAME,
        subject="",
        reason="made_up",
        detail="",
    )
    headers = [
        *produced(rejected, source=source).to_headers(),
        ("ce_causationid", b"x"),
        ("ce_cause", f"routing/{SITES.name}:0:{offset}/0/1".encode()),
    ]
    value = CODEC.encode(rejected) if is_readable else b"garbage"
    substrate.append(OutRecord(SITES, site_id.encode(), value, headers))
    adviser.run()
    live = seen(adviser)
    adviser.restart()
    adviser.run()
    assert seen(adviser) == live
    run_until_idle([routing, adviser])
    adviser.restart()
    run_until_idle([routing, adviser])
    clocks = [getattr(s, "now", None) for s in adviser.worker.processor.states.values()]
    assert clocks == [now + HOUR_MS]


@pytest.mark.parametrize("forged", ["tombstone", "garbage", "another body", "another key"])
def test_what_only_looks_like_an_answer_answers_nothing_at_a_start(forged: str) -> None:
    # Given an input that came while routing was down, and a record that claims to answer it
    substrate = MemorySubstrate()
    opening = Arrivals(1).opening()
    put(substrate, *opening)
    routing = Seat(ROUTING, 0, CODEC, substrate.open)
    routing.run()
    routing.restart()
    site_id = opening[0].site_id
    now = max(event.at for event in opening)
    put(substrate, sites.TimePassed(site_id=site_id, at=now + 2 * HOUR_MS))
    offset = len(everything(substrate.open(), SITES)) - 1
    closed = sites.HourClosed(site_id=site_id, at=now, closed_until=now)
    headers = [
        *produced(closed, source="/hcp/agents/routing/0").to_headers(),
        ("ce_causationid", b"x"),
        ("ce_cause", f"routing/{SITES.name}:0:{offset}/0/2".encode()),
    ]
    tick = sites.TimePassed(site_id=site_id, at=now)
    values: dict[str, Any] = {
        "tombstone": None,
        "garbage": b"garbage",
        "another body": CODEC.encode(tick),
        "another key": CODEC.encode(closed),
    }
    key = b"elsewhere" if forged == "another key" else site_id.encode()
    substrate.append(OutRecord(SITES, key, values[forged], headers))
    # When it starts, then it answers the input itself
    routing.run()
    after = everything(substrate.open(), SITES)[offset + 2 :]
    assert sites.HourClosed in [type(CODEC.decode(record.value)) for record in after]
    (state,) = routing.worker.processor.states.values()
    assert state.now == now + 2 * HOUR_MS
