"""A verdict is what was recorded: whatever rules hold by now, and whoever judged before."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from decimal import Decimal
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import UnencodableEvent
from schemas.events import accounts, intake, sites
from schemas.topics import SITES, Event, unanswered
from streams import site_inputs
from streams.brokering.agent import AGENT as BROKERING
from streams.definition import Agent
from streams.driver import Seat, run_until_idle
from streams.invoicing.agent import AGENT as INVOICING
from streams.loop import Processor
from streams.metering.agent import AGENT as METERING
from streams.optimization.agent import AGENT as OPTIMIZATION
from streams.quantities import HOUR_MS
from streams.recovery import restore
from streams.refusal import CLOCK_JUMP, Refusal
from streams.routing.agent import AGENT as ROUTING
from streams.snapshots import state_bytes
from tests.streams.routing.arrivals import DAY, SITE, T0, Arrivals
from tests.streams.substrates import CODEC, MemorySubstrate, distinct, everything, put

AGENTS: tuple[Agent[Any, Any], ...] = (ROUTING, OPTIMIZATION, METERING, INVOICING, BROKERING)
RULES = (
    "refusal_of",
    "refuse",
    "refuse_submission",
    "price_refusal",
    "curtailment_refusal",
    "registration_refusal",
    "usage_refusal",
    "tariff_refusal",
    "contract_refusal",
    "id_refusal",
)
"""Every function by which an agent refuses an input, wherever it was imported to; the clock's rule
(`tick`) is another shape."""
REFUSED = Refusal("other_rules", "By other rules.")
Judge = Callable[..., bool]


def always(*_: object) -> bool:
    return True


def never(*_: object) -> bool:
    return False


def by_chance(seed: int) -> Judge:
    """Another opinion of each input, but the same one each time."""
    return lambda *asked: crc32(f"{seed}{asked[-1]}".encode()) % 2 == 0


@contextmanager
def rules(judge: Judge, modules: str = "streams.", stricter: bool = False) -> Iterator[None]:
    """Judge by others. stricter: refuse some more, and what is refused anyhow.

    modules: those whose rules change, by the beginning of their names
    """
    with pytest.MonkeyPatch.context() as patch:
        for name, module in list(sys.modules.items()):
            if not name.startswith(modules):
                continue
            for rule in RULES:
                known = vars(module).get(rule)
                if known is not None:
                    patch.setattr(module, rule, _other(known, judge, stricter=stricter))
            if "tick" in vars(module):
                patch.setattr(module, "tick", _other_clock(judge, stricter=stricter))
        yield


def _other(known: Callable[..., Any], judge: Judge, *, stricter: bool) -> Callable[..., Any]:
    def refusal(*asked: Any) -> Refusal | None:  # noqa: ANN401 - whatever the rule takes
        return (known(*asked) if stricter else None) or (REFUSED if judge(*asked) else None)

    return refusal


def _other_clock(judge: Judge, *, stricter: bool) -> Callable[..., Any]:
    known = site_inputs.tick

    def tick(
        now: int | None, doubted: int | None, at: int, configured_at: int | None
    ) -> site_inputs.Tick:
        found = known(now, doubted, at, configured_at)
        if judge(now, doubted, at):
            return site_inputs.Tick(now, at, Refusal(CLOCK_JUMP, "By other rules."))
        return found if stricter else site_inputs.Tick(at, None, None)

    return tick


class Company:
    """Every agent on the logs of one random company, in an order and in bursts of chance."""

    def __init__(self, seed: int, length: int) -> None:
        self.pick = random.Random(seed)
        self.substrate = MemorySubstrate()
        self.seats = [Seat(agent, 0, CODEC, self.substrate.open) for agent in AGENTS]
        self.arrivals = Arrivals(seed)
        self.length = length
        self.seen = 0

    def live(self) -> None:
        opening = self.arrivals.opening()
        opening = [*opening[:2], *self.pick.sample(opening[2:], 8)]
        waiting = [*opening, *(None for _ in range(self.length))]
        for known in waiting:
            self.put(known or self.next())
            if self.pick.random() < 0.3:
                self.pick.choice(self.seats).run(self.pick.randrange(1, 20))
                self.arrivals.saw(self.placed())
        self.settle()

    def put(self, event: Event) -> None:
        """An extreme number that no producer could write is not written here either."""
        with suppress(UnencodableEvent):
            put(self.substrate, event)

    def next(self) -> Event:
        kind = self.pick.randrange(10)
        if kind == 0:
            return self.account_event()
        return self.submission() if kind == 1 else self.arrivals.next()

    def settle(self) -> None:
        self.pick.shuffle(self.seats)
        run_until_idle(self.seats, burst=self.pick.choice((3, 20, 100)))

    def placed(self) -> list[object]:
        new = everything(self.substrate.open(), SITES)[self.seen :]
        self.seen += len(new)
        return [CODEC.decode(record.value) for record in new]

    def account_event(self) -> Event:
        pick = self.pick
        named: dict[str, Any] = {"customer_id": f"c{pick.randrange(3)}", "at": self.arrivals.now}
        if pick.random() < 0.5:
            return accounts.TariffPublished(
                **named,
                tariff_id=f"t{pick.randrange(2)}",
                effective_from=0,
                currency=pick.choice(("USD", "USD", "EUR")),
                gpu_prices=(
                    accounts.GpuPrice(
                        gpu_model="*", price_usd_per_gpu_hour=Decimal(pick.choice((-1, 2, 3)))
                    ),
                ),
                energy_pass_through=True,
                energy_adder_usd_per_mwh=Decimal(0),
            )
        return accounts.ContractSigned(
            **named,
            contract_id=f"k{pick.randrange(2)}",
            tariff_id=f"t{pick.randrange(3)}",
            starts_at=pick.choice((0, T0, T0 + DAY)),
            billing_period=pick.choice(("hour", "day", "never")),
            grace_s=pick.choice((0, 3600, -1)),
            auto_finalize=True,
        )

    def submission(self) -> Event:
        pick = self.pick
        return intake.WorkloadSubmitted(
            pool="default",
            at=self.arrivals.now,
            workload_id=pick.choice(("", f"i{pick.randrange(9)}")),
            customer_id="c0",
            name="a run",
            kind="training",
            gpu_count=pick.choice((1, 2, 99)),
            duration_s=pick.choice((60, 600)),
        )


def states(company: Company) -> dict[str, bytes]:
    return {seat.agent.name: state_bytes(seat.worker.processor) for seat in company.seats}


def restored(company: Company, agent: Agent[Any, Any]) -> bytes:
    """By a later version that can't read the snapshot, and so reads what was recorded."""
    later = replace(agent, version="later", state_version="later", decide=never_asked)
    log = company.substrate.open()
    return state_bytes(restore(later, 0, log, CODEC).processor)


