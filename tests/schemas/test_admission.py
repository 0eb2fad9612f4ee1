"""Given a record of the site log, whether it counts: the same for every reader."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from schemas.admission import admit_envelope, admit_event
from schemas.codec import Codec, LocalIds, OutRecord, record_for
from schemas.envelope import Cause, answered, former_output_id, produced
from schemas.errors import CodecError, Refused
from schemas.events.accounts import CustomerEnrolled
from schemas.events.sites import PowerPlanProposed, TimePassed, WorkloadSubmitted
from schemas.record import Record
from schemas.topics import ACCOUNTS, INTAKE, SITES, Event, Topic, home_partition

CODEC = Codec(LocalIds())
OFFSET = 9
TICK = TimePassed(site_id="site-a", at=1)
SUBMITTED = WorkloadSubmitted(
    site_id="site-a",
    at=1,
    workload_id="w",
    customer_id="c",
    name="a run",
    kind="training",
    gpu_count=1,
    duration_s=60,
)
PLAN = PowerPlanProposed(
    site_id="site-a",
    at=1,
    plan_id="p",
    policy_version="1",
    trigger="price",
    assignments=(),
    headroom=(),
    site_shadow_price_usd_per_mwh=Decimal(80),
    value_usd_micros_per_hour=0,
    bound_usd_micros_per_hour=0,
)


def read(out: OutRecord) -> Record:
    headers = [(name, value) for name, value in out.headers if isinstance(value, bytes)]
    return Record(SITES.name, 0, OFFSET, 1_000, out.key, out.value, headers)


def said(event: Event, topic: Topic = SITES) -> Record:
    return read(record_for(topic, event, produced(event, source="/tests"), CODEC))


def plan_of(agent: str, *, partition: int = 0, offset: int = 1) -> Record:
    cause = Cause(agent, SITES.name, partition, offset, 0, 1)
    question = produced(TICK, source="/tests")
    envelope = answered(PLAN, agent=agent, version="1", input=question, cause=cause)
    return read(record_for(SITES, PLAN, envelope, CODEC))


def admit(record: Record, partitions: int = 1) -> Event:
    envelope = admit_envelope(SITES, record)
    return admit_event(SITES, record, envelope, partitions, CODEC)


def reason_of(record: Record, partitions: int = 1) -> str:
    with pytest.raises((CodecError, Refused)) as caught:
        admit(record, partitions)
    error = caught.value
    assert isinstance(error, CodecError | Refused)
    assert str(error)
    return error.reason


def test_what_a_producer_may_say_and_an_agent_may_answer_counts() -> None:
    assert admit(said(TICK)) == TICK
    assert admit(plan_of("optimization")) == PLAN


def with_value(value: bytes | None) -> Callable[[Record], Record]:
    return lambda record: replace(record, value=value)


def with_header(name: str, value: bytes) -> Callable[[Record], Record]:
    def change(record: Record) -> Record:
        others = [header for header in record.headers if header[0] != name]
        return replace(record, headers=[*others, (name, value)])

    return change


@pytest.mark.parametrize(
    ("break_it", "reason"),
    [
        (lambda record: replace(record, headers=()), "malformed_envelope"),
        (with_header("ce_id", b"\xff"), "malformed_envelope"),
        (with_header("ce_cause", b"nonsense"), "malformed_envelope"),
        (with_header("ce_type", b"hcp.sites.v1.UnitFailed"), "malformed_envelope"),
        (with_header("ce_type", b"hcp.sites.v1.Nonsense"), "unknown_event_type"),
        (with_header("ce_type", b"hcp.accounts.v1.UsageRecorded"), "unknown_event_type"),
        (with_header("ce_cause", b"optimization/hcp.sites.v1:0:1/0/1"), "forged"),
        (with_value(None), "not_confluent_wire"),
        (with_value(b""), "not_confluent_wire"),
        (with_value(b"garbage"), "not_confluent_wire"),
        (with_value(b"\x00\x00\x00\x00\x01x"), "unknown_schema_id"),
        (lambda record: replace(record, value=(record.value or b"")[:-3]), "malformed_body"),
        (lambda record: replace(record, key=b"site-b"), "wrong_key"),
        (lambda record: replace(record, key=None), "wrong_key"),
    ],
)
def test_what_does_not_count(break_it: Callable[[Record], Record], reason: str) -> None:
    assert reason_of(break_it(said(TICK))) == reason


def test_an_agents_event_from_anyone_else_is_forged() -> None:
    assert reason_of(said(PLAN)) == "forged"
    assert reason_of(plan_of("routing")) == "forged"


@pytest.mark.parametrize("offset", [OFFSET, OFFSET + 1, 1 << 40])
def test_an_answer_to_a_record_that_is_still_to_come_is_forged(offset: int) -> None:
    assert reason_of(plan_of("optimization", offset=offset)) == "forged"


def test_an_answer_to_another_partition_is_forged() -> None:
    assert reason_of(plan_of("optimization", partition=1)) == "forged"


def brokered(**forged: Any) -> Record:  # noqa: ANN401
    """An answer of brokering, on another log than its input's."""
    cause = Cause("brokering", INTAKE.name, 0, 1 << 60, 0, 1)
    question = produced(TICK, source="/tests")
    envelope = answered(SUBMITTED, agent="brokering", version="1", input=question, cause=cause)
    return read(record_for(SITES, SUBMITTED, replace(envelope, **forged), CODEC))


def test_an_answer_from_another_log_has_the_id_that_follows_from_its_input() -> None:
    assert admit(brokered()) == SUBMITTED


def test_an_answer_from_before_places_counted_in_its_id_still_counts() -> None:
    cause = Cause("brokering", INTAKE.name, 0, 1 << 60, 0, 1)
    question = produced(TICK, source="/tests", id="in-1")
    former = former_output_id(question.id, cause)
    assert admit(brokered(id=former, causation_id=question.id)) == SUBMITTED


@pytest.mark.parametrize(
    "forged",
    [
        {"id": "chosen by someone"},
        {"causation_id": "another input"},
        {"causation_id": None},
        {"source": "/tests"},
        {"source": "/hcp/agents/routing/1"},
        {"cause": Cause("brokering", INTAKE.name, 0, 1 << 60, 1, 2)},
    ],
)
def test_a_cause_made_up_for_another_log_is_forged(forged: dict[str, Any]) -> None:
    assert reason_of(brokered(**forged)) == "forged"


def test_an_event_of_another_log_does_not_count() -> None:
    event = CustomerEnrolled(customer_id="c", at=1, name="c")
    assert reason_of(said(event, ACCOUNTS)) == "unknown_event_type"


def test_a_key_away_from_home_is_a_stray() -> None:
    partitions = next(n for n in range(2, 50) if home_partition(b"site-a", n))
    assert reason_of(said(TICK), partitions) == "stray_key"
    home = home_partition(b"site-a", partitions)
    assert admit(replace(said(TICK), partition=home), partitions) == TICK
