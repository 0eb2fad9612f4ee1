from __future__ import annotations

import pytest

from simulators.clock import Clock

NEVER = 10**15


def test_event_time_follows_wall_time_at_the_given_speed() -> None:
    clock = Clock(speed=900, event_ms=1_000_000, wall_s=10.0, closes_ms=NEVER)
    assert clock.target_ms(10.0) == 1_000_000
    assert clock.target_ms(11.5) == 1_000_000 + 1_350_000


def test_short_waits_are_made_up_for() -> None:
    clock = Clock(speed=100, event_ms=0, wall_s=0.0, closes_ms=NEVER)
    clock.reached(0, 1.5)
    assert clock.target_ms(1.5) == 150_000


def test_long_waits_are_lost() -> None:
    clock = Clock(speed=100, event_ms=0, wall_s=0.0, closes_ms=NEVER)
    clock.reached(0, 3_600.0)
    assert clock.target_ms(3_600.0) == 200_000, "two wall seconds' worth, not an hour's"
    assert clock.target_ms(3_601.0) == 300_000


def test_being_on_time_changes_nothing() -> None:
    clock = Clock(speed=1, event_ms=500, wall_s=0.0, closes_ms=NEVER)
    clock.reached(1_500, 1.0)
    assert clock == Clock(speed=1, event_ms=500, wall_s=0.0, closes_ms=NEVER)


def test_when_event_time_was_moved_ahead_it_goes_on_from_there() -> None:
    clock = Clock(speed=10, event_ms=0, wall_s=0.0, closes_ms=NEVER)
    clock.reached(9_000_000, 2.0)
    assert clock.target_ms(2.0) == 9_000_000
    assert clock.target_ms(3.0) == 9_010_000


@pytest.mark.parametrize("speed", [0.5, 1, 900, 1_000_000])
def test_after_the_end_it_keeps_the_walls_pace(speed: float) -> None:
    clock = Clock(speed=speed, event_ms=0, wall_s=0.0, closes_ms=1_800_000)
    played_s = 1_800 / speed
    assert clock.target_ms(played_s / 2) == 900_000
    assert clock.target_ms(played_s) == 1_800_000
    assert clock.target_ms(played_s + 60) == pytest.approx(1_860_000, abs=1)
    resumed = Clock(speed=speed, event_ms=9_000_000, wall_s=10.0, closes_ms=1_800_000)
    assert resumed.target_ms(70.0) == 9_060_000


def test_after_the_end_a_long_wait_is_lost_too() -> None:
    clock = Clock(speed=900, event_ms=5_000, wall_s=0.0, closes_ms=5_000)
    clock.reached(5_000, 3_600.0)
    assert clock.target_ms(3_600.0) == 7_000, "two seconds at the wall's pace"
