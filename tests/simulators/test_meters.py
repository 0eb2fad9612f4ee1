from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simulators.meters import Meter

CHANGES = st.lists(st.tuples(st.integers(0, 10_000_000), st.integers(0, 5_000)), max_size=30)


@given(changes=CHANGES, reads=st.lists(st.integers(0, 20_000_000), max_size=30))
def test_readings_add_up_to_the_floor_of_the_integral(
    changes: list[tuple[int, int]], reads: list[int]
) -> None:
    meter = Meter(changed_at=0)
    end = 20_000_000
    steps = sorted([(at, 0, power) for at, power in changes] + [(at, 1, 0) for at in reads])
    total_wh = total_th = exact_w_ms = since = power_w = 0
    for at, is_read, power in steps:
        exact_w_ms += power_w * (at - since)
        since = at
        if is_read:
            energy_wh, work_th = meter.unmetered(at)
            meter.report(energy_wh, work_th)
            total_wh, total_th = total_wh + energy_wh, total_th + work_th
            assert total_wh == exact_w_ms // 3_600_000
        else:
            power_w = power
            meter.change(at, power, power)
    exact_w_ms += power_w * (end - since)
    energy_wh, work_th = meter.unmetered(end)
    assert total_wh + energy_wh == exact_w_ms // 3_600_000
    assert total_th + work_th == exact_w_ms // 1_000


def test_an_s21_in_a_quarter_of_an_hour() -> None:
    meter = Meter(changed_at=0)
    meter.change(0, 3_500, 200)
    assert meter.unmetered(900_000) == (875, 180_000)


def test_what_is_told_late_is_in_the_next_reading() -> None:
    meter = Meter(changed_at=0)
    meter.change(0, 1_000)
    meter.report(*meter.unmetered(3_600_000))
    meter.change(1_800_000, 0)  # it had stopped half an hour before that reading
    assert meter.unmetered(7_200_000) == (0, 0), "500 Wh were reported too many"
    meter.change(7_200_000, 1_000)
    assert meter.unmetered(9_000_000) == (0, 0)
    assert meter.unmetered(10_800_000) == (500, 0)
