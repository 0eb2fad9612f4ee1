"""A site's day as records on the logs: producers' reports and the agents' answers to them.

Deterministic; offsets are known because nobody else writes to these topics.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from typing import Any

from schemas.codec import Codec, OutRecord, record_for
from schemas.envelope import Cause, Envelope, answered, produced
from schemas.events import accounts, decisions, intake, sites
from schemas.topics import Event, Topic, home_partition, key_of, topic_of

START = 1_725_148_800_000  # 2024-09-01T00:00Z
INTERVAL = 900_000


@dataclass(frozen=True)
class Said:
    """Where an event went, and under which envelope."""

    topic: Topic
    partition: int
    offset: int
    envelope: Envelope


@dataclass
class Story:
    """Everything said so far, in order. partitions: of every log."""

    codec: Codec
    partitions: int = 1
    records: list[OutRecord] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    _next: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    _ids: Iterator[int] = field(default_factory=count)

    def report(self, event: Event) -> Said:
        return self._say(event, produced(event, source="/test", id=f"report-{next(self._ids)}"))

    def answer(self, agent: str, question: Said, *events: Event) -> list[Said]:
        """All at once, as agents do: the index counts over everything it answers."""
        said = []
        for index, event in enumerate(events):
            cause = Cause(
                agent,
                question.topic.name,
                question.partition,
                question.offset,
                index,
                len(events),
            )
            envelope = answered(
                event, agent=agent, version="test", input=question.envelope, cause=cause
            )
            said.append(self._say(event, envelope))
        return said

    def heard(self, topic: Topic, partition: int, offset: int, envelope: Envelope) -> Said:
        """What somebody else wrote, to be answered; what is said here comes after it."""
        self._next[topic.name, partition] = max(self._next[topic.name, partition], offset + 1)
        return Said(topic, partition, offset, envelope)

    def repeat(self, index: int) -> None:
        """Write an agent's output a second time, as a restarted agent does."""
        record, said = self.records[index], self.said[index]
        assert said.envelope.cause is not None
        self._add(record, said.topic, said.partition, said.envelope)

    def _say(self, event: Event, envelope: Envelope) -> Said:
        topic = topic_of(type(event))
        partition = home_partition(key_of(topic, event), self.partitions)
        record = record_for(topic, event, envelope, self.codec)
        return self._add(record, topic, partition, envelope)

    def _add(self, record: OutRecord, topic: Topic, partition: int, envelope: Envelope) -> Said:
        offset = self._next[topic.name, partition]
        self._next[topic.name, partition] += 1
        said = Said(topic, partition, offset, envelope)
        self.records.append(record)
        self.said.append(said)
        return said


