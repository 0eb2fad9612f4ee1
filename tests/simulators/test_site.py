from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import cast

import pytest

from schemas.codec import Codec, LocalIds, record_for
from schemas.envelope import Cause, answered, produced
from schemas.events import sites
from schemas.topics import SITES, topic_of
from simulators import scenario as scenarios
from simulators import schedule
from simulators.hardware import CATALOGUE
from simulators.market import read_prices
from simulators.scenario import HardwareFaults, Scenario
from simulators.site import OPERATOR, SiteSimulation
from tests.simulators.obedience import Record, play, resumed

HOUR_MS = 3_600_000
SERIES = "ercot_rt_spp_hb_hubavg_2024"
FAULTY = HardwareFaults(switch_failures_per_million=9_999, unit_mtbf_h=40, repair_s=1_800)
ENDS_AT = datetime(2024, 5, 9, tzinfo=UTC)  # a short schedule: it is made anew at each restart
ERCOT = scenarios.load("ercot-2024").model_copy(update={"hardware": FAULTY, "ends_at": ENDS_AT})
SHORT = ERCOT.model_copy(
    update={
        "ends_at": ERCOT.starts_at + timedelta(hours=3),
        "hardware": HardwareFaults(switch_failures_per_million=0, unit_mtbf_h=10**6),
    }
)
LATE = (
    sites.WorkloadSubmitted(
        site_id=ERCOT.sites[0].site_id,
        at=SHORT.closes_ms + 60_000,
        workload_id="late",
        customer_id="someone",
        name="late",
        kind="batch",
        gpu_model="H100",
        gpu_count=1,
        duration_s=1_800,
    ),
)
SPIKE_END = ERCOT.starts_ms + 27 * HOUR_MS


@pytest.fixture(scope="module")
def log() -> list[Record]:
    """Twenty-seven hours of ercot-2024 with hardware that fails often."""
    return play(ERCOT, SPIKE_END)[0]


def of(log: list[Record], event_type: type) -> list[sites.SitesEvent]:
    return [event for event, _ in log if isinstance(event, event_type)]


def test_the_beginning_is_in_order(log: list[Record]) -> None:
    kinds = [type(event).__name__ for event, envelope in log if envelope.cause is None]
    assert kinds[:1] == ["SiteConfigured"]
    assert kinds[1:87] == ["UnitRegistered"] * 86
    assert kinds[87:90] == ["HashpricePublished", "PowerPricePublished", "TimePassed"]


def test_time_passes_forward_only_and_never_with_a_gap_beyond_a_tick(log: list[Record]) -> None:
    ticks = [event.at for event in of(log, sites.TimePassed)]
    assert ticks == sorted(set(ticks))
    assert max(b - a for a, b in pairwise(ticks)) <= ERCOT.tick_s * 1000


def test_nothing_of_ours_is_ahead_of_the_clock(log: list[Record]) -> None:
    now = 0
    for event, envelope in log:
        if isinstance(event, sites.TimePassed):
            now = event.at
        elif isinstance(event, sites.WorkloadStarted | sites.WorkloadCompleted):
            assert event.at == now, "the tick comes right before the report"
        elif envelope.cause is None and now:
            assert event.at <= now + ERCOT.tick_s * 1000


def test_prices_are_the_files_interval_by_interval(log: list[Record]) -> None:
    file = {price.interval_start: price.price_usd_per_mwh for price in read_prices(SERIES)}
    published = of(log, sites.PowerPricePublished)[:-1]  # the last is held: the scenario is over
    assert len(published) == 27 * 4
    for event in published:
        assert isinstance(event, sites.PowerPricePublished)
        assert event.at == event.interval_start
        assert event.interval_end == event.interval_start + 900_000
        assert str(event.price_usd_per_mwh) == str(file[event.interval_start])
    assert Decimal("4964.84") in {e.price_usd_per_mwh for e in published}  # type: ignore[union-attr]


