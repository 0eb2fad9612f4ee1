"""Records that cannot be applied are put aside with the reason, and nothing else changes."""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from projections import metrics
from projections.record import moment
from schemas.codec import OutRecord, record_for
from schemas.envelope import Cause, answered, produced
from schemas.events import sites
from schemas.topics import DECISIONS, SITES, Event, Topic, dlq, home_partition
from tests.projections.conftest import PARTITIONS, Stack
from tests.projections.story import START

FLOOD = 400  # of more than one batch
TICK = sites.TimePassed(site_id="alpha", at=START)
PRICE = sites.PowerPricePublished(
    site_id="alpha",
    at=START,
    settlement_point="HB_HUBAVG",
    interval_start=START,
    interval_end=START + 900_000,
    price_usd_per_mwh=Decimal(666),
)


def as_record(stack: Stack, event: Event) -> OutRecord:
    return record_for(SITES, event, produced(event, source="/test"), stack.codec)


def bad_records(stack: Stack) -> dict[str, OutRecord]:
    good = as_record(stack, TICK)
    home = home_partition(b"alpha", PARTITIONS)
    placed = sites.WorkloadReleased(
        site_id="alpha", at=START, workload_id="alpha-w00004", customer_id="c", outcome="failed"
    )
    question = produced(TICK, source="/test")
    ahead = Cause("routing", SITES.name, home, 10**9, 0, 1)
    early = answered(placed, agent="routing", version="1", input=question, cause=ahead)
    return {
        "not_confluent_wire": replace(good, value=b"not avro"),
        "unknown_schema_id": replace(good, value=b"\0\x7f\xff\xff\xff" + good.value[5:]),
        "malformed_body": replace(good, value=good.value + b"more"),
        "malformed_envelope": replace(good, headers=[]),
        "wrong_key": replace(good, key=b"beta", partition=home),
        "stray_key": replace(good, partition=1 - home),
        "forged": as_record(stack, placed),
        "forged ahead": record_for(SITES, placed, early, stack.codec),
    }


def test_they_change_nothing_and_are_counted(stack: Stack) -> None:
    """Their dead letters are routing's to write: it is the authority of the log."""
    stack.project()
    before, refused = stack.dump(), refusals(SITES)
    bad = bad_records(stack)
    for record in bad.values():
        stack.produce(record)
    stack.flush()
    stack.project()
    assert refusals(SITES) - refused == Counter(reason.removesuffix(" ahead") for reason in bad)
    assert stack.dead_letters(SITES) == []
    assert stack.dump() == before
    assert stack.is_caught_up()


def test_what_no_agent_reads_is_put_aside_once(stack: Stack) -> None:
    """A log that only the projections read, and what says that it is routing's own."""
    stack.project()
    bad = replace(as_record(stack, TICK), topic=DECISIONS, value=b"not avro")
    home = home_partition(b"alpha", PARTITIONS)
    question = produced(TICK, source="/test")
    cause = Cause("routing", SITES.name, home, 0, 0, 1)
    closed = sites.HourClosed(site_id="alpha", at=START, closed_until=START)
    envelope = answered(closed, agent="routing", version="1", input=question, cause=cause)
    own = replace(record_for(SITES, closed, envelope, stack.codec), value=b"not avro")
    for record in (bad, own):
        stack.produce(record)
    stack.flush()
    for _ in range(2):
        stack.project()
        assert [letter.reason for letter in stack.dead_letters(DECISIONS)] == ["unknown_event_type"]
        (letter,) = stack.dead_letters(SITES)
        assert (letter.reason, letter.reader) == ("not_confluent_wire", "projections")


def refusals(topic: Topic) -> Counter[str]:
    """By reason, since this process began."""
    (metric,) = metrics.REFUSED.collect()
    return Counter(
        {
            sample.labels["reason"]: int(sample.value)
            for sample in metric.samples
            if sample.name.endswith("_total") and sample.labels["topic"] == topic.name
        }
    )


def test_what_no_table_takes_is_put_aside_alone(stack: Stack) -> None:
    """An id longer than PostgreSQL can index, between two good records of the same batch."""
    stack.project()
    request = sites.CurtailmentRequested(
        site_id="alpha",
        at=START,
        curtailment_id="before",
        max_power_w=1,
        starts_at=START,
        duration_s=60,
    )
    endless = replace(request, curtailment_id=secrets.token_hex(8000))
    for event in (request, endless, replace(request, curtailment_id="after")):
        stack.produce(as_record(stack, event))
    stack.flush()
    stack.project()
    assert stack.query("SELECT curtailment_id FROM curtailments ORDER BY 1") == [
        ("after",),
        ("before",),
    ]
    (letter,) = [found for found in stack.dead_letters(SITES) if found.reason == "unprojectable"]
    assert letter.detail.startswith("curtailments: ")


def test_text_with_a_nul_is_written_without_it(stack: Stack) -> None:
    stack.produce(
        as_record(
            stack,
            sites.CurtailmentRequested(
                site_id="alpha",
                at=START,
                curtailment_id="nul",
                max_power_w=1,
                starts_at=START,
                duration_s=60,
                reason="a\0b",
            ),
        )
    )
    stack.flush()
    stack.project()
    assert stack.query("SELECT reason FROM curtailments WHERE curtailment_id = 'nul'") == [
        ("a\ufffdb",)
    ]