def tell(story: Story, *, site: str = "alpha", workloads: int = 20, units: int = 8) -> Story:
    """A site comes into being; workloads come by its log or by the intake, run, are billed."""
    _configure(story, site, units)
    for number in range(workloads):
        at = START + number * 60_000
        story.report(sites.TimePassed(site_id=site, at=at))
        if number % 10 == 0:
            _market(story, site, number // 10, units)
        _workload(story, site, number, at, units)
    return story


def _configure(story: Story, site: str, units: int) -> None:
    story.report(
        sites.SiteConfigured(
            site_id=site,
            at=START,
            name=site.title(),
            pool="default",
            power_cap_w=1_000_000,
            feeders=(
                sites.Feeder(feeder_id="f1", power_cap_w=600_000),
                sites.Feeder(feeder_id="f2", power_cap_w=400_000),
            ),
            gpu_prices=(sites.GpuPrice(gpu_model="H100", price_usd_per_gpu_hour=Decimal("2.35")),),
        )
    )
    for number in range(units):
        gpu = number % 2 == 0
        mode = "compute" if gpu else "mine"
        registered = story.report(
            sites.UnitRegistered(
                site_id=site,
                at=START,
                unit_id=f"u{number:03}",
                feeder_id="f1" if gpu else "f2",
                kind="gpu" if gpu else "asic",
                model="H100" if gpu else "S21",
                memory_gb=80 if gpu else 0,
                modes=(
                    sites.UnitMode(mode="off", power_w=0, hashrate_ths=0, tflops=0.0),
                    sites.UnitMode(
                        mode=mode,
                        power_w=700 if gpu else 3500,
                        hashrate_ths=0 if gpu else 200,
                        tflops=989.4 if gpu else 0.0,
                    ),
                ),
            )
        )
        if not gpu:
            story.answer("routing", registered, _mode(site, f"u{number:03}", "mine", 3500))


def _mode(site: str, unit_id: str, mode: str, power_w: int) -> sites.UnitModeAssigned:
    return sites.UnitModeAssigned(
        site_id=site,
        at=START,
        unit_id=unit_id,
        mode=mode,
        power_w=power_w,
        reason="plan",
        decision_id=f"mode-{unit_id}",
    )


def _market(story: Story, site: str, interval: int, units: int) -> None:
    start = START + interval * INTERVAL
    story.report(
        sites.HashpricePublished(
            site_id=site,
            at=start,
            interval_start=start,
            hashprice_usd_per_ph_day=Decimal("38.2"),
            difficulty=152 * 10**12,
            fees_sats=2_000_000,
            btc_price_usd=Decimal("91000"),
        )
    )
    priced = story.report(
        sites.PowerPricePublished(
            site_id=site,
            at=start,
            settlement_point="HB_HUBAVG",
            interval_start=start,
            interval_end=start + INTERVAL,
            price_usd_per_mwh=Decimal("31.25") + interval,
        )
    )
    plan = sites.PowerPlanProposed(
        site_id=site,
        at=start,
        plan_id=f"{site}-plan-{interval}",
        policy_version="test",
        trigger="price",
        assignments=(sites.PlanAssignment(mode="mine", unit_ids=("u001",)),),
        headroom=(
            sites.FeederHeadroom(
                feeder_id="f1",
                ai_headroom_w=1000,
                shadow_price_usd_per_mwh=Decimal("59.7"),
            ),
        ),
        site_shadow_price_usd_per_mwh=Decimal("0"),
        value_usd_micros_per_hour=1_000_000,
        bound_usd_micros_per_hour=1_200_000,
    )
    (proposed,) = story.answer("optimization", priced, plan)
    applied = sites.PowerPlanApplied(
        site_id=site, at=start, plan_id=plan.plan_id, applied=1, skipped=0, reason=""
    )
    story.answer("routing", proposed, applied)
    for feeder, odd in (("f1", 0), ("f2", 1)):
        numbers = range(odd, units, 2)
        story.report(
            sites.EnergyMetered(
                site_id=site,
                at=start + INTERVAL,
                feeder_id=feeder,
                interval_start=start,
                interval_end=start + INTERVAL,
                readings=tuple(
                    sites.MeterReading(
                        unit_id=f"u{number:03}",
                        energy_wh=875 if odd else 175,
                        work_th=180_000 if odd else 0,
                    )
                    for number in numbers
                ),
            )
        )


def _workload(story: Story, site: str, number: int, at: int, units: int) -> None:
    workload_id, customer_id = f"{site}-w{number:05}", f"{site}-c{number % 3}"
    spec: dict[str, Any] = {
        "at": at,
        "workload_id": workload_id,
        "customer_id": customer_id,
        "name": f"job {number}",
        "kind": "training",
        "gpu_model": None,
        "gpu_count": 1,
        "duration_s": 600,
        "deadline": at + 10**8,
    }
    if number % 4 == 0:
        asked = story.report(intake.WorkloadSubmitted(pool="default", **spec))
        on_site = sites.WorkloadSubmitted(site_id=site, **spec)
        (submitted,) = story.answer("brokering", asked, on_site)
    else:
        submitted = story.report(sites.WorkloadSubmitted(site_id=site, **spec))
    if number % 7 == 6:
        story.answer(
            "routing",
            submitted,
            sites.WorkloadRejected(
                site_id=site,
                at=at,
                workload_id=workload_id,
                customer_id=customer_id,
                reason="no_such_model",
                detail="No unit is one.",
            ),
        )
        return
    queued = sites.WorkloadQueued(
        site_id=site,
        submitted_at=at,
        reason="Waits for units.",
        **spec,
    )
    placed = _placed(site, queued, unit_id=f"u{(2 * number) % units:03}")
    story.answer("routing", submitted, queued, _explained(placed), placed)
    if number % 5 != 4:  # else it is still switching
        _run(story, placed, number)


def _placed(site: str, queued: sites.WorkloadQueued, *, unit_id: str) -> sites.WorkloadPlaced:
    return sites.WorkloadPlaced(
        site_id=site,
        at=queued.at,
        workload_id=queued.workload_id,
        placement_id=f"{queued.workload_id}/1",
        customer_id=queued.customer_id,
        gpu_model="H100",
        gpu_milli=1000,
        units=(sites.UnitShare(unit_id=unit_id, gpu_milli=1000, power_w=700),),
        duration_s=600,
        attempt=1,
        price_usd_per_gpu_hour=Decimal("2.35"),
        decision_id=f"{queued.workload_id}-decision",
    )


def _explained(placed: sites.WorkloadPlaced) -> decisions.DecisionExplained:
    unit_id = placed.units[0].unit_id
    return decisions.DecisionExplained(
        site_id=placed.site_id,
        at=placed.at,
        decision_id=placed.decision_id,
        agent="routing",
        policy_version="test",
        kind="placement",
        subject=placed.workload_id,
        chosen=unit_id,
        reason="Pays most.",
        alternatives=(
            decisions.Alternative(
                label=unit_id,
                feasible=True,
                reason="",
                value_usd_micros_per_hour=2_350_000,
                power_w=700,
            ),
        ),
        value_usd_micros_per_hour=2_350_000,
        power_price_usd_per_mwh=Decimal("31.25"),
    )


def _run(story: Story, placed: sites.WorkloadPlaced, number: int) -> None:
    """From the first second to the last bill."""
    at, site = placed.at, placed.site_id
    run: dict[str, Any] = {
        "site_id": site,
        "workload_id": placed.workload_id,
        "placement_id": placed.placement_id,
    }
    story.report(sites.WorkloadStarted(at=at + 400, **run))
    done = story.report(sites.WorkloadCompleted(at=at + 600_000, **run))
    released = sites.WorkloadReleased(
        at=at + 600_000, customer_id=placed.customer_id, outcome="completed", reason="", **run
    )
    (gone,) = story.answer("routing", done, released)
    _bill(story, gone, released, site, number)


def _bill(
    story: Story, released: Said, event: sites.WorkloadReleased, site: str, number: int
) -> None:
    start = START + number // 60 * 3_600_000
    usage_id = f"{event.workload_id}-usage"
    recorded = accounts.UsageRecorded(
        customer_id=event.customer_id,
        at=event.at,
        usage_id=usage_id,
        site_id=site,
        workload_id=event.workload_id,
        placement_id=str(event.placement_id),
        meter="gpu_time",
        gpu_model="H100",
        interval_start=start,
        interval_end=start + 3_600_000,
        quantity=600_000_000,
        unit="gpu_us",
    )
    (used,) = story.answer("metering", released, recorded)
    rated = accounts.UsageRated(
        customer_id=event.customer_id,
        at=event.at,
        usage_id=usage_id,
        site_id=site,
        workload_id=event.workload_id,
        meter="gpu_time",
        interval_start=start,
        interval_end=start + 3_600_000 if number % 2 else None,
        contract_id=f"{event.customer_id}-contract",
        tariff_id="on-demand",
        quantity=600_000_000,
        unit="gpu_us",
        amount_usd_micros=391_667,
    )
    drafted = accounts.InvoiceDrafted(
        customer_id=event.customer_id,
        at=event.at,
        invoice_id=f"{event.workload_id}-invoice",
        number=f"{event.customer_id}-{number}",
        contract_id=f"{event.customer_id}-contract",
        period_start=start,
        period_end=start + 3_600_000,
        lines=(
            accounts.InvoiceLine(
                line_id="1",
                workload_id=event.workload_id,
                meter="gpu_time",
                description="H100",
                quantity=600_000_000,
                unit="gpu_us",
                amount_usd_micros=391_667,
                usage_ids=(usage_id,),
            ),
        ),
        total_usd_micros=391_667,
    )
    finalized = accounts.InvoiceFinalized(
        customer_id=event.customer_id,
        at=event.at,
        invoice_id=drafted.invoice_id,
        number=drafted.number,
        total_usd_micros=391_667,
        finalized_by="grace",
    )
    story.answer("invoicing", used, rated, drafted, finalized)
