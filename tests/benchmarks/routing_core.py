"""How many decisions routing makes in a second of CPU time: in memory, no broker, no codec.

A decision is one input taken all the way: `decide`, then `evolve` of the input and of every answer.
The inputs are submissions and completions in equal number, a tick of the clock every hundred.

steady: most workloads are placed when they arrive, each displacing mining for its power
queued: every GPU is taken and thousands wait; each completion places from the queue
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from time import process_time

from schemas.events import sites
from schemas.events.sites import SitesEvent
from schemas.topics import SITES, Event
from streams.definition import Agent, step
from streams.routing.agent import AGENT
from streams.routing.state import State
from tests.benchmarks.figures import Figure
from tests.benchmarks.load import GPU_SHARE, T0, completion, opening, submission

SITE = "bench"
BAR_PER_S = 5_000


def routing_core(decisions: int = 10_000) -> list[Figure]:
    """Figures for 1,000 and 10,000 units, with room and with a long queue.

    The peer is the limit: the same events through an agent that decides nothing.
    """
    limit = _bare_loop_per_s(decisions)
    return [
        Figure(
            benchmark="routing core",
            name=f"{units:,} units, {name}",
            value=_decisions_per_s(units, decisions, load),
            unit="decisions/s",
            bar=BAR_PER_S if units == 10_000 else None,
            peer="an agent that decides nothing",
            peer_value=limit,
        )
        for units in (1_000, 10_000)
        for name, load in (("steady", 0.8), ("queued", 4.0))
    ]


def _decisions_per_s(units: int, decisions: int, load: float) -> float:
    """load: workloads in the system, for each GPU of the site."""
    pick = random.Random(7)
    state = State(SITE)
    for event in opening(SITE, units):
        state, _ = step(AGENT, state, event)
    running: deque[tuple[str, str]] = deque()
    now, serial, target = T0, 0, int(units * GPU_SHARE * load / 1.5)
    for _ in range(target):
        serial += 1
        state, answers = step(AGENT, state, submission(SITE, serial, now, pick))
        running += placed(answers)
    started = process_time()
    for number in range(1, decisions + 1):
        if number % 100 == 0:
            now += 1_000
            event = sites.TimePassed(site_id=SITE, at=now)
        elif number % 2 and running:
            event = completion(SITE, *running.popleft(), now)
        else:
            serial += 1
            event = submission(SITE, serial, now, pick)
        state, answers = step(AGENT, state, event)
        running += placed(answers)
    return decisions / (process_time() - started)


def _bare_loop_per_s(decisions: int) -> float:
    idle: Agent[None, SitesEvent] = Agent(
        name="idle",
        version="1",
        log=SITES,
        state_type=type(None),
        initial=lambda _: None,
        decide=lambda _, __: (),
        evolve=lambda state, _: state,
    )
    pick = random.Random(7)
    started = process_time()
    for number in range(decisions):
        step(idle, None, submission(SITE, number, T0, pick))
    return decisions / (process_time() - started)


def placed(answers: Sequence[Event]) -> list[tuple[str, str]]:
    """Workload and placement of each placement among them."""
    return [
        (answer.workload_id, answer.placement_id)
        for answer in answers
        if isinstance(answer, sites.WorkloadPlaced)
    ]
