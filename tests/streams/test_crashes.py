"""Whatever dies whenever: answers are repeated, never contradicted, never lost."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events.accounts import UsageCollected
from schemas.events.sites import AlertRaised
from schemas.topics import ACCOUNTS, DECISIONS, SITES, snapshots_topic
from streams.driver import Seat, run_until_idle
from streams.memory import Crashed
from streams.snapshots import state_bytes
from tests.streams.ledger import LEDGER
from tests.streams.listener import LISTENER
from tests.streams.reports import random_events
from tests.streams.substrates import CODEC, MemorySubstrate, distinct, everything, put

deaths = st.lists(st.integers(0, 120), max_size=8)


def run_through(seat: Seat) -> int:
    """Run until nothing is left, however often the process dies; returns how often it did."""
    died = 0
    while True:
        try:
            if not seat.run():
                return died
        except Crashed:
            died += 1
            seat.restart()


def clean_run(seed: int, count: int) -> tuple[MemorySubstrate, Seat]:
    substrate = MemorySubstrate()
    put(substrate, *random_events(seed, count, sites=2))
    seat = Seat(LEDGER, 0, CODEC, substrate.open)
    run_through(seat)
    return substrate, seat


def mortal(
    seed: int, count: int, dying: list[int], checkpoint_every: int
) -> tuple[MemorySubstrate, Seat]:
    """A ledger that dies after so many records each time; of each log another part survives."""
    substrate = MemorySubstrate()
    put(substrate, *random_events(seed, count, sites=2))
    rng, left = random.Random(seed), iter(dying)
    seat = Seat(
        LEDGER,
        0,
        CODEC,
        lambda: substrate.open(next(left, None), lambda waiting: rng.randint(0, waiting)),
        checkpoint_every=checkpoint_every,
    )
    return substrate, seat


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    dying=deaths,
    checkpoint_every=st.integers(1, 60),
    burst=st.integers(1, 60),
)
def test_a_run_with_crashes_says_what_a_clean_run_says(
    seed: int, dying: list[int], checkpoint_every: int, burst: int
) -> None:
    clean, reference = clean_run(seed, 120)
    substrate, seat = mortal(seed, 120, dying, checkpoint_every)
    run_in_bursts(seat, burst)
    for topic in (SITES, DECISIONS):
        ours = distinct(everything(substrate.open(), topic))
        assert ours == distinct(everything(clean.open(), topic))
    assert state_bytes(seat.worker.processor) == state_bytes(reference.worker.processor)


def run_in_bursts(seat: Seat, burst: int) -> None:
    while True:
        try:
            if not seat.run(burst):
                return
        except Crashed:
            seat.restart()


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), dying=deaths, checkpoint_every=st.integers(1, 60))
def test_without_its_snapshots_an_agent_goes_on_from_what_survived_of_its_answers(
    seed: int, dying: list[int], checkpoint_every: int
) -> None:
    """Of each log another part survives a death: an answer may be lost where a later one is not."""
    clean, reference = clean_run(seed, 120)
    substrate, seat = mortal(seed, 120, dying, checkpoint_every)
    is_over = False
    while not is_over:
        try:
            is_over = not seat.run()
        except Crashed:
            seat.restart()
            substrate.lose(snapshots_topic("routing"))
    for topic in (SITES, DECISIONS):
        ours = everything(substrate.open(), topic)
        assert distinct(ours) == distinct(everything(clean.open(), topic))
        assert len(ours) == len(distinct(ours)), "an answer that was on the log was published again"
    assert state_bytes(seat.worker.processor) == state_bytes(reference.worker.processor)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), dying=deaths)
def test_readers_of_a_crashing_agent_see_what_they_would_of_a_clean_one(
    seed: int, dying: list[int]
) -> None:
    clean, _ = clean_run(seed, 80)
    listener = Seat(LISTENER, 0, CODEC, clean.open)
    run_through(listener)

    substrate, crashing = mortal(seed, 80, dying, 20)
    reading = Seat(LISTENER, 0, CODEC, substrate.open)
    while True:
        try:
            if not crashing.run(30) + reading.run(17):
                break
        except Crashed:
            crashing.restart()
    assert state_bytes(reading.worker.processor) == state_bytes(listener.worker.processor)
    heard = [CODEC.decode(record.value) for record in everything(substrate.open(), ACCOUNTS)]
    expected = [CODEC.decode(record.value) for record in everything(clean.open(), ACCOUNTS)]
    assert heard == expected
    assert all(isinstance(event, UsageCollected) for event in heard)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), steps=st.lists(st.booleans(), min_size=10, max_size=60))
def test_a_zombie_beside_its_successor_only_repeats(seed: int, steps: list[bool]) -> None:
    clean, reference = clean_run(seed, 80)
    substrate = MemorySubstrate()
    put(substrate, *random_events(seed, 80, sites=2))
    zombie = Seat(LEDGER, 0, CODEC, substrate.open, checkpoint_every=7)
    successor = Seat(LEDGER, 0, CODEC, substrate.open, checkpoint_every=11)
    zombie.run(10)
    for zombie_moves in steps:
        (zombie if zombie_moves else successor).run(9)
    run_until_idle([zombie, successor])
    late = Seat(LEDGER, 0, CODEC, substrate.open)  # may start from the zombie's last snapshot
    run_until_idle([late])
    for topic in (SITES, DECISIONS):
        ours = distinct(everything(substrate.open(), topic))
        assert ours == distinct(everything(clean.open(), topic))
    for seat in (zombie, successor, late):
        assert state_bytes(seat.worker.processor) == state_bytes(reference.worker.processor)


def test_the_same_log_twice_gives_the_same_bytes() -> None:
    (first, one), (second, other) = clean_run(3, 400), clean_run(3, 400)
    assert everything(first.open(), DECISIONS) == everything(second.open(), DECISIONS)
    assert everything(first.open(), SITES) == everything(second.open(), SITES)
    assert state_bytes(one.worker.processor) == state_bytes(other.worker.processor)


def test_alerts_are_in_the_log_that_the_ledger_reads() -> None:
    """The property tests above mean something: the ledger's answers return to it."""
    clean, seat = clean_run(3, 400)
    sites = [CODEC.decode(record.value) for record in everything(clean.open(), SITES)]
    alerts = [event for event in sites if isinstance(event, AlertRaised)]
    assert len(alerts) > 100
    assert seat.worker.processor.tally.own == len(alerts)
