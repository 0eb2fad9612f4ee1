from __future__ import annotations

from schemas.pace import AT_ONCE_S, BURST, MANY, RATE, SHARE, SLOW_RATE, Pace


def drained_after(seconds: float, in_a_row: int = 1, took_s: float = 0.0) -> int:
    """How many records of nothing but garbage a reader puts aside that rests when told to."""
    pace, now_s, count = Pace(), 1_000.0, 0
    while True:
        now_s += took_s
        now_s += pace.put_aside(1, in_a_row + count, now_s, took_s)
        if now_s > 1_000.0 + seconds:
            return count
        count += 1


def test_a_burst_rests_for_nothing() -> None:
    pace = Pace()
    assert sum(pace.put_aside(1, n, 1_000.0, 0.0) for n in range(BURST)) < 0.001
    later = (pace.put_aside(1, BURST + n, 1_000.0, 0.0) for n in range(int(RATE * AT_ONCE_S) + 1))
    assert any(rest_s >= AT_ONCE_S for rest_s in later)


def test_a_partition_rests_seldom_and_not_after_each_record() -> None:
    pace, now_s, rests = Pace(), 1_000.0, []
    for n in range(6_000):
        rests.append(pace.put_aside(1, n, now_s, 0.0))
        now_s += rests[-1]
    assert all(rest_s == 0 or AT_ONCE_S <= rest_s < 2 * AT_ONCE_S for rest_s in rests)
    assert sum(rest_s > 0 for rest_s in rests) <= 6_000 / (RATE * AT_ONCE_S)


def test_what_comes_slowly_never_rests() -> None:
    pace = Pace()
    rests = [pace.put_aside(1, n, 1_000 + n / (RATE / 2), 0.0) for n in range(2_000)]
    assert set(rests) == {0.0}


def test_a_flood_is_drained_at_the_rate() -> None:
    assert abs(drained_after(10) - (BURST + 10 * RATE)) < 10


def test_a_reader_that_understands_nothing_drains_next_to_nothing() -> None:
    assert abs(drained_after(100, in_a_row=MANY) - 100 * SLOW_RATE) < 10


def test_ten_thousand_are_over_in_less_than_half_a_minute() -> None:
    assert drained_after(20) > 10_000


def test_a_reader_that_is_slow_is_busy_with_a_flood_for_a_share_of_its_time() -> None:
    took_s = 0.01
    assert abs(drained_after(100, took_s=took_s) * took_s - 100 / SHARE) < 1


def test_a_reader_that_is_fast_enough_drains_a_flood_at_the_rate() -> None:
    assert abs(drained_after(10, took_s=0.0003) - drained_after(10)) < 10
