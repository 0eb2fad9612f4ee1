from __future__ import annotations

from collections import Counter

import pytest

from simulators import scenario as scenarios
from simulators.workloads import Pod, arrivals, read_trace

ERCOT = scenarios.load("ercot-2024")
FOUND = list(arrivals(ERCOT))
PODS = {pod.name: pod for pod in read_trace(ERCOT.workloads.trace)}


def test_every_gpu_pod_of_the_window_arrives_once() -> None:
    first_s = ERCOT.workloads.window_start_s
    last_s = first_s + (ERCOT.ends_ms - ERCOT.starts_ms) // 1000
    longest_s = ERCOT.workloads.longest_s
    assert longest_s == 7 * 86_400
    expected = [
        pod.name
        for pod in PODS.values()
        if pod.num_gpu and pod.duration_s <= longest_s and first_s <= pod.creation_s < last_s
    ]
    assert Counter(arrival.name for arrival in FOUND) == Counter(expected)
    assert len(FOUND) == 3_013


def test_arrivals_keep_the_traces_times_sizes_and_durations() -> None:
    for arrival in FOUND:
        pod = PODS[arrival.name]
        assert arrival.at == ERCOT.starts_ms + (pod.creation_s - 11_836_800) * 1000
        assert (arrival.gpu_count, arrival.gpu_milli) == (pod.num_gpu, pod.gpu_milli)
        began = pod.creation_s if pod.scheduled_s is None else pod.scheduled_s
        assert arrival.duration_s == max(1, pod.deletion_s - began)
    assert [arrival.at for arrival in FOUND] == sorted(arrival.at for arrival in FOUND)


def test_arrivals_can_be_run_as_asked() -> None:
    for arrival in FOUND:
        assert arrival.duration_s > 0
        assert 0 < arrival.gpu_milli <= 1000
        assert arrival.gpu_milli == 1000 or arrival.gpu_count == 1
        assert arrival.gpu_model in ("H100", "A100", None)
        assert arrival.gpu_count == 1 or arrival.gpu_model == "H100"


def test_customers_get_about_their_weight() -> None:
    shares = Counter(arrival.customer_id for arrival in FOUND)
    assert set(shares) == {customer.customer_id for customer in ERCOT.customers}
    for customer in ERCOT.customers:
        assert shares[customer.customer_id] / len(FOUND) == pytest.approx(
            customer.weight / 10, abs=0.03
        )


def test_the_same_scenario_gives_the_same_arrivals() -> None:
    assert list(arrivals(ERCOT)) == FOUND
    other = list(arrivals(ERCOT.model_copy(update={"seed": 1})))
    assert [a.at for a in other] == [a.at for a in FOUND]
    assert other != FOUND


def test_compression_brings_arrivals_closer_and_leaves_durations() -> None:
    part = ERCOT.workloads.model_copy(update={"compression": 10})
    squeezed = list(arrivals(ERCOT.model_copy(update={"workloads": part})))
    for arrival in FOUND[:100]:
        same = next(other for other in squeezed if other.name == arrival.name)
        assert same.at - ERCOT.starts_ms == (arrival.at - ERCOT.starts_ms) // 10
        assert same.duration_s == arrival.duration_s


@pytest.mark.parametrize(
    ("scheduled_s", "deletion_s", "duration_s"), [(150, 200, 50), (None, 200, 100), (200, 200, 1)]
)
def test_duration(scheduled_s: int | None, deletion_s: int, duration_s: int) -> None:
    pod = Pod("openb-pod-0", 1, 1000, "LS", 100, deletion_s, scheduled_s)
    assert pod.duration_s == duration_s


def test_pods_that_ran_too_long_for_the_scenario_are_left_out() -> None:
    part = ERCOT.workloads.model_copy(update={"longest_s": 60})
    short = list(arrivals(ERCOT.model_copy(update={"workloads": part})))
    assert 0 < len(short) < len(FOUND)
    assert max(arrival.duration_s for arrival in short) <= 60
