"""Given a record, what the processor makes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from schemas.codec import Codec, LocalIds, OutRecord, Schema, record_for
from schemas.envelope import produced
from schemas.errors import RegistryUnavailable
from schemas.events.decisions import DecisionExplained
from schemas.events.dlq import RecordDeadLettered
from schemas.events.sites import AlertRaised, TimePassed
from schemas.record import Record
from schemas.topics import DECISIONS, MAX_RECORD_BYTES, SITES, Event, Topic, dlq, unanswered
from streams.loop import Processor
from streams.snapshots import state_bytes
from tests.streams.ledger import LEDGER, Ledger, unwritable
from tests.streams.reports import plan, report
from tests.streams.substrates import CODEC, answer


@pytest.fixture
def processor() -> Processor[Ledger]:
    return Processor(LEDGER, 0, 1, CODEC)


def said(event: Event, topic: Topic = SITES) -> OutRecord:
    return record_for(topic, event, produced(event, source="/tests", id=f"id-{event.at}"), CODEC)


def at(offset: int, out: OutRecord) -> Record:
    headers = tuple((name, value) for name, value in out.headers if isinstance(value, bytes))
    return Record(SITES.name, 0, offset, 1_000, out.key, out.value, headers)


def letter(outputs: list[OutRecord]) -> RecordDeadLettered:
    assert [output.topic for output in outputs] == [dlq(SITES)]
    event = CODEC.decode(outputs[0].value)
    assert isinstance(event, RecordDeadLettered)
    return event


def test_an_input_is_answered_on_the_topics_of_the_answers(processor: Processor[Ledger]) -> None:
    outputs = processor.handle(at(7, said(report(1, health="degraded"))))
    assert [output.topic for output in outputs] == [DECISIONS, SITES]  # its own log last
    causes = [dict(output.headers)["ce_cause"] for output in outputs]
    assert causes == [b"routing/hcp.sites.v1:0:7/0/2", b"routing/hcp.sites.v1:0:7/1/2"]
    assert processor.position == 7
    assert processor.at == 1
    assert processor.states["site-a"].alerts == ["alert-0"]


def test_answers_elsewhere_do_not_reach_evolve(processor: Processor[Ledger]) -> None:
    processor.handle(at(0, said(report(1, health="degraded"))))
    assert processor.states["site-a"].alerts == ["alert-0"]  # from the own log
    assert processor.states["site-a"].reports == {"u0": 1}  # from the input, not the explanation


def test_a_record_at_or_below_the_position_is_skipped(processor: Processor[Ledger]) -> None:
    processor.handle(at(5, said(report(1))))
    assert processor.handle(at(5, said(report(2)))) == []
    assert processor.handle(at(4, said(report(3)))) == []
    assert processor.states["site-a"].reports == {"u0": 1}


def test_own_answers_are_skipped(processor: Processor[Ledger]) -> None:
    outputs = processor.handle(at(0, said(report(1, health="degraded"))))
    assert processor.handle(at(1, outputs[-1])) == []
    assert processor.tally.own == 1
    assert processor.states["site-a"].alerts == ["alert-0"]


def test_repeats_of_another_agent_are_dropped(processor: Processor[Ledger]) -> None:
    for offset, (cause, index) in enumerate([(1, 0), (1, 1), (1, 0), (3, 0), (1, 1), (3, 0)]):
        processor.handle(at(10 + offset, answer(plan(5), "optimization", cause, index, 2)))
    assert processor.states == {}  # only plans: nothing worth keeping
    assert processor.tally.repeats == 3
    assert processor.marks == {"optimization/hcp.sites.v1:0": (3, 0)}


def test_repeats_of_producers_are_inputs_like_any_other(processor: Processor[Ledger]) -> None:
    processor.handle(at(0, said(report(1))))
    processor.handle(at(1, said(report(1))))
    assert processor.states["site-a"].reports == {"u0": 2}


def test_a_state_not_worth_keeping_is_not_kept(processor: Processor[Ledger]) -> None:
    processor.handle(at(0, said(TimePassed(site_id="site-b", at=0))))
    assert processor.states == {}
    processor.handle(at(1, said(TimePassed(site_id="site-b", at=1))))
    assert processor.states["site-b"].now == 1


def without_headers(record: Record) -> Record:
    return replace(record, headers=())


def with_value(value: bytes | None) -> Callable[[Record], Record]:
    return lambda record: replace(record, value=value)


def with_header(name: str, value: bytes) -> Callable[[Record], Record]:
    def change(record: Record) -> Record:
        others = tuple(header for header in record.headers if header[0] != name)
        return replace(record, headers=(*others, (name, value)))

    return change


@pytest.mark.parametrize(
    ("break_it", "reason"),
    [
        (without_headers, "malformed_envelope"),
        (with_header("ce_cause", b"optimization/hcp.sites.v1:0:1/0/1"), "forged"),
        (with_value(None), "not_confluent_wire"),
        (lambda record: replace(record, value=(record.value or b"")[:-3]), "malformed_body"),
        (lambda record: replace(record, key=None), "wrong_key"),
    ],
)
def test_what_cannot_be_understood_is_a_dead_letter(
    processor: Processor[Ledger], break_it: Callable[[Record], Record], reason: str
) -> None:
    record = break_it(at(9, said(report(1))))
    outputs = processor.handle(record)
    dead = letter(outputs)
    assert dead.reason == reason
    assert dead.detail
    assert (dead.source_topic, dead.source_partition, dead.source_offset) == (SITES.name, 0, 9)
    assert (dead.key, dead.value) == (record.key, record.value)
    assert [(header.name, header.value) for header in dead.headers] == list(record.headers)
    assert dead.reader == "routing"
    assert processor.states == {}
    assert processor.position == 9
    again = Processor(LEDGER, 0, 1, CODEC)
    assert again.handle(record) == outputs


def test_routings_events_from_anyone_else_are_forged(processor: Processor[Ledger]) -> None:
    alert = AlertRaised(
        site_id="site-a", at=1, alert_id="a", kind="x", severity="warning", detail=""
    )
    assert letter(processor.handle(at(0, said(alert)))).reason == "forged"
    assert letter(processor.handle(at(1, answer(alert, "optimization", 0)))).reason == "forged"


def test_an_answer_to_a_record_that_is_still_to_come_is_forged(
    processor: Processor[Ledger],
) -> None:
    """It would raise the mark, and every true answer up to it would be dropped."""
    for cause in (5, 6, 1 << 40):
        outputs = processor.handle(at(5, answer(plan(1), "optimization", cause)))
        assert letter(outputs).reason == "forged"
        processor.position = 4
    assert processor.marks == {}


def test_a_stray_key_is_a_dead_letter() -> None:
    record = at(0, said(report(1)))
    homes = {Processor(LEDGER, partition, 4, CODEC): partition for partition in range(4)}
    refused = [
        bool(processor.handle(replace(record, partition=partition))[0].topic is dlq(SITES))
        for processor, partition in homes.items()
    ]
    assert sorted(refused) == [False, True, True, True]


def test_one_reader_writes_the_dead_letter_and_all_refuse(
    processor: Processor[Ledger],
) -> None:
    adviser = Processor(replace(LEDGER, name="optimization"), 0, 1, CODEC)
    garbage = replace(at(0, said(report(1))), value=b"garbage")
    assert letter(processor.handle(garbage)).reader == "routing"
    assert adviser.handle(garbage) == []
    assert (processor.tally.refused, adviser.tally.refused) == (1, 1)
    assert (processor.position, adviser.position) == (0, 0)


def test_a_repeat_that_cannot_be_read_is_garbage_to_every_reader(
    processor: Processor[Ledger],
) -> None:
    processor.handle(at(1, answer(plan(1), "optimization", 0)))
    repeat = replace(at(2, answer(plan(1), "optimization", 0)), value=b"garbage")
    assert letter(processor.handle(repeat)).reason == "not_confluent_wire"


class SilentIds(LocalIds):
    """A registry that does not answer."""

    def schema_of(self, schema_id: int) -> Schema:
        raise RegistryUnavailable(f"no answer about {schema_id}")


def test_a_registry_that_is_away_leaves_everything_as_it_was() -> None:
    processor = Processor(LEDGER, 0, 1, Codec(SilentIds()))
    with pytest.raises(RegistryUnavailable):
        processor.handle(at(0, said(report(1))))
    assert processor.position == -1
    assert processor.states == {}
    assert processor.tally.refused == 0


def test_an_input_without_an_answer_waits_for_the_registry_and_is_no_repeat_then() -> None:
    class AwayOnce(Codec):
        is_away = True

        def encode(self, event: Event) -> bytes:
            if isinstance(event, RecordDeadLettered) and self.is_away:
                self.is_away = False
                raise RegistryUnavailable("no answer")
            return super().encode(event)

    def decide(_state: Ledger, _event: Event) -> list[Event]:
        return [report(1 << 63)]

    processor = Processor(replace(LEDGER, decide=decide), 0, 1, AwayOnce(LocalIds()))
    record = at(3, answer(plan(1), "optimization", 2))
    with pytest.raises(RegistryUnavailable):
        processor.handle(record)
    outputs = processor.handle(record)
    assert [output.topic for output in outputs] == [unanswered(SITES), dlq(SITES)]
    assert letter(outputs[1:]).reason == "unanswerable"


def test_a_decision_that_raises_stops_the_loop() -> None:
    def decide(_state: Ledger, _event: Event) -> list[Event]:
        raise ZeroDivisionError

    processor = Processor(replace(LEDGER, decide=decide), 0, 1, CODEC)
    with pytest.raises(ZeroDivisionError):
        processor.handle(at(0, said(report(1))))
    assert processor.position == -1


def too_great(event: DecisionExplained) -> Event:
    return replace(event, value_usd_micros_per_hour=1 << 63)


def too_large(event: DecisionExplained) -> Event:
    return replace(event, reason="x" * MAX_RECORD_BYTES)


def no_text(event: DecisionExplained) -> Event:
    return replace(event, subject="\ud800")


@pytest.mark.parametrize("spoil", [too_great, too_large, no_text])
def test_an_input_whose_answer_cannot_be_written_is_a_dead_letter_and_not_applied(
    spoil: Callable[[DecisionExplained], Event],
) -> None:
    processor = Processor(unwritable(spoil), 0, 1, CODEC)
    processor.handle(at(0, said(report(1))))
    before = state_bytes(processor)
    record = at(1, said(report(2, unit=13, health="degraded")))
    kept, *outputs = processor.handle(record)
    dead = letter(outputs)
    assert (kept.topic, kept.value) == (unanswered(SITES), outputs[0].value)
    assert dead.reason == "unanswerable"
    assert dead.detail.startswith("routing cannot answer: ")
    assert (dead.source_offset, dead.value) == (1, record.value)
    assert state_bytes(processor) == before
    assert (processor.position, processor.tally.refused) == (1, 1)
    assert [output.topic for output in processor.handle(at(2, said(report(3))))] == [DECISIONS]
    assert processor.states["site-a"].reports == {"u0": 2}


def test_refused_in_a_row_counts_until_something_is_understood(
    processor: Processor[Ledger],
) -> None:
    for offset in range(3):
        processor.handle(without_headers(at(offset, said(report(1)))))
    assert processor.refused_in_a_row == 3
    processor.handle(at(3, said(report(1))))
    assert processor.refused_in_a_row == 0
