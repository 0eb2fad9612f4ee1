"""From a submission to a finalized invoice through routing, metering and invoicing, on one log."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from schemas.envelope import Cause
from schemas.events import accounts, sites
from schemas.events.sites import SitesEvent
from schemas.topics import ACCOUNTS, SITES, Event
from streams.driver import Seat
from streams.invoicing.agent import AGENT as INVOICING
from streams.log import Log
from streams.memory import Crashed
from streams.metering.agent import AGENT as METERING
from streams.routing.agent import AGENT as ROUTING
from streams.snapshots import state_bytes
from tests.streams.substrates import CODEC, MemorySubstrate, distinct, everything, put

SITE = "plano"
MINUTE = 60_000
QUARTER = 15 * MINUTE
HOUR = 60 * MINUTE
DAY = 1_717_200_000_000  # 2024-06-01T00:00Z
H100_W = 700
HOURS = 28
GPUS = 4

Open = Callable[[], Log]


def opening() -> Iterator[SitesEvent]:
    yield sites.SiteConfigured(
        site_id=SITE,
        at=DAY,
        name="Plano",
        power_cap_w=50_000,
        feeders=(sites.Feeder(feeder_id="f1", power_cap_w=50_000),),
        gpu_prices=(sites.GpuPrice(gpu_model="H100", price_usd_per_gpu_hour=Decimal("2.35")),),
    )
    yield sites.TimePassed(site_id=SITE, at=DAY)
    for number in range(GPUS):
        yield sites.UnitRegistered(
            site_id=SITE,
            at=DAY,
            unit_id=f"gpu-{number}",
            feeder_id="f1",
            kind="gpu",
            model="H100",
            memory_gb=80,
            modes=(
                sites.UnitMode(mode="off", power_w=0, hashrate_ths=0, tflops=0.0),
                sites.UnitMode(mode="compute", power_w=H100_W, hashrate_ths=0, tflops=989.4),
            ),
        )


def quarter(start: int) -> Iterator[SitesEvent]:
    """Each GPU draws 175 Wh in a quarter of an hour; the price is $40."""
    end = start + QUARTER
    yield sites.PowerPricePublished(
        site_id=SITE,
        at=start,
        settlement_point="HB_NORTH",
        interval_start=start,
        interval_end=end,
        price_usd_per_mwh=Decimal(40),
    )
    for minute in range(1, 16):
        yield sites.TimePassed(site_id=SITE, at=start + minute * MINUTE)
    yield sites.EnergyMetered(
        site_id=SITE,
        at=end,
        feeder_id="f1",
        interval_start=start,
        interval_end=end,
        readings=tuple(
            sites.MeterReading(unit_id=f"gpu-{number}", energy_wh=175, work_th=0)
            for number in range(GPUS)
        ),
    )


def submitted(workload_id: str, when: int, *, customer_id: str, gpus: int) -> SitesEvent:
    return sites.WorkloadSubmitted(
        site_id=SITE,
        at=when,
        workload_id=workload_id,
        customer_id=customer_id,
        name=workload_id,
        kind="training",
        gpu_model="H100",
        gpu_count=gpus,
        duration_s=7200,
    )


def cancelled(workload_id: str, when: int) -> SitesEvent:
    return sites.WorkloadCancelled(
        site_id=SITE, at=when, workload_id=workload_id, cancelled_by="customer", reason="asked to"
    )


def day() -> list[SitesEvent]:
    """acme runs two GPUs from 02:00 to 04:30; umbra one from 23:00 to the next day's 01:15."""
    events = list(opening())
    for start in range(DAY, DAY + HOURS * HOUR, QUARTER):
        match (start - DAY) // MINUTE:
            case 120:
                events.append(submitted("w1", start, customer_id="acme", gpus=2))
            case 270:
                events.append(cancelled("w1", start))
            case 1380:
                events.append(submitted("w2", start, customer_id="umbra", gpus=1))
            case 1515:
                events.append(cancelled("w2", start))
        events += quarter(start)
    return events


def seats(opened: Open, checkpoint_every: int = 500) -> list[Seat]:
    return [
        Seat(agent, 0, CODEC, opened, checkpoint_every=checkpoint_every)
        for agent in (ROUTING, METERING, INVOICING)
    ]


def run(found: list[Seat], burst: int, pick: random.Random) -> int:
    """Until all are quiet, in any order, whoever dies; how often anyone did."""
    died = quiet = 0
    while quiet < len(found):
        quiet = 0
        for seat in pick.sample(found, len(found)):
            try:
                quiet += not seat.run(pick.randint(1, burst))
            except Crashed:
                died += 1
                seat.restart()
    return died


