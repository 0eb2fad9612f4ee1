"""Customers' workloads: pods of the Alibaba GPU cluster trace, on the scenario's clock.

What a pod becomes, decided by its own fields and its name alone:

- Pods without a GPU (`num_gpu` 0) are CPU work and are left out, and those that ran longer than the
  scenario's `longest_s`.
- It arrives at its creation time: the trace second `window_start_s` is the scenario's start.
- Its duration is deletion minus scheduling, or minus creation when it was never scheduled; at
  least one second. The trace's phases (Failed, Pending, …) are what the pod was when last seen;
  they do not change the duration.
- `gpu_milli` is kept: 460 is 46 % of one GPU.
- The trace's cluster had other GPUs and this list names none, so the model is chosen: several
  GPUs are H100s; one whole GPU is an H100 (5 in 10), an A100 (3 in 10) or any (2 in 10); a share
  is of an A100 (6 in 10) or of any (4 in 10).
- Kind: several GPUs train; best-effort (BE) is batch; shares of the other classes are inference and
  whole GPUs interactive.
- Priority 10 for latency-sensitive and guaranteed, 5 for burstable, 0 for best-effort, which is
  also the one that may be preempted.
- Customers get pods by weight.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from simulators import seeded
from simulators.datafiles import read_rows
from simulators.errors import DataInvalid
from simulators.scenario import Customer, Scenario

_PRIORITIES = {"LS": 10, "Guaranteed": 10, "Burstable": 5, "BE": 0}
_WHOLE = ("H100",) * 5 + ("A100",) * 3 + (None,) * 2
_SHARE = ("A100",) * 6 + (None,) * 4


@dataclass(frozen=True, slots=True)
class Pod:
    """A line of the trace; times in seconds from the trace's start."""

    name: str
    num_gpu: int
    gpu_milli: int
    qos: str
    creation_s: int
    deletion_s: int
    scheduled_s: int | None

    @property
    def duration_s(self) -> int:
        began = self.creation_s if self.scheduled_s is None else self.scheduled_s
        return max(1, self.deletion_s - began)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A submission, before it has an address.

    at: event time, milliseconds
    """

    at: int
    workload_id: str
    customer_id: str
    name: str
    kind: str
    gpu_model: str | None
    gpu_count: int
    gpu_milli: int
    duration_s: int
    priority: int
    preemptible: bool


def arrivals(scenario: Scenario) -> Iterator[Arrival]:
    """Those of the scenario's window, by time and then by their place in the trace."""
    part = scenario.workloads
    longest_s = part.longest_s or sys.maxsize
    wanted = (p for p in read_trace(part.trace) if p.num_gpu and p.duration_s <= longest_s)
    for pod in sorted(wanted, key=lambda pod: pod.creation_s):
        since_s = pod.creation_s - part.window_start_s
        at = scenario.starts_ms + since_s * 1000 // part.compression
        if since_s >= 0 and at < scenario.ends_ms:
            yield _arrival(scenario, pod, at)


def _arrival(scenario: Scenario, pod: Pod, at: int) -> Arrival:
    return Arrival(
        at=at,
        workload_id=f"{scenario.name}-{pod.name.removeprefix('openb-')}",
        customer_id=_customer(scenario.customers, scenario.seed, pod),
        name=pod.name,
        kind=_kind(pod),
        gpu_model=_model(scenario.seed, pod),
        gpu_count=pod.num_gpu,
        gpu_milli=pod.gpu_milli,
        duration_s=pod.duration_s,
        priority=_PRIORITIES[pod.qos],
        preemptible=pod.qos == "BE",
    )


def _kind(pod: Pod) -> str:
    if pod.num_gpu > 1:
        return "training"
    if pod.qos == "BE":
        return "batch"
    return "inference" if pod.gpu_milli < 1000 else "interactive"


def _model(seed: int, pod: Pod) -> str | None:
    if pod.num_gpu > 1:
        return "H100"
    choices = _WHOLE if pod.gpu_milli == 1000 else _SHARE
    return choices[seeded.between(0, len(choices) - 1, seed, "model", pod.name)]


def _customer(customers: Sequence[Customer], seed: int, pod: Pod) -> str:
    ticket = seeded.between(1, sum(c.weight for c in customers), seed, "customer", pod.name)
    for customer in customers:
        ticket -= customer.weight
        if ticket <= 0:
            return customer.customer_id
    raise AssertionError("the ticket is one of the weights' sum")


@cache
def read_trace(name: str) -> tuple[Pod, ...]:
    """The whole file, in its order. Raises DataInvalid."""
    return tuple(_pod(row) for row in read_rows(name))


def _pod(row: dict[str, str]) -> Pod:
    try:
        pod = Pod(
            name=row["name"],
            num_gpu=int(row["num_gpu"]),
            gpu_milli=int(row["gpu_milli"]),
            qos=row["qos"],
            creation_s=int(row["creation_time"]),
            deletion_s=int(row["deletion_time"]),
            scheduled_s=int(row["scheduled_time"]) if row["scheduled_time"] else None,
        )
    except (KeyError, ValueError):
        raise DataInvalid(f"not a pod: {row}") from None
    if pod.qos not in _PRIORITIES:
        raise DataInvalid(f"pod {pod.name} has an unknown class of service {pod.qos!r}")
    return pod
