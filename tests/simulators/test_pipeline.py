"""Scenarios with the agents themselves on the other side of the log."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from schemas.events import sites
from tests.simulators.pipeline import HOUR_MS, Pipeline, play

ROOT = Path(__file__).parents[2]
SEED = 1


@pytest.fixture(scope="module")
def undisturbed() -> Pipeline:
    return play("seed", SEED, 3)


@pytest.mark.parametrize(("name", "seed", "hours"), [("seed", 1, 24), ("ercot-2024", 20240508, 8)])
def test_played_again_every_log_is_the_same_byte_for_byte(name: str, seed: int, hours: int) -> None:
    """The second time in a process of its own, which hashes strings in another way."""
    once = play(name, seed, hours)
    kinds = {type(event).__name__ for event, _ in once.events()}
    assert kinds >= {"WorkloadReleased", "PowerPlanApplied", "HourClosed", "EnergyMetered"}
    again = subprocess.run(
        [sys.executable, "-m", "tests.simulators.pipeline", name, str(seed), str(hours)],
        env={**os.environ, "PYTHONHASHSEED": "4711"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert dict(line.split(" ", 1) for line in again.splitlines()) == once.digests()


def test_another_seed_gives_other_logs(undisturbed: Pipeline) -> None:
    other, same = play("seed", SEED + 1, 3).digests(), undisturbed.digests()
    assert all(other[name] != same[name] for name in same)


def test_a_restart_in_the_middle_changes_no_log(undisturbed: Pipeline) -> None:
    pipeline = play("seed", SEED, 1)
    for hours in (1.5, 2, 3):
        pipeline.restart()
        pipeline.play(pipeline.scenario.starts_ms + int(hours * HOUR_MS))
    assert pipeline.digests() == undisturbed.digests()


def test_the_fleet_is_played_within_every_limit() -> None:
    pipeline = play("fleet", 7, 0.3)
    kinds = Counter(type(event).__name__ for event, _ in pipeline.events())
    assert kinds["UnitRegistered"] == 10_000
    assert kinds["InputRejected"] == kinds["WorkloadRejected"] == 0
    assert kinds["WorkloadPlaced"] > 20
    assert kinds["UnitModeAssigned"] > 7_500, "almost all the mining runs"
    metered = {
        (event.site_id, event.feeder_id): len(event.readings)
        for event, _ in pipeline.events()
        if isinstance(event, sites.EnergyMetered)
    }
    assert len(metered) == 9
    assert min(metered.values()) > 500
    assert not any(agent.tally.refused for agent in pipeline.agents)
    assert most_planned_w(pipeline) <= 1.0


def most_planned_w(pipeline: Pipeline) -> float:
    """The highest share of any feeder's or site's cap that was ever planned."""
    caps: dict[tuple[str, str], int] = {}
    feeders: dict[tuple[str, str], str] = {}
    loads: dict[tuple[str, str], Counter[str]] = {}
    planned: Counter[tuple[str, str]] = Counter()
    most = 0.0

    def plan(site_id: str, unit_id: str, name: str, power_w: int) -> None:
        held = loads.setdefault((site_id, unit_id), Counter())
        before = max(held.values(), default=0)
        held[name] = power_w
        change = max(held.values()) - before
        for place in ((site_id, feeders[site_id, unit_id]), (site_id, "")):
            planned[place] += change

    placed: dict[str, sites.WorkloadPlaced] = {}
    for event, _ in pipeline.events():
        match event:
            case sites.SiteConfigured():
                caps[event.site_id, ""] = event.power_cap_w
                caps |= {(event.site_id, f.feeder_id): f.power_cap_w for f in event.feeders}
            case sites.UnitRegistered():
                feeders[event.site_id, event.unit_id] = event.feeder_id
            case sites.UnitModeAssigned():
                plan(event.site_id, event.unit_id, "", event.power_w)
            case sites.WorkloadPlaced():
                placed[event.placement_id] = event
                for share in event.units:
                    plan(event.site_id, share.unit_id, event.placement_id, share.power_w)
            case sites.WorkloadReleased() | sites.WorkloadRequeued() if event.placement_id:
                for share in placed[event.placement_id].units:
                    plan(event.site_id, share.unit_id, event.placement_id, 0)
            case _:
                continue
        most = max(most, *(planned[place] / cap for place, cap in caps.items()))
    return most
