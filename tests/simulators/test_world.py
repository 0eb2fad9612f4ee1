"""Given what routing said, when time comes, then the hardware reports."""

from __future__ import annotations

from decimal import Decimal

from schemas.events import sites
from schemas.events.sites import SitesEvent
from simulators.hardware import CATALOGUE
from simulators.scenario import HardwareFaults
from simulators.switching import Switching
from simulators.world import BROKEN_SWITCH, UNDER_REPAIR, World

NEVER = HardwareFaults(switch_failures_per_million=0, unit_mtbf_h=1_000_000)
START = 1_000_000


def world(faults: HardwareFaults = NEVER) -> World:
    found = World("s", seed=1, faults=faults)
    feeders = (sites.Feeder(feeder_id="f", power_cap_w=100_000),)
    found.apply(
        sites.SiteConfigured(
            site_id="s", at=START, name="S", power_cap_w=100_000, feeders=feeders, gpu_prices=()
        )
    )
    for name, unit_id in (("H100", "h1"), ("H100", "h2"), ("S21", "a1")):
        model = CATALOGUE[name]
        found.apply(
            sites.UnitRegistered(
                site_id="s", at=START, unit_id=unit_id, feeder_id="f", kind=model.kind,
                model=name, modes=model.modes,
            )
        )  # fmt: skip
    return found


def placed(
    placement_id: str, *unit_ids: str, at: int = START, duration_s: int = 100, milli: int = 1000
) -> sites.WorkloadPlaced:
    return sites.WorkloadPlaced(
        site_id="s", at=at, workload_id=f"w-{placement_id}", placement_id=placement_id,
        customer_id="c", gpu_model="H100", gpu_milli=milli,
        units=tuple(sites.UnitShare(unit_id=u, gpu_milli=milli, power_w=700) for u in unit_ids),
        duration_s=duration_s, attempt=1, price_usd_per_gpu_hour=Decimal("2.35"), decision_id="d",
    )  # fmt: skip


def released(placement_id: str, at: int) -> sites.WorkloadReleased:
    return sites.WorkloadReleased(
        site_id="s", at=at, workload_id=f"w-{placement_id}", placement_id=placement_id,
        customer_id="c", outcome="cancelled",
    )  # fmt: skip


def assigned(mode: str, at: int = START, decision_id: str = "d1") -> sites.UnitModeAssigned:
    return sites.UnitModeAssigned(
        site_id="s", at=at, unit_id="a1", mode=mode, power_w=0, reason="plan",
        decision_id=decision_id,
    )  # fmt: skip


def reports(found: World, until: int = START + 1_000_000) -> list[SitesEvent]:
    told = []
    while (due := found.next_due()) is not None and due <= until:
        told.append(found.take_due().event)
    return told


def names(events: list[SitesEvent]) -> list[str]:
    return [type(event).__name__ for event in events]


def energy(found: World, end: int) -> dict[str, int]:
    event = found.read_meters("f", START, end).event
    assert isinstance(event, sites.EnergyMetered)
    return {reading.unit_id: reading.energy_wh for reading in event.readings}


def test_a_placement_is_switched_to_started_and_completed() -> None:
    found = world()
    found.apply(placed("p", "h1", "h2"))
    told = reports(found)
    assert names(told) == ["UnitSwitched"] * 2 + ["WorkloadStarted", "WorkloadCompleted"]
    switches = [Switching(1, 0).attempt(unit, "p", 1).total_ms for unit in ("h1", "h2")]
    assert told[2].at == START + max(switches), "when the last unit is ready"
    assert told[3].at == told[2].at + 100_000


def test_a_repeated_placement_changes_nothing() -> None:
    found = world()
    found.apply(placed("p", "h1"))
    found.apply(placed("p", "h1"))
    assert names(reports(found)) == ["UnitSwitched", "WorkloadStarted", "WorkloadCompleted"]


