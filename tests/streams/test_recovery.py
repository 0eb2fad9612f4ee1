"""What was recorded is never decided again, whichever version wrote it and whatever was lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from schemas.deadletters import UNANSWERABLE, dead_letter
from schemas.errors import Refused
from schemas.events.decisions import DecisionExplained
from schemas.events.sites import AlertRaised
from schemas.topics import DECISIONS, SITES, Event, Topic, dlq, snapshots_topic, unanswered
from streams.definition import Agent
from streams.driver import Seat
from streams.errors import AnswersIncomplete
from streams.memory import Crashed
from streams.recovery import restore
from streams.snapshots import state_bytes
from tests.streams.ledger import LEDGER, Ledger, louder, unwritable
from tests.streams.reports import random_events, report
from tests.streams.substrates import CODEC, MemorySubstrate, answer, distinct, everything, put

VERSION_2 = replace(LEDGER, version="2", decide=louder)


def shouting(substrate: MemorySubstrate) -> list[bool]:
    """For each explanation in the log: did version 2 write it?"""
    events = [CODEC.decode(record.value) for record in everything(substrate.open(), DECISIONS)]
    return [event.reason == "louder" for event in events if isinstance(event, DecisionExplained)]


@pytest.fixture
def substrate() -> MemorySubstrate:
    found = MemorySubstrate()
    put(found, *random_events(5, 60))
    return found


def test_a_new_version_goes_on_from_the_snapshot(substrate: MemorySubstrate) -> None:
    Seat(LEDGER, 0, CODEC, substrate.open).run()
    before = len(shouting(substrate))
    put(substrate, report(1000, unit=99), report(1001, unit=98))
    Seat(VERSION_2, 0, CODEC, substrate.open).run()
    assert shouting(substrate) == [False] * before + [True, True]


def test_a_new_version_does_not_decide_again_what_the_old_one_answered_after_its_snapshot(
    substrate: MemorySubstrate,
) -> None:
    dying = Seat(
        LEDGER, 0, CODEC, lambda: substrate.open(60, lambda waiting: waiting), checkpoint_every=20
    )
    with pytest.raises(Crashed):
        dying.run()
    answered = len(shouting(substrate))
    clean = MemorySubstrate()
    put(clean, *random_events(5, 60))
    Seat(LEDGER, 0, CODEC, clean.open).run()

    seat = Seat(VERSION_2, 0, CODEC, substrate.open)
    seat.run()

    said = shouting(substrate)
    assert said == [False] * answered + [True] * (len(said) - answered)
    assert any(said)
    assert list(distinct(everything(substrate.open(), DECISIONS))) == list(
        distinct(everything(clean.open(), DECISIONS))
    )


def died_half_way(substrate: MemorySubstrate) -> None:
    first = Seat(LEDGER, 0, CODEC, lambda: substrate.open(50, half), checkpoint_every=20)
    with pytest.raises(Crashed):
        first.run()


def test_an_answer_that_another_version_left_incomplete_is_completed(
    substrate: MemorySubstrate,
) -> None:
    died_half_way(substrate)
    clean = MemorySubstrate()
    put(clean, *random_events(5, 60))
    Seat(LEDGER, 0, CODEC, clean.open).run()
    Seat(VERSION_2, 0, CODEC, substrate.open).run()
    for topic in (SITES, DECISIONS):
        ours = distinct(everything(substrate.open(), topic))
        assert list(ours) == list(distinct(everything(clean.open(), topic)))
    assert any(shouting(substrate))


def test_a_version_that_would_answer_in_another_shape_leaves_it_to_the_first(
    substrate: MemorySubstrate,
) -> None:
    died_half_way(substrate)
    quiet = replace(LEDGER, version="3", decide=lambda state, event: louder(state, event)[:1])
    with pytest.raises(AnswersIncomplete, match="run that version once more"):
        Seat(quiet, 0, CODEC, substrate.open).run()
    Seat(LEDGER, 0, CODEC, substrate.open).run()
    Seat(quiet, 0, CODEC, substrate.open).run()
    assert not any(shouting(substrate))


def half(waiting: int) -> int:
    return waiting // 2


def test_recorded_and_re_decided_agree(substrate: MemorySubstrate) -> None:
    clean = Seat(LEDGER, 0, CODEC, substrate.open)
    while clean.run():
        pass
    told = len(everything(substrate.open(), DECISIONS))
    silent = replace(LEDGER, state_version="2", decide=never)
    rebuilt = Seat(silent, 0, CODEC, substrate.open)
    assert state_bytes(rebuilt.worker.processor) == state_bytes(clean.worker.processor)
    assert rebuilt.worker.processor.position == clean.worker.processor.position
    assert len(everything(substrate.open(), DECISIONS)) == told


def never(_state: Ledger, _event: Event) -> list[Event]:
    raise AssertionError("a recorded input was decided again")


def only_silent(state: Ledger, event: Event) -> list[Event]:
    answers = LEDGER.decide(state, event)
    assert not answers, "a recorded input was decided again"
    return []


def test_without_a_snapshot_the_same_version_says_nothing_again(
    substrate: MemorySubstrate,
) -> None:
    seat = Seat(LEDGER, 0, CODEC, substrate.open)
    seat.run()
    before = {topic: everything(substrate.open(), topic) for topic in (SITES, DECISIONS)}
    substrate.broker.records(snapshots_topic("routing")).clear()
    again = Seat(replace(LEDGER, decide=only_silent), 0, CODEC, substrate.open)
    again.run()
    assert {topic: everything(substrate.open(), topic) for topic in before} == before
    assert state_bytes(again.worker.processor) == state_bytes(seat.worker.processor)


def test_without_a_snapshot_another_version_reads_what_was_recorded(
    substrate: MemorySubstrate,
) -> None:
    clean = Seat(LEDGER, 0, CODEC, substrate.open)
    clean.run()
    substrate.broker.records(snapshots_topic("routing")).clear()
    answered = restore(VERSION_2, 0, substrate.open(), CODEC).processor.position
    last = everything(substrate.open(), DECISIONS)[-1]
    assert dict(last.headers)["ce_cause"] == f"routing/{SITES.name}:0:{answered}/0/1".encode()


def test_garbage_that_looks_like_an_answer_is_none(substrate: MemorySubstrate) -> None:
    """Anybody may write there: a worker that cannot start again is no answer to it."""
    quiet = len(everything(substrate.open(), SITES))
    put(substrate, report(1000, unit=99))  # it has no answer on the own log
    Seat(LEDGER, 0, CODEC, substrate.open).run()
    expected = state_bytes(restore(VERSION_2, 0, substrate.open(), CODEC).processor)
    alert = AlertRaised(
        site_id="site-a", at=1, alert_id="a", kind="x", severity="warning", detail=""
    )
    real = answer(alert, "routing", quiet)
    substrate.append(replace(real, value=b"garbage"), replace(real, value=real.value[:-1]))
    substrate.broker.records(snapshots_topic("routing")).clear()
    assert state_bytes(restore(VERSION_2, 0, substrate.open(), CODEC).processor) == expected


def test_a_letter_about_an_input_that_is_not_there_hides_no_later_one(
    substrate: MemorySubstrate,
) -> None:
    error = Refused(UNANSWERABLE, "made up")
    record = replace(everything(substrate.open(), SITES)[-1], offset=10_000)
    forged = dead_letter(
        SITES, record, error, reader="routing", source="/hcp/agents/routing", codec=CODEC
    )
    substrate.append(replace(forged, topic=unanswered(SITES)))
    seat = Seat(LEDGER, 0, CODEC, substrate.open)
    assert seat.worker.processor.position == -1
    seat.run()
    assert any(everything(substrate.open(), DECISIONS))


def too_great(event: DecisionExplained) -> Event:
    return replace(event, value_usd_micros_per_hour=1 << 63)


@pytest.mark.parametrize("lost", [dlq, unanswered], ids=["kept no longer", "an older version's"])
def test_an_unanswerable_input_is_not_applied_from_the_record_either(
    lost: Callable[[Topic], Topic],
) -> None:
    substrate = MemorySubstrate()
    put(substrate, *[report(at, unit=at % 14, health="degraded") for at in range(30)])
    agent = unwritable(too_great)
    clean = Seat(agent, 0, CODEC, substrate.open)
    while clean.run():
        pass
    assert list(clean.worker.processor.states["site-a"].reports) == [f"u{n}" for n in range(13)]
    dead_letters = everything(substrate.open(), dlq(SITES))
    assert len(dead_letters) == len(everything(substrate.open(), unanswered(SITES))) == 2
    substrate.broker.records(lost(SITES)).clear()
    rebuilt = Seat(replace(agent, state_version="2", decide=never), 0, CODEC, substrate.open)
    assert state_bytes(rebuilt.worker.processor) == state_bytes(clean.worker.processor)
    assert rebuilt.worker.processor.position == clean.worker.processor.position


def test_a_version_that_cannot_write_the_rest_of_an_answer_leaves_it_to_the_first(
    substrate: MemorySubstrate,
) -> None:
    put(substrate, report(1000, unit=13, health="degraded"), report(1001))

    Seat(LEDGER, 0, CODEC, substrate.open).run(60)
    dying = Seat(LEDGER, 0, CODEC, lambda: substrate.open(1, everyone))
    with pytest.raises(Crashed):
        dying.run()
    other = replace(unwritable(too_great), version="2")
    # The explanation is in the log, its alert is not; this version cannot make the explanation.
    with pytest.raises(AnswersIncomplete, match="cannot: routing cannot answer"):
        Seat(other, 0, CODEC, substrate.open).run()
    Seat(LEDGER, 0, CODEC, substrate.open).run()
    Seat(other, 0, CODEC, substrate.open).run()


def test_answers_ahead_of_a_dead_workers_snapshot_are_not_forgotten(
    substrate: MemorySubstrate,
) -> None:
    """The first worker answers far beyond its snapshot and dies; the second makes a snapshot short
    of that point and dies too. The third is another version: it must still see those answers."""
    first = Seat(LEDGER, 0, CODEC, lambda: substrate.open(50, everyone), checkpoint_every=500)
    with pytest.raises(Crashed):
        first.run()
    answered = len(shouting(substrate))
    second = Seat(LEDGER, 0, CODEC, substrate.open, checkpoint_every=500)
    second.run(5)
    third = Seat(VERSION_2, 0, CODEC, substrate.open)
    third.run()
    by_id: dict[str, bool] = {}
    for record, loud in zip(
        everything(substrate.open(), DECISIONS), shouting(substrate), strict=True
    ):
        identity = str(dict(record.headers)["ce_id"])
        assert by_id.setdefault(identity, loud) == loud, "decided twice, differently"
    assert sum(not loud for loud in by_id.values()) >= answered


def everyone(waiting: int) -> int:
    return waiting


@dataclass
class Slim:
    """The ledger's state in another shape: reports by unit and nothing more."""

    site_id: str
    seen: dict[str, int] = field(default_factory=dict)


def slim(plain: dict[str, Any]) -> dict[str, Any]:
    return {"site_id": plain["site_id"], "seen": plain["reports"]}


def test_an_upcaster_carries_an_old_snapshot_over(substrate: MemorySubstrate) -> None:
    old = Seat(LEDGER, 0, CODEC, substrate.open)
    while old.run():
        pass
    agent: Agent[Slim, Event] = Agent(
        name="routing",
        version="3",
        log=SITES,
        state_type=Slim,
        initial=Slim,
        decide=lambda _state, _event: [],
        evolve=lambda state, _event: state,
        state_version="2",
        upcasters={"1": slim},
    )
    restored = restore(agent, 0, substrate.open(), CODEC)
    reports = {site: state.reports for site, state in old.worker.processor.states.items()}
    states = restored.processor.states
    assert {site: state.seen for site, state in states.items()} == reports
    assert restored.processor.position == old.acked