@pytest.fixture(scope="module")
def clean() -> tuple[MemorySubstrate, list[Seat]]:
    substrate = MemorySubstrate()
    put(substrate, *day())
    found = seats(substrate.open)
    run(found, 10_000, random.Random(0))
    return substrate, found


def account(substrate: MemorySubstrate, customer_id: str) -> list[Event]:
    events = (CODEC.decode(record.value) for record in everything(substrate.open(), ACCOUNTS))
    return [event for event in events if getattr(event, "customer_id", "") == customer_id]


def test_a_days_work_becomes_a_finalized_invoice(
    clean: tuple[MemorySubstrate, list[Seat]],
) -> None:
    said = account(clean[0], "acme")
    (invoice,) = [event for event in said if isinstance(event, accounts.InvoiceDrafted)]
    (final,) = [event for event in said if isinstance(event, accounts.InvoiceFinalized)]
    energy, time = invoice.lines
    # two H100 for two and a half hours at $2.35, and 2 x 10 quarters of 175 Wh at $40 a MWh
    assert (time.meter, time.quantity, time.amount_usd_micros) == (
        "gpu_time",
        5 * 3_600_000_000,
        11_750_000,
    )
    assert (energy.meter, energy.quantity, energy.amount_usd_micros) == ("energy", 3_500, 140_000)
    assert invoice.total_usd_micros == final.total_usd_micros == 11_890_000
    assert (invoice.period_start, invoice.period_end) == (DAY, DAY + 24 * HOUR)


def test_a_workload_over_midnight_is_billed_to_both_days(
    clean: tuple[MemorySubstrate, list[Seat]],
) -> None:
    said = account(clean[0], "umbra")
    rated = [event for event in said if isinstance(event, accounts.UsageRated)]
    assert sum(r.quantity for r in rated if r.meter == "gpu_time") == 2.25 * 3_600_000_000
    (invoice,) = [event for event in said if isinstance(event, accounts.InvoiceDrafted)]
    assert sum(line.quantity for line in invoice.lines if line.meter == "gpu_time") == 3_600_000_000


def test_the_customer_pays_the_list_price_that_its_cap_was_checked_against() -> None:
    site, *units = opening()
    assert isinstance(site, sites.SiteConfigured)
    cheap = sites.GpuPrice(gpu_model="H100", price_usd_per_gpu_hour=Decimal("1.05"))
    wanted = submitted("w1", DAY, customer_id="acme", gpus=1)
    assert isinstance(wanted, sites.WorkloadSubmitted)
    wanted = replace(wanted, max_price_usd_per_gpu_hour=Decimal("1.10"))
    events: list[SitesEvent] = [replace(site, gpu_prices=(cheap,)), *units, wanted]
    substrate = MemorySubstrate()
    put(substrate, *events, *one_hour())
    run(seats(substrate.open), 10_000, random.Random(0))
    assert amounts(substrate) == {"gpu_time": 1_050_000, "energy": 28_000}


@pytest.mark.parametrize("outcome", ["cancelled", "failed"])
def test_what_a_producer_says_about_the_end_changes_no_bill(outcome: str) -> None:
    # Given a workload that ran for an hour, and a producer that speaks as routing does of a switch
    wanted = submitted("w1", DAY, customer_id="acme", gpus=1)
    words = {"site_id": SITE, "workload_id": "w1", "reason": "switch_failed"}
    end: SitesEvent = sites.WorkloadCancelled(at=DAY + HOUR, cancelled_by="acme", **words)
    if outcome == "failed":
        end = sites.WorkloadFailed(at=DAY + HOUR, placement_id="w1/1", **words)
    substrate = MemorySubstrate()
    put(substrate, *opening(), wanted, *list(one_hour())[:-1], end)
    put(substrate, *quarter(DAY + HOUR), *quarter(DAY + HOUR + QUARTER))
    run(seats(substrate.open), 10_000, random.Random(0))
    said = [CODEC.decode(record.value) for record in everything(substrate.open(), SITES)]
    (released,) = [event for event in said if isinstance(event, sites.WorkloadReleased)]
    assert (released.outcome, released.detail) == (outcome, "switch_failed")
    assert amounts(substrate) == {"gpu_time": 2_350_000, "energy": 28_000}


