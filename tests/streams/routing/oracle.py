"""Watches a site from outside: folds inputs and routing's answers with none of routing's code.

It keeps the books of power, units and placements in the plainest way and raises `Violation` at the
first record that breaks a promise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from schemas.events import sites
from schemas.events.decisions import DecisionExplained


class Violation(AssertionError):
    """A promise of routing was broken."""


class Oracle:
    def __init__(self) -> None:
        self.site_cap_w = 0
        self.caps_w: dict[str, int] = {}
        self.now: int | None = None
        self.curtailments: dict[str, tuple[int, int, int]] = {}
        self.feeder_of: dict[str, str] = {}
        self.kind_of: dict[str, str] = {}
        self.failed: set[str] = set()
        self.drained: set[str] = set()
        self.asic_w: dict[str, int] = {}
        self.gpu_w: dict[str, int] = {}
        self.loads: dict[str, dict[str, int]] = {}
        self.admitted: dict[str, int] = {}
        self.wanted: dict[str, str | None] = {}
        self.sold: set[str] = set()
        self.running: dict[str, str] = {}
        self.ended_placements: set[str] = set()
        self.over: set[str] = set()
        self.placements = 0
        self.explained: set[str] = set()
        self.referred: set[str] = set()

    def watch(self, event: Any, answers: Sequence[Any]) -> None:  # noqa: ANN401 - any event
        """Fold one input with its answers."""
        refused = any(
            isinstance(answer, sites.InputRejected | sites.WorkloadRejected) for answer in answers
        )
        if refused:
            doubt = isinstance(event, sites.TimePassed)  # of which an alert tells
            others = [a for a in answers[1:] if not (doubt and isinstance(a, sites.AlertRaised))]
            _check(not others, f"a refused {type(event).__name__} had other answers")
            return
        self.referred, self.explained = set(), set()
        for answer in answers:
            if isinstance(answer, sites.WorkloadReleased) and answer.outcome == "completed":
                _check(isinstance(event, sites.WorkloadCompleted), f"{event} completed {answer}")
                _check(answer.placement_id == event.placement_id, f"{event} ended {answer}")
        self._fold_input(event)
        before = self._power()
        for answer in answers:
            self._fold_answer(answer)
            after = self._power()
            for name, power_w in after.items():
                grew = power_w > before.get(name, 0)
                over = power_w > self._limit(name)
                _check(
                    not (over and grew), f"{name} grew to {power_w} W, limit {self._limit(name)}"
                )
            before = after
        for name, power_w in before.items():
            limit_w = self._limit(name)
            _check(power_w <= limit_w, f"{name} plans {power_w} W over {limit_w} W after {event}")
        _check(self.referred <= self.explained, f"unexplained: {self.referred - self.explained}")
        if isinstance(event, sites.SiteConfigured):
            for workload_id in self.admitted.keys() - self.running.keys():
                model = self.wanted[workload_id]
                _check(model is None or model in self.sold, f"{workload_id} waits for {model}")
        for unit_id in self.failed:
            _check(not self.loads.get(unit_id), f"{unit_id} failed but runs {self.loads}")
            _check(not self.asic_w.get(unit_id), f"{unit_id} failed but mines")

    def _power(self) -> dict[str, int]:
        power: dict[str, int] = dict.fromkeys(self.caps_w, 0)
        power["site"] = 0
        for unit_id, feeder_id in self.feeder_of.items():
            unit_w = self.asic_w.get(unit_id, 0) + self.gpu_w.get(unit_id, 0)
            power[feeder_id] = power.get(feeder_id, 0) + unit_w
            power["site"] += unit_w
        return power

    def _limit(self, name: str) -> int:
        if name != "site":
            return self.caps_w.get(name, 0)
        levels = [
            level
            for level, starts_at, ends_at in self.curtailments.values()
            if self.now is not None and starts_at <= self.now < ends_at
        ]
        return min([self.site_cap_w, *levels])

    def _fold_input(self, event: Any) -> None:  # noqa: ANN401
        match event:
            case sites.SiteConfigured():
                self.site_cap_w = event.power_cap_w
                self.caps_w = {feeder.feeder_id: feeder.power_cap_w for feeder in event.feeders}
                self.sold = {price.gpu_model for price in event.gpu_prices}
            case sites.ClockCorrected():
                self.now = event.now
            case sites.TimePassed():
                self.now = event.at
            case sites.CurtailmentRequested():
                ends_at = event.starts_at + event.duration_s * 1000
                known = (event.max_power_w, event.starts_at, ends_at)
                self.curtailments.setdefault(event.curtailment_id, known)
            case sites.CurtailmentLifted():
                self.curtailments[event.curtailment_id] = (0, 0, 0)
            case sites.UnitRegistered():
                self.feeder_of[event.unit_id] = event.feeder_id
                self.kind_of[event.unit_id] = event.kind
            case sites.UnitFailed():
                self.failed.add(event.unit_id)
            case sites.UnitDrained():
                self.drained.add(event.unit_id)
            case sites.UnitRecovered():
                if event.unit_id in self.failed:
                    self.failed.discard(event.unit_id)
                else:
                    self.drained.discard(event.unit_id)
            case _:
                pass

    def _fold_answer(self, answer: Any) -> None:  # noqa: ANN401
        if isinstance(answer, sites.UnitModeAssigned | sites.WorkloadPlaced):
            self.referred.add(answer.decision_id)
        match answer:
            case DecisionExplained():
                self.explained.add(answer.decision_id)
            case sites.UnitModeAssigned():
                self.gpu_w.pop(answer.unit_id, None)
                self.asic_w[answer.unit_id] = answer.power_w
                unusable = answer.unit_id in self.failed | self.drained
                _check(not (unusable and answer.power_w), f"{answer.unit_id} mines while unusable")
            case sites.AlertRaised(kind="switch_failing", unit_id=str(unit_id)):
                self.failed.add(unit_id)
            case sites.WorkloadQueued():
                _check(answer.workload_id not in self.admitted, f"{answer} admitted twice")
                self.admitted[answer.workload_id] = answer.gpu_count
                self.wanted[answer.workload_id] = answer.gpu_model
            case sites.WorkloadPlaced():
                self._place(answer)
            case sites.WorkloadRequeued():
                self._end(answer.workload_id, answer.placement_id)
                mining_w = sum(self.asic_w.values())
                _check(
                    answer.reason != "curtailment" or not mining_w,
                    f"{answer} although mining still draws {mining_w} W",
                )
            case sites.WorkloadReleased():
                if answer.placement_id is not None:
                    self._end(answer.workload_id, answer.placement_id)
                _check(answer.workload_id not in self.running, f"{answer} leaves its units taken")
                _check(answer.workload_id in self.admitted, f"{answer} of one not admitted")
                del self.admitted[answer.workload_id]
            case _:
                pass

    def _place(self, placed: sites.WorkloadPlaced) -> None:
        self.placements += 1
        _check(placed.at == self.now, f"{placed} at {placed.at}, but it is {self.now}")
        _check(placed.gpu_model in self.sold, f"{placed} of a model that is not sold")
        _check(placed.workload_id in self.admitted, f"{placed} was not admitted")
        _check(placed.workload_id not in self.running, f"{placed} runs already")
        _check(placed.placement_id not in self.ended_placements, f"{placed} is an old placement")
        _check(len(placed.units) == self.admitted[placed.workload_id], f"{placed} lacks units")
        unit_ids = [share.unit_id for share in placed.units]
        _check(unit_ids == sorted(set(unit_ids)), f"{placed} has units twice or out of order")
        self.running[placed.workload_id] = placed.placement_id
        for share in placed.units:
            unusable = share.unit_id in self.failed | self.drained
            _check(not unusable, f"{placed} on a failed or drained unit")
            loads = self.loads.setdefault(share.unit_id, {})
            loads[placed.workload_id] = share.gpu_milli
            _check(sum(loads.values()) <= 1000, f"{share.unit_id} holds {loads}")
            self.gpu_w[share.unit_id] = share.power_w

    def _end(self, workload_id: str, placement_id: str) -> None:
        _check(self.running.get(workload_id) == placement_id, f"{placement_id} does not run")
        del self.running[workload_id]
        self.ended_placements.add(placement_id)
        for unit_id, loads in self.loads.items():
            if loads.pop(workload_id, None) is not None and not loads:
                self.gpu_w.pop(unit_id, None)


def _check(holds: bool, promise: str) -> None:
    if not holds:
        raise Violation(promise)