def test_what_is_taken_away_never_completes() -> None:
    found = world()
    found.apply(placed("p", "h1"))
    reports(found, START + 1_000)
    found.apply(released("p", START + 50_000))
    assert reports(found) == []
    assert energy(found, START + 3_600_000) == {"h1": 700 * 50 // 3_600}


def test_a_late_switch_of_an_older_placement_is_not_taken_for_the_new_one() -> None:
    found = world()
    found.apply(placed("p", "h1"))
    old = found.take_due().event
    found.apply(released("p", START))
    again = placed("p2", "h1", at=START + 60_000)
    found.apply(again)
    assert isinstance(old, sites.UnitSwitched)
    found.apply(old)
    assert names(reports(found)) == ["UnitSwitched", "WorkloadStarted", "WorkloadCompleted"]


def test_shares_of_one_gpu_draw_its_power_once() -> None:
    found = world()
    found.apply(placed("p", "h1", milli=500, duration_s=3_600))
    found.apply(placed("q", "h1", milli=500, duration_s=1_800))
    reports(found, START + 3_600_000)
    assert energy(found, START + 3_600_000) == {"h1": 700}


def test_an_asic_hashes_once_it_has_switched() -> None:
    found = world()
    found.apply(assigned("normal"))
    (switched,) = reports(found)
    assert isinstance(switched, sites.UnitSwitched)
    assert (switched.mode, switched.workload_id, switched.succeeded) == ("normal", None, True)
    took_ms = switched.at - START
    event = found.read_meters("f", START, START + 3_600_000).event
    assert isinstance(event, sites.EnergyMetered)
    assert event.readings == (
        sites.MeterReading(
            unit_id="a1",
            energy_wh=3_500 * (3_600_000 - took_ms) // 3_600_000,
            work_th=200 * (3_600_000 - took_ms) // 1_000,
        ),
    )


def test_an_asic_gives_its_power_back_at_once() -> None:
    found = world()
    found.apply(assigned("normal"))
    reports(found)
    began = found.asics["a1"].meter.changed_at
    found.apply(assigned("off", START + 1_800_000, "d2"))
    assert found.asics["a1"].meter.power_w == 0
    reports(found, START + 1_801_000)
    assert energy(found, START + 3_600_000) == {
        "a1": 3_500 * (START + 1_800_000 - began) // 3_600_000
    }


def test_only_the_newest_assignment_is_carried_out() -> None:
    found = world()
    found.apply(assigned("normal"))
    found.apply(assigned("off", decision_id="d2"))
    (switched,) = reports(found)
    assert isinstance(switched, sites.UnitSwitched)
    assert switched.mode == "off"
    assert found.asics["a1"].meter.power_w == 0


def test_an_unknown_mode_or_unit_is_ignored() -> None:
    found = world()
    found.apply(assigned("turbo"))
    found.apply(placed("p", "nowhere"))
    assert reports(found) == []


def failing_placement() -> str:
    """One whose first switch of h1 fails."""
    switching = Switching(1, 9_999)
    for number in range(5_000):
        name = f"p{number}"
        if not switching.attempt("h1", name, 1).succeeded:
            return name
    raise AssertionError("one in a hundred fails")


def test_a_failed_switch_is_told_and_tried_again() -> None:
    found = world(HardwareFaults(switch_failures_per_million=9_999, unit_mtbf_h=1_000_000))
    found.apply(placed(failing_placement(), "h1"))
    told = reports(found)
    assert names(told)[:2] == ["UnitSwitched", "UnitSwitched"]
    assert isinstance(told[0], sites.UnitSwitched)
    assert not told[0].succeeded
    assert told[1].at - told[0].at >= 350


def test_three_failed_switches_break_the_unit_until_it_is_repaired() -> None:
    always = HardwareFaults.model_construct(
        switch_failures_per_million=1_000_000, unit_mtbf_h=1_000_000, repair_s=7_200
    )
    found = world(always)
    found.apply(placed("p", "h1"))
    told = reports(found, START + 10**9)
    assert names(told) == [*["UnitSwitched"] * 3, "UnitFailed", "UnitRecovered"]
    assert isinstance(told[3], sites.UnitFailed)
    assert told[3].reason == BROKEN_SWITCH
    repair_ms = told[4].at - told[3].at
    assert 7_200 * 500 <= repair_ms <= 7_200 * 1500
    assert energy(found, START + 3_600_000) == {}


def test_a_failed_unit_stops_its_placement_and_draws_nothing() -> None:
    found = world()
    found.apply(placed("p", "h1", "h2", duration_s=7_200))
    reports(found, START + 1_000)
    found.apply(
        sites.UnitFailed(site_id="s", at=START + 1_800_000, unit_id="h1", reason="pulled out")
    )
    assert "WorkloadCompleted" not in names(reports(found, START + 10**9))
    assert energy(found, START + 3_600_000) == {"h1": 350, "h2": 700}, "h2 waits to be released"


def test_orders_to_a_unit_under_repair_are_answered_with_its_failure() -> None:
    """Somebody else said that it is well again, and routing, which believed it, would wait."""
    for order, unit_id in ((placed("p", "h1"), "h1"), (assigned("normal"), "a1")):
        found = world()
        found.apply(sites.UnitFailed(site_id="s", at=START, unit_id=unit_id, reason="pulled out"))
        found.apply(order)
        again = sites.UnitFailed(site_id="s", at=START, unit_id=unit_id, reason=UNDER_REPAIR)
        assert reports(found, START + 1) == [again]

        folded = world()
        folded.apply(sites.UnitFailed(site_id="s", at=START, unit_id=unit_id, reason="pulled out"))
        folded.apply(order)
        folded.apply(again)
        assert reports(folded, START + 1) == [], "said before the restart"
        assert names(reports(folded, START + 10**9)) == ["UnitRecovered"]


def test_a_unit_under_repair_is_off_without_a_word() -> None:
    found = world()
    found.apply(sites.UnitFailed(site_id="s", at=START, unit_id="a1", reason="pulled out"))
    found.apply(assigned("off"))
    assert reports(found, START + 1) == []


def test_every_report_names_itself_differently() -> None:
    found = world(HardwareFaults(unit_mtbf_h=1, repair_s=60))
    seen = set()
    for _ in range(200):
        assert found.next_due() is not None
        report = found.take_due()
        seen.add((type(report.event), report.names))
    assert len(seen) == 200
