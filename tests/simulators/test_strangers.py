"""What others put on a simulated site's log: what of it moves the simulator, and what does not."""

from __future__ import annotations

from collections import Counter

import pytest

from schemas.events import sites
from schemas.topics import Event
from simulators import schedule
from simulators.hardware import CATALOGUE
from simulators.site import OPERATOR
from tests.simulators.pipeline import HOUR_MS, Pipeline, play

FAR = 4_000_000_000_000  # a real time of 2096, which no agent refuses for its own sake
SEED = 1


@pytest.fixture(scope="module")
def undisturbed() -> Pipeline:
    return play("seed", SEED, 3)


def ours(pipeline: Pipeline) -> list[Event]:
    source = schedule.source_of(pipeline.scenario)
    return [event for event, envelope in pipeline.events() if envelope.source == source]


def rejections(pipeline: Pipeline) -> Counter[str]:
    found = (event for event, _ in pipeline.events() if isinstance(event, sites.InputRejected))
    return Counter(event.reason for event in found)


@pytest.mark.parametrize("restarts", [False, True])
def test_a_tick_of_2096_changes_nothing_of_ours(undisturbed: Pipeline, *, restarts: bool) -> None:
    pipeline = play("seed", SEED, 1)
    for number in range(3):
        far = sites.TimePassed(site_id="seed", at=FAR + number)
        pipeline.tell(far, "/someone/else", f"far-{number}")
        if restarts:
            pipeline.restart()
        pipeline.play(pipeline.scenario.starts_ms + int((1.1 + number * 0.1) * HOUR_MS))
    pipeline.play(pipeline.scenario.starts_ms + 3 * HOUR_MS)
    assert rejections(pipeline) == {"clock_jump": 3}
    assert ours(pipeline) == ours(undisturbed)


@pytest.mark.parametrize("ahead_ms", [7 * 60_000, 3 * HOUR_MS])
def test_time_goes_on_from_a_tick_that_routing_believed(ahead_ms: int) -> None:
    """What was missed comes at once; then no tick of ours is behind the site's clock."""
    pipeline = play("seed", SEED, 1)
    moved_to = pipeline.scenario.starts_ms + HOUR_MS + ahead_ms
    pipeline.tell(sites.TimePassed(site_id="seed", at=moved_to), "/someone/else", "ahead")
    pipeline.play(moved_to + HOUR_MS)
    assert rejections(pipeline)["clock_backwards"] <= 1, "once, where no hour told us"
    ticks = [event.at for event in ours(pipeline) if isinstance(event, sites.TimePassed)]
    assert ticks == sorted(set(ticks))
    assert ticks[-1] == moved_to + HOUR_MS
    assert [e.at for e in ours(pipeline) if isinstance(e, sites.PowerPricePublished)] == list(
        range(pipeline.scenario.starts_ms, moved_to + HOUR_MS + 1, 900_000)
    )
    readings = [event for event in ours(pipeline) if isinstance(event, sites.EnergyMetered)]
    for event in readings:
        hours = (event.interval_end - event.interval_start) / HOUR_MS
        assert max(reading.energy_wh for reading in event.readings) <= 3_500 * hours + 1
    assert readings[-1].interval_end == moved_to + HOUR_MS - (moved_to + HOUR_MS) % 900_000
    lived = pipeline.sites["seed"]
    pipeline.restart()
    assert pipeline.sites["seed"].now == lived.now
    assert pipeline.sites["seed"].next_at() == lived.next_at()


def test_a_repair_that_somebody_made_up_strands_no_workload() -> None:
    """Routing believes that a broken GPU is well and loads it; the hardware says what it is."""
    pipeline = play("seed", SEED, 0)
    site, world = pipeline.sites["seed"], pipeline.sites["seed"].world
    for unit_id in world.gpus:
        health = world._health[unit_id]
        health.fails_at = pipeline.scenario.starts_ms + 60_000
        world._push(health.fails_at, "fail", unit_id)
    pipeline.play(pipeline.scenario.starts_ms + 120_000)
    for unit_id in world.gpus:
        well = sites.UnitRecovered(site_id="seed", at=site.now or 0, unit_id=unit_id)
        pipeline.tell(well, "/someone/else", f"well-{unit_id}")
    asked = sites.WorkloadSubmitted(
        site_id="seed", at=site.now or 0, workload_id="w", customer_id="seed-lab", name="w",
        kind="batch", gpu_model="H100", gpu_count=1, duration_s=60, priority=100,
    )  # fmt: skip
    pipeline.tell(asked, "/someone/else", "w")
    pipeline.play(pipeline.scenario.starts_ms + 5 * HOUR_MS)
    told = [type(e).__name__ for e, _ in pipeline.events() if getattr(e, "workload_id", "") == "w"]
    assert told.count("WorkloadCompleted") == 1
    assert "WorkloadRequeued" in told


def test_what_an_operator_asks_for_is_done_by_the_hardware() -> None:
    """A new machine mines, a drained one stops, and a curtailment is kept at the meters."""
    pipeline = play("seed", SEED, 1)
    site, world = pipeline.sites["seed"], pipeline.sites["seed"].world
    now = pipeline.scenario.starts_ms + HOUR_MS
    machine = CATALOGUE["S21"]
    new = sites.UnitRegistered(
        site_id="seed", at=now, unit_id="new", feeder_id="feeder-a", kind="asic", model="S21",
        modes=machine.modes,
    )  # fmt: skip
    drained = [
        sites.UnitDrained(site_id="seed", at=now, unit_id=unit_id, reason="")
        for unit_id in ("s21-0001", "s21-0002", "s21-0003")
    ]
    for event in drained:
        pipeline.tell(event, OPERATOR, event.unit_id)
    pipeline.tell(new, OPERATOR, "new")
    pipeline.play(now + HOUR_MS)
    assert [world.asics[event.unit_id].meter.power_w for event in drained] == [0, 0, 0]
    assert world.asics["new"].meter.power_w == 3_500
    last = [e for e in ours(pipeline) if isinstance(e, sites.EnergyMetered)][-1]
    assert {r.unit_id: r.energy_wh for r in last.readings}["new"] == 875

    curtailed = sites.CurtailmentRequested(
        site_id="seed", at=now, curtailment_id="c", max_power_w=20_000, starts_at=site.now or 0,
        duration_s=3_600,
    )  # fmt: skip
    pipeline.tell(curtailed, OPERATOR, "c")
    pipeline.play(now + HOUR_MS + 60_000)
    drawn_w = sum(asic.meter.power_w for asic in world.asics.values())
    drawn_w += sum(gpu.meter.power_w for gpu in world.gpus.values())
    assert 0 < drawn_w <= 20_000