def test_what_routing_refuses_leaves_no_trace(stack: Stack) -> None:
    """A price, a registration and a configuration that replaced good ones, and were refused."""
    stack.project()
    views = "SELECT (SELECT json_agg(p) FROM {} p)"
    asked = [
        views.format(view)
        for view in ("power_prices", "units", "sites", "feeders", "site_pnl_hourly")
    ]
    before = [stack.query(statement) for statement in asked]
    bad: list[Event] = [
        PRICE,
        sites.UnitRegistered(
            site_id="alpha",
            at=START,
            unit_id="u000",
            feeder_id="nowhere",
            kind="asic",
            model="S9",
            modes=(),
        ),
        sites.SiteConfigured(
            site_id="alpha",
            at=START,
            name="Broken",
            power_cap_w=-1,
            feeders=(),
            gpu_prices=(),
        ),
        sites.EnergyMetered(
            site_id="alpha",
            at=START,
            feeder_id="f1",
            interval_start=START + 10**8,
            interval_end=START + 10**8 + 900_000,
            readings=(sites.MeterReading(unit_id="nobody", energy_wh=1, work_th=1),),
        ),
    ]
    home = home_partition(b"alpha", PARTITIONS)
    first = stack.ends()[SITES, home]
    for event in bad:
        stack.produce(as_record(stack, event))
    stack.flush()
    stack.project()
    assert [stack.query(statement) for statement in asked] != before
    for number, event in enumerate(bad):
        refused = sites.InputRejected(
            site_id="alpha",
            at=START,
            rejected_type=event.FULL_NAME,
            subject="alpha",
            reason="refused",
            detail="No.",
        )
        cause = Cause("routing", SITES.name, home, first + number, 0, 1)
        question = produced(event, source="/test")
        envelope = answered(refused, agent="routing", version="1", input=question, cause=cause)
        stack.produce(record_for(SITES, refused, envelope, stack.codec))
    stack.flush()
    stack.project()
    assert [stack.query(statement) for statement in asked] == before


def test_what_two_read_models_cannot_take_is_put_aside_for_each(stack: Stack) -> None:
    unit = sites.UnitRegistered(
        site_id="alpha",
        at=START,
        unit_id=secrets.token_hex(8000),
        feeder_id="f1",
        kind="gpu",
        model="H100",
        modes=(),
    )
    stack.project()
    known, known_ids = stack.dead_letters(SITES), stack.dead_letter_ids(SITES)
    stack.produce(as_record(stack, unit))
    stack.flush()
    stack.project()
    letters = [letter for letter in stack.dead_letters(SITES) if letter not in known]
    assert {letter.detail.split(":")[0] for letter in letters} == {"energy", "units"}
    assert len(stack.dead_letter_ids(SITES) - known_ids) == 2


def test_a_flooded_partition_rests_alone_and_each_record_is_kept(
    stack: Stack, caplog: pytest.LogCaptureFixture
) -> None:
    stack.project()
    known = refusals(SITES).total()
    flooded = home_partition(b"alpha", PARTITIONS)
    other = next(s for s in ("beta", "gamma") if home_partition(s.encode(), PARTITIONS) != flooded)
    bad = replace(as_record(stack, TICK), value=b"not avro")
    for record in [bad] * FLOOD:
        stack.produce(record)
    later = [replace(TICK, site_id=site, at=START + 10**9) for site in (other, "alpha")]
    for tick in later:
        stack.produce(as_record(stack, tick))
    stack.flush()
    stack.project(until=lambda: (other, moment(START + 10**9)) in clocks(stack))
    assert refusals(SITES).total() < known + FLOOD
    stack.project()
    assert refusals(SITES).total() == known + FLOOD
    assert "understood none of" in caplog.text
    assert ("alpha", moment(START + 10**9)) in clocks(stack)
    assert stack.is_caught_up()


def test_what_is_kept_no_longer_is_passed(stack: Stack) -> None:
    """A read model that begins anew, when the first dead letters are gone from the topic."""
    home = home_partition(b"alpha", PARTITIONS)
    for _ in range(5):
        stack.produce(replace(as_record(stack, TICK), topic=DECISIONS, partition=home))
    stack.flush()
    stack.project()  # which writes them
    stack.project()  # and reads them
    known = row_count(stack)
    (place,) = [
        TopicPartition(stack.topics.name_of(dlq(DECISIONS)), number, 2)
        for number in range(PARTITIONS)
        if stack.ends()[dlq(DECISIONS), number] > 2
    ]
    admin = AdminClient({"bootstrap.servers": stack.kafka})  # its death would end its requests
    deleted = admin.delete_records([place])
    assert deleted[place].result(30).low_watermark == 2
    stack.forget()
    stack.project()
    # Beginning anew, projections may also tell of those two records once more, under the same ids.
    assert known - 2 <= row_count(stack) <= known
    assert stack.is_caught_up()


def row_count(stack: Stack) -> int:
    ((count,),) = stack.query("SELECT count(*) FROM dead_letters")
    return int(count)


def clocks(stack: Stack) -> list[tuple[Any, ...]]:
    return stack.query("SELECT site_id, now FROM site_clocks")