def never_asked(_state: object, event: object) -> list[Event]:
    raise AssertionError(f"{event} was decided again")


RULE_SETS = st.one_of(st.just(always), st.just(never), st.integers(0, 2**32).map(by_chance))
LENGTH = 20
PARTS, LOGS_PER_PART = 20, 100
"""2,000 random logs in each run of the tests."""


@pytest.mark.parametrize("part", range(PARTS))
@settings(max_examples=LOGS_PER_PART, deadline=None)
@given(seed=st.integers(0, 2**32), later=RULE_SETS)
def test_recorded_states_are_the_same_under_whatever_rules(
    part: int, seed: int, later: Judge
) -> None:
    company = Company(seed * PARTS + part, LENGTH)
    company.live()
    lived = states(company)
    with rules(later):
        for agent in AGENTS:
            assert restored(company, agent) == lived[agent.name], agent.name


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32), chance=st.integers(0, 2**32), later=RULE_SETS)
def test_advisers_follow_an_authority_of_other_rules(seed: int, chance: int, later: Judge) -> None:
    """As when a new routing runs beside older advisers: their states become what it says."""
    company = Company(seed, LENGTH)
    with rules(by_chance(chance), "streams.routing.rejection", stricter=True):
        company.live()
    lived = states(company)
    said = everything(company.substrate.open(), SITES)
    distinct([record for record in said if "ce_cause" in dict(record.headers)])
    with rules(later):
        for agent in AGENTS:
            assert restored(company, agent) == lived[agent.name], agent.name


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32), most=st.integers(1_000, 1_500))
def test_what_an_agent_could_not_answer_moves_a_state_as_its_restoring_does(
    seed: int, most: int
) -> None:
    """An adviser counts it as taken, before routing says anything behind it and after."""
    company = Company(seed, LENGTH)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("streams.loop.MAX_ANSWER_BYTES", most)
        company.live()
    lived = states(company)
    for agent in AGENTS:
        assert restored(company, agent) == lived[agent.name], agent.name