def test_every_feeder_is_metered_for_every_interval_once(log: list[Record]) -> None:
    seen = Counter(
        (e.feeder_id, e.interval_start, e.interval_end)
        for e in of(log, sites.EnergyMetered)
        if isinstance(e, sites.EnergyMetered)
    )
    assert set(seen.values()) == {1}
    assert set(seen) == {
        (feeder, ERCOT.starts_ms + n * 900_000, ERCOT.starts_ms + (n + 1) * 900_000)
        for feeder in ("feeder-a", "feeder-b")
        for n in range(27 * 4)
    }


def test_energy_is_what_ran(log: list[Record]) -> None:
    """The independent oracle: each unit's power over time, straight from the log's events."""
    expected, work = integrate(log, SPIKE_END)
    metered: Counter[str] = Counter()
    hashed: Counter[str] = Counter()
    for event in of(log, sites.EnergyMetered):
        assert isinstance(event, sites.EnergyMetered)
        for reading in event.readings:
            metered[reading.unit_id] += reading.energy_wh
            hashed[reading.unit_id] += reading.work_th
    assert dict(metered) == {u: w // 3_600_000 for u, w in expected.items() if w >= 3_600_000}
    assert {u: h for u, h in hashed.items() if h} == {u: w // 1_000 for u, w in work.items() if w}


def integrate(log: list[Record], end: int) -> tuple[dict[str, int], dict[str, int]]:
    """Watt-milliseconds and (TH/s)-milliseconds by unit."""
    changes: dict[str, list[tuple[int, int, int]]] = {}
    modes: dict[str, tuple[sites.UnitMode, ...]] = {}
    holders: dict[str, set[str]] = {}
    units_of: dict[str, tuple[str, ...]] = {}
    assigned: dict[str, str] = {}
    down: set[str] = set()

    def change(unit_id: str, at: int, power_w: int, ths: int = 0) -> None:
        changes.setdefault(unit_id, []).append((at, power_w, ths))

    def vacate(placement_id: str | None, at: int) -> None:
        for unit_id in units_of.pop(placement_id or "", ()):
            holders[unit_id].discard(placement_id or "")
            if not holders[unit_id]:
                change(unit_id, at, 0)

    for event, _ in log:
        match event:
            case sites.UnitRegistered():
                modes[event.unit_id] = event.modes
            case sites.WorkloadPlaced():
                units_of[event.placement_id] = tuple(share.unit_id for share in event.units)
                for share in event.units:
                    holders.setdefault(share.unit_id, set()).add(event.placement_id)
                    change(share.unit_id, event.at, modes[share.unit_id][1].power_w)
            case sites.WorkloadCompleted() | sites.WorkloadRequeued() | sites.WorkloadReleased():
                vacate(event.placement_id, event.at)
            case sites.UnitModeAssigned():
                assigned[event.unit_id] = event.mode
                if event.mode == "off":
                    change(event.unit_id, event.at, 0)
            case sites.UnitSwitched() if event.workload_id is None:
                runs = event.succeeded and event.mode == "normal" and event.unit_id not in down
                power = (3_500, 200) if runs else (0, 0)
                change(event.unit_id, event.at, *power)
            case sites.UnitFailed():
                down.add(event.unit_id)
                change(event.unit_id, event.at, 0)
            case sites.UnitRecovered():
                down.discard(event.unit_id)
            case _:
                pass
    energy, work = {}, {}
    for unit_id, points in changes.items():
        ends = [at for at, _, _ in points[1:]] + [end]
        energy[unit_id] = sum(p * (e - at) for (at, p, _), e in zip(points, ends, strict=True))
        work[unit_id] = sum(h * (e - at) for (at, _, h), e in zip(points, ends, strict=True))
    return energy, work


def test_workloads_run_for_their_time_after_their_switches(log: list[Record]) -> None:
    placed = {e.placement_id: e for e in of(log, sites.WorkloadPlaced)}  # type: ignore[union-attr]
    started = {e.placement_id: e for e in of(log, sites.WorkloadStarted)}  # type: ignore[union-attr]
    completed = of(log, sites.WorkloadCompleted)
    assert len(completed) > 100
    for event in completed:
        assert isinstance(event, sites.WorkloadCompleted)
        asked, began = placed[event.placement_id], started[event.placement_id]
        assert isinstance(asked, sites.WorkloadPlaced)
        assert event.at == began.at + asked.duration_s * 1000
        assert began.at >= asked.at + 350


def test_faults_happen_and_are_repaired(log: list[Record]) -> None:
    failed = Counter(e.unit_id for e in of(log, sites.UnitFailed))  # type: ignore[union-attr]
    recovered = Counter(e.unit_id for e in of(log, sites.UnitRecovered))  # type: ignore[union-attr]
    assert sum(failed.values()) > 20
    assert sum((failed - recovered).values()) < 10
    assert not recovered - failed
    assert of(log, sites.WorkloadRequeued)
    assert any(not e.succeeded for e in of(log, sites.UnitSwitched))  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def over() -> list[Record]:
    """A scenario of three hours, its close, and two hours more, in which somebody submits."""
    return play(SHORT, SHORT.closes_ms + 2 * HOUR_MS, submit=LATE)[0]


def test_after_the_end_a_workload_runs_to_its_completion(over: list[Record]) -> None:
    (asked,) = (e for e in of(over, sites.WorkloadSubmitted) if e in LATE)
    assert asked.at > SHORT.closes_ms
    told = [
        type(event).__name__
        for event, _ in over
        if getattr(event, "workload_id", None) == "late"
        and not isinstance(event, sites.UnitSwitched)
    ]
    assert told == [
        *("WorkloadSubmitted", "WorkloadPlaced", "WorkloadStarted", "WorkloadCompleted"),
        "WorkloadReleased",
    ]


def test_after_the_end_ticks_meters_and_the_last_prices_go_on(over: list[Record]) -> None:
    end = SHORT.closes_ms + 2 * HOUR_MS
    ticks = [event.at for event in of(over, sites.TimePassed)]
    assert ticks[-1] == end
    assert max(b - a for a, b in pairwise(ticks)) <= SHORT.tick_s * 1000
    ends = {e.interval_end for e in of(over, sites.EnergyMetered)}  # type: ignore[union-attr]
    assert ends == set(range(SHORT.starts_ms + 900_000, end + 1, 900_000))
    prices = {
        e.interval_start: (e.interval_end, e.price_usd_per_mwh)
        for e in of(over, sites.PowerPricePublished)
        if isinstance(e, sites.PowerPricePublished)
    }
    assert list(prices) == list(range(SHORT.starts_ms, end + 1, 900_000))
    _, last = prices[SHORT.closes_ms - 900_000]
    for start, (until, price) in prices.items():
        assert until == start + 900_000
        assert start < SHORT.closes_ms or price == last
    hashing = {e.interval_start: e for e in of(over, sites.HashpricePublished)}  # type: ignore[union-attr]
    assert list(hashing) == list(range(SHORT.starts_ms, end + 1, HOUR_MS))


def test_resuming_after_the_end_changes_nothing(over: list[Record]) -> None:
    end = SHORT.closes_ms + 2 * HOUR_MS
    again, _ = play(SHORT, end, restart_every=97, submit=LATE)
    assert as_bytes(again) == as_bytes(over)


@pytest.mark.parametrize(("every", "hours"), [(1, 0.25), (7, 1), (101, 12)])
def test_resuming_changes_nothing(every: int, hours: float) -> None:
    """Forgetting everything and folding the log again gives the same log, byte for byte."""
    until = ERCOT.starts_ms + int(hours * HOUR_MS)
    once, _ = play(ERCOT, until)
    again, _ = play(ERCOT, until, restart_every=every)
    assert as_bytes(again) == as_bytes(once)
    ids = Counter(envelope.id for _, envelope in again)
    assert max(ids.values()) == 1, "nothing is published twice"


def test_the_same_seed_gives_the_same_bytes() -> None:
    for name in scenarios.names():
        scenario = scenarios.load(name).model_copy(update={"ends_at": ENDS_AT})
        once = scheduled(scenario.model_copy(update={"starts_at": ENDS_AT - timedelta(hours=6)}))
        again = scheduled(scenario.model_copy(update={"starts_at": ENDS_AT - timedelta(hours=6)}))
        assert once == again


def test_another_seed_gives_another_schedule() -> None:
    assert scheduled(ERCOT.model_copy(update={"seed": 1})) != scheduled(ERCOT)


def scheduled(scenario: Scenario) -> list[tuple[bytes, bytes, object]]:
    codec = Codec(LocalIds())
    events = [*schedule.customer_events(scenario), *schedule.intake_feed(scenario)]
    for site in scenario.sites:
        events += [*schedule.site_setup(scenario, site), *schedule.site_feed(scenario, site)]
    records = [record_for(topic_of(type(p.event)), p.event, p.envelope, codec) for p in events]
    return [(record.key, record.value, record.headers) for record in records]


def as_bytes(log: list[Record]) -> list[tuple[bytes, object]]:
    codec = Codec(LocalIds())
    records = [record_for(SITES, event, envelope, codec) for event, envelope in log]
    return [(record.value, record.headers) for record in records]


def test_other_producers_nonsense_moves_neither_hardware_nor_time() -> None:
    """A unit registered in 1970 would wear out in 1970, and the clock would wait for it."""
    (site,) = ERCOT.sites
    simulation = SiteSimulation.of(ERCOT, site)
    list(simulation.begin())
    before = simulation.next_at()
    off = sites.UnitMode(mode="off", power_w=0, hashrate_ths=0, tflops=0.0)
    nonsense: list[sites.SitesEvent] = [
        sites.UnitRegistered(
            site_id=site.site_id,
            at=1,
            unit_id="stranger",
            feeder_id="feeder-a",
            kind="asic",
            model="S21",
            modes=(off,),
        ),
        sites.SiteConfigured(
            site_id=site.site_id,
            at=1,
            name="?",
            power_cap_w=1,
            feeders=(sites.Feeder(feeder_id="feeder-z", power_cap_w=1),),
            gpu_prices=(),
        ),
        sites.UnitFailed(site_id=site.site_id, at=1, unit_id="s21-0001", reason="?"),
        sites.TimePassed(site_id=site.site_id, at=1),
    ]

    for event in nonsense:
        simulation.fold(event, produced(event, source="/someone/else"))

    assert simulation.next_at() == before
    assert "stranger" not in simulation.world.asics
    assert "feeder-z" not in simulation.world.feeders


FAR = 4_000_000_000_000  # a real time of 2096, which no agent refuses for its own sake


def stranger(event: sites.SitesEvent, name: str = "x") -> Record:
    return event, produced(event, source="/someone/else", id=name)


def answer_to(question: Record, event: sites.SitesEvent) -> Record:
    """Routing's only answer; where in the log it stands is of no matter here."""
    cause = Cause("routing", SITES.name, 0, 0, 0, 1)
    return event, answered(event, agent="routing", version="1", input=question[1], cause=cause)


def test_a_tick_of_someone_elses_that_routing_refused_moves_no_time() -> None:
    """Neither when it comes, nor when the log is folded again after a restart."""
    (site,) = ERCOT.sites
    log, live = play(ERCOT, ERCOT.starts_ms + HOUR_MS // 4)
    expected, _ = play(ERCOT, ERCOT.starts_ms + HOUR_MS)
    now = live.now or 0
    far = stranger(sites.TimePassed(site_id=site.site_id, at=FAR))
    refused = sites.InputRejected(
        site_id=site.site_id, at=now, rejected_type=sites.TimePassed.FULL_NAME,
        subject=site.site_id,
        reason="clock_jump", detail="",
    )  # fmt: skip
    for record in (far, answer_to(far, refused)):
        log.append(record)
        live.fold(*record)
    again = resumed(ERCOT, site, log)
    assert list(again.begin()) == []
    ticks = [e.at for e in of(expected, sites.TimePassed)]
    for simulation in (live, again):
        assert simulation.now == now
        while (simulation.now or 0) == now:
            told = simulation.step()
        assert told[0].event == sites.TimePassed(
            site_id=site.site_id, at=ticks[ticks.index(now) + 1]
        )


@pytest.mark.parametrize(
    "word",
    [
        sites.HourClosed(site_id="west-texas", at=FAR, closed_until=FAR - FAR % HOUR_MS),
        sites.InputRejected(
            site_id="west-texas", at=FAR, rejected_type=sites.TimePassed.FULL_NAME,
        subject="west-texas",
            reason="clock_backwards", detail="",
        ),
    ],
)  # fmt: skip
def test_where_routing_believed_it_our_ticks_go_on_from_there(word: sites.SitesEvent) -> None:
    log, live = play(SHORT, SHORT.closes_ms)
    record = answer_to(stranger(sites.TimePassed(site_id="west-texas", at=FAR)), word)
    live.fold(*record)
    again = resumed(SHORT, SHORT.sites[0], [*log, record])
    list(again.begin())
    assert live.now == again.now == FAR
    for simulation in (live, again):
        assert {event.at <= FAR for event in simulation.step()} == {True}, "what was missed first"


def registered(unit_id: str, kind: str = "asic", feeder_id: str = "feeder-a") -> sites.SitesEvent:
    model = CATALOGUE["S21" if kind == "asic" else "H100"]
    return sites.UnitRegistered(
        site_id="west-texas", at=1, unit_id=unit_id, feeder_id=feeder_id, kind=kind,
        model=model.name, modes=model.modes,
    )  # fmt: skip


ECO = sites.UnitMode(mode="eco", power_w=2_000, hashrate_ths=140, tflops=0.0)


def operators(event: sites.SitesEvent, name: str) -> Record:
    return event, produced(event, source=OPERATOR, id=name)


def mining(unit_id: str, at: int) -> Record:
    event = sites.UnitModeAssigned(
        site_id="west-texas", at=at, unit_id=unit_id, mode="normal", power_w=3_500, reason="plan",
        decision_id=f"{unit_id}@{at}",
    )  # fmt: skip
    return answer_to(stranger(event), event)


def test_a_unit_that_an_operator_registered_is_hardware_once_routing_uses_it() -> None:
    simulation = SiteSimulation.of(SHORT, SHORT.sites[0])
    list(simulation.begin())
    before, at = simulation.next_at(), SHORT.starts_ms
    simulation.fold(*operators(registered("new"), "n-1"))
    assert simulation.next_at() == before
    assert "new" not in simulation.world.asics

    simulation.fold(*mining("new", at))

    reports = [planned.event for planned in simulation.step()]
    assert [type(event).__name__ for event in reports] == ["UnitSwitched"]
    energy = simulation.world.read_meters("feeder-a", at, at + HOUR_MS).event
    assert isinstance(energy, sites.EnergyMetered)
    assert [(r.unit_id, r.energy_wh) for r in energy.readings] == [("new", 3_499)]


def test_a_registration_that_routing_refused_is_no_hardware() -> None:
    simulation = SiteSimulation.of(SHORT, SHORT.sites[0])
    list(simulation.begin())
    good, bad = operators(registered("new"), "n-1"), operators(registered("new", "gpu"), "n-2")
    for record in (good, bad):
        simulation.fold(*record)
    refused = sites.InputRejected(
        site_id="west-texas", at=SHORT.starts_ms, rejected_type=sites.UnitRegistered.FULL_NAME,
        subject="new",
        reason="kind_changed", detail="",
    )  # fmt: skip
    simulation.fold(*answer_to(bad, refused))
    simulation.fold(*mining("new", SHORT.starts_ms))
    assert "new" in simulation.world.asics
    assert "new" not in simulation.world.gpus


def test_a_strangers_unit_is_played_by_the_stranger() -> None:
    simulation = SiteSimulation.of(SHORT, SHORT.sites[0])
    list(simulation.begin())
    simulation.fold(*stranger(registered("theirs")))
    simulation.fold(*mining("theirs", SHORT.starts_ms))
    assert "theirs" not in simulation.world.asics


def test_an_operator_gives_a_machine_another_mode() -> None:
    simulation = SiteSimulation.of(SHORT, SHORT.sites[0])
    list(simulation.begin())
    modes = (*CATALOGUE["S21"].modes, ECO)
    event = replace(cast(sites.UnitRegistered, registered("s21-0001")), modes=modes)
    simulation.fold(*operators(event, "n-1"))
    eco = cast(sites.UnitModeAssigned, mining("s21-0001", SHORT.starts_ms)[0])
    eco = replace(eco, mode="eco", power_w=2_000)
    simulation.fold(*answer_to(stranger(eco), eco))
    simulation.step()
    assert simulation.world.asics["s21-0001"].meter.power_w == 2_000