def test_what_routing_refuses_reaches_no_bill() -> None:
    hour = list(one_hour())
    moved = next(e for e in opening() if isinstance(e, sites.UnitRegistered))
    price = next(e for e in hour if isinstance(e, sites.PowerPricePublished))
    meter = next(e for e in hour if isinstance(e, sites.EnergyMetered))
    absurd = tuple(replace(reading, energy_wh=2**62) for reading in meter.readings)
    refused: list[SitesEvent] = [
        replace(moved, feeder_id="nowhere"),
        replace(price, price_usd_per_mwh=Decimal(5_000_000), interval_end=DAY + HOUR),
        replace(meter, readings=absurd),
        replace(meter, interval_start=DAY + QUARTER, readings=absurd),
        sites.TimePassed(site_id=SITE, at=DAY + 10_000 * HOUR),
    ]
    wanted = submitted("w1", DAY, customer_id="acme", gpus=1)
    substrate = MemorySubstrate()
    put(substrate, *opening(), wanted, *hour[:5], *refused, *hour[5:])
    run(seats(substrate.open), 10_000, random.Random(0))
    said = [CODEC.decode(record.value) for record in everything(substrate.open(), SITES)]
    assert len([e for e in said if isinstance(e, sites.InputRejected)]) == len(refused)
    assert amounts(substrate) == {"gpu_time": 2_350_000, "energy": 28_000}


def one_hour() -> Iterator[SitesEvent]:
    for start in range(DAY, DAY + HOUR, QUARTER):
        yield from quarter(start)
    yield sites.TimePassed(site_id=SITE, at=DAY + HOUR + MINUTE)


def amounts(substrate: MemorySubstrate) -> dict[str, int]:
    """What acme's usage costs, by meter."""
    by_meter: dict[str, int] = {}
    for event in account(substrate, "acme"):
        if isinstance(event, accounts.UsageRated):
            by_meter[event.meter] = by_meter.get(event.meter, 0) + event.amount_usd_micros
    return by_meter


@pytest.mark.parametrize("seed", range(6))
def test_deaths_and_lags_change_no_invoice(
    seed: int, clean: tuple[MemorySubstrate, list[Seat]]
) -> None:
    pick = random.Random(seed)
    substrate = MemorySubstrate()
    put(substrate, *day())

    def mortal() -> Log:
        return substrate.open(pick.randint(1, 90), lambda waiting: pick.randint(0, waiting))

    found = seats(mortal, checkpoint_every=97)
    assert run(found, 700, pick) >= 3
    ours, theirs = account_contents(substrate), account_contents(clean[0])
    assert ours == theirs
    for seat, reference in zip(found, clean[1], strict=True):
        assert state_bytes(seat.worker.processor) == state_bytes(reference.worker.processor)


@pytest.mark.parametrize("seed", range(4))
def test_agents_that_keep_up_or_fall_behind_write_the_same_invoices(
    seed: int, clean: tuple[MemorySubstrate, list[Seat]]
) -> None:
    pick, substrate, events = random.Random(seed), MemorySubstrate(), day()
    found = seats(substrate.open)
    while events:
        count = pick.choice((1, 20, 400))
        put(substrate, *events[:count])
        del events[:count]
        for seat in found:
            seat.run(pick.choice((0, 1, 30, 1000)))
    run(found, 10_000, pick)
    assert invoices(substrate) == invoices(clean[0])


def invoices(substrate: MemorySubstrate) -> dict[str, tuple[accounts.InvoiceLine, ...]]:
    events = (CODEC.decode(record.value) for record in everything(substrate.open(), ACCOUNTS))
    return {e.number: e.lines for e in events if isinstance(e, accounts.InvoiceDrafted)}


def account_contents(substrate: MemorySubstrate) -> list[bytes]:
    """What a reader of the account log that drops repeats is left with. Without the ids: those of
    answers name the place of their inputs, which repeats before them shift."""
    return sorted(
        value or b"" for value in distinct(everything(substrate.open(), ACCOUNTS)).values()
    )


def test_the_answers_of_an_agent_name_their_inputs(
    clean: tuple[MemorySubstrate, list[Seat]],
) -> None:
    causes = [
        Cause.parse(value.decode())
        for record in everything(clean[0].open(), ACCOUNTS)
        for name, value in record.headers
        if name == "ce_cause" and value is not None
    ]
    assert {(cause.agent, cause.log) for cause in causes} == {
        ("metering", SITES.name),
        ("invoicing", ACCOUNTS.name),
    }