def test_an_adviser_that_refuses_what_routing_could_not_answer_follows_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Routing has passed the input without a word against it, so to the adviser it is taken."""
    pair = Pair()
    monkeypatch.setattr("streams.optimization.refusals.tick", _other_clock(always, stricter=False))
    put(pair.substrate, JUMP)
    pair.adviser.run()
    assert pair.known.unconfirmed.verdicts[pair.known.position] == CLOCK_JUMP
    monkeypatch.setattr("streams.loop.MAX_ANSWER_BYTES", 1)
    pair.authority.run()
    monkeypatch.undo()
    assert len(everything(pair.substrate.open(), unanswered(SITES))) == 1
    put(pair.substrate, sites.UnitFailed(site_id=SITE, at=T0, unit_id="nobody", reason=""))
    run_until_idle([pair.authority, pair.adviser])
    assert pair.authority.worker.processor.states[SITE].now == T0
    assert pair.known.states[SITE].now == JUMP.at
    again = restore(replace(OPTIMIZATION, state_version="later"), 0, pair.substrate.open(), CODEC)
    assert state_bytes(again.processor) == state_bytes(pair.known)


class Pair:
    """Routing and optimization on one log; optimization reads first."""

    def __init__(self) -> None:
        self.substrate = MemorySubstrate()
        self.adviser = Seat(OPTIMIZATION, 0, CODEC, self.substrate.open)
        self.authority = Seat(ROUTING, 0, CODEC, self.substrate.open)
        opening = Arrivals(1).opening()
        put(self.substrate, *opening)
        run_until_idle([self.authority, self.adviser])

    def ahead(self, event: Event) -> None:
        """The adviser judges it, and says so in a snapshot, before the authority does."""
        put(self.substrate, event)
        self.adviser.run()
        assert self.known.unconfirmed.verdicts[self.known.position] == ""

    @property
    def known(self) -> Processor[Any]:
        return self.adviser.worker.processor

    def refuse(self) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("streams.routing.rejection.tick", _other_clock(always, stricter=False))
            self.authority.run()


JUMP = sites.TimePassed(site_id=SITE, at=T0 + HOUR_MS)


@pytest.mark.parametrize("restarts", [False, True])
def test_a_state_follows_the_authority_that_judges_otherwise(restarts: bool) -> None:
    pair = Pair()
    pair.ahead(JUMP)
    assert pair.known.states[SITE].now == JUMP.at
    pair.refuse()
    if restarts:
        pair.adviser.restart()
    pair.adviser.run()
    state = pair.known.states[SITE]
    assert (state.now, state.doubted) == (T0, JUMP.at)
    assert pair.known.unconfirmed.verdicts == {}


def test_a_verdict_that_the_authority_confirms_needs_no_second_look() -> None:
    pair = Pair()
    pair.ahead(JUMP)
    before = pair.known
    pair.authority.run()
    pair.adviser.run()
    assert pair.known is before
    assert pair.known.unconfirmed.verdicts == {}


def test_verdicts_that_are_too_many_to_keep_are_taken_from_the_log_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pair = Pair()
    monkeypatch.setattr(
        "streams.unconfirmed.MAX_UNCONFIRMED", len(pair.known.unconfirmed.verdicts) + 3
    )
    ticks = [sites.TimePassed(site_id=SITE, at=T0 + minute * 60_000) for minute in range(1, 9)]
    put(pair.substrate, *ticks)
    pair.adviser.run()
    before = pair.known
    assert before.unconfirmed.forgotten_from == before.position - 4
    pair.refuse()
    pair.adviser.run()
    assert pair.known is not before
    assert pair.known.states[SITE].now == T0
    assert pair.known.unconfirmed.forgotten_from is None
