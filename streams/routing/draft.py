"""The answers to one input while they are being made: each takes effect before the next."""

from __future__ import annotations

import uuid

from schemas.events.decisions import Alternative, DecisionExplained
from schemas.events.intake import GpuAvailability, SiteSummarized
from schemas.events.sites import (
    AlertCleared,
    AlertRaised,
    SitesEvent,
    UnitModeAssigned,
    WorkloadReleased,
    WorkloadRequeued,
)
from streams.routing.evolution import apply
from streams.routing.index import OVERDUE
from streams.routing.registering import is_registering
from streams.routing.state import State, Unit, Workload, usd
from streams.site_inputs import possible_time

Answer = SitesEvent | DecisionExplained | SiteSummarized

AGENT = "routing"
POLICY_VERSION = "routing-5"
MAX_ALTERNATIVES = 8
NAMESPACE = uuid.UUID("5f0c5d3e-0c5e-5b0e-9d56-0b8f6c1f7a11")


class Draft:
    """Answers so far, with the state as it is after them. `at` is the site's clock, or the input's
    own time before the first tick."""

    __slots__ = ("_input_at", "answers", "state")

    def __init__(self, state: State, event: SitesEvent) -> None:
        self.state = state
        self.answers: list[Answer] = []
        self._input_at = possible_time(event.at)

    @property
    def at(self) -> int:
        return self._input_at if self.state.now is None else self.state.now

    def emit(self, event: SitesEvent) -> None:
        self.answers.append(event)
        apply(self.state, event)

    def new_id(self, kind: str, subject: str) -> str:
        """The same for the same input of the same log, and for nothing else."""
        state = self.state
        name = f"{state.site_id}/{state.sequence}/{len(self.answers)}/{kind}/{subject}"
        return str(uuid.uuid5(NAMESPACE, name))

    def assign(self, unit: Unit, mode: str, reason: str, decision_id: str) -> None:
        self.emit(
            UnitModeAssigned(
                site_id=self.state.site_id,
                at=self.at,
                unit_id=unit.unit_id,
                mode=mode,
                power_w=unit.modes[mode].power_w,
                reason=reason,
                decision_id=decision_id,
            )
        )

    def requeue(
        self,
        workload: Workload,
        reason: str,
        unit_id: str | None = None,
        *,
        suspect: bool = False,
        blamed: bool = False,
    ) -> None:
        """unit_id: the unit that is why, where one is; suspect, blamed: see `retries.Loss`"""
        self.emit(
            WorkloadRequeued(
                site_id=self.state.site_id,
                at=self.at,
                workload_id=workload.workload_id,
                placement_id=workload.placement_id,
                customer_id=workload.customer_id,
                reason=reason,
                unit_id=unit_id,
                suspect=suspect,
                blamed=blamed,
            )
        )
        self.clear_alert(workload.workload_id, OVERDUE, "It gave its units back.")

    def release(self, workload: Workload, outcome: str, reason: str, detail: str = "") -> None:
        """reason: a code that only routing chooses, since bills depend on it; detail: the words of
        whoever asked for it."""
        self.emit(
            WorkloadReleased(
                site_id=self.state.site_id,
                at=self.at,
                workload_id=workload.workload_id,
                placement_id=workload.placement_id if workload.placed else None,
                customer_id=workload.customer_id,
                outcome=outcome,
                reason=reason,
                detail=detail,
            )
        )
        self.clear_alert(workload.workload_id, OVERDUE, "It ended.")

    def raise_alert(
        self,
        unit_id: str | None,
        kind: str,
        severity: str,
        detail: str,
        workload_id: str | None = None,
    ) -> None:
        """About a unit, a workload or, with neither, the site: once for it and the kind, until
        cleared."""
        subject = workload_id or unit_id or self.state.site_id
        if f"{kind}/{subject}" in self.state.alerts:
            return
        self.emit(
            AlertRaised(
                site_id=self.state.site_id,
                at=self.at,
                alert_id=self.new_id(kind, subject),
                kind=kind,
                severity=severity,
                unit_id=unit_id,
                detail=detail,
                workload_id=workload_id,
            )
        )

    def clear_alert(self, subject: str, kind: str, reason: str) -> None:
        alert_id = self.state.alerts.get(f"{kind}/{subject}")
        if alert_id is not None:
            self.emit(
                AlertCleared(
                    site_id=self.state.site_id, at=self.at, alert_id=alert_id, reason=reason
                )
            )

    def explain(
        self,
        *,
        decision_id: str,
        kind: str,
        subject: str,
        reason: str,
        alternatives: list[Alternative],
        bound: int | None = None,
    ) -> None:
        """Say why, the chosen alternative first. At most `MAX_ALTERNATIVES` are told."""
        power, hashprice = self.state.power_price_micros, self.state.hashprice_micros
        chosen = alternatives[0]
        self.answers.append(
            DecisionExplained(
                site_id=self.state.site_id,
                at=self.at,
                decision_id=decision_id,
                agent=AGENT,
                policy_version=POLICY_VERSION,
                kind=kind,
                subject=subject,
                chosen=chosen.label,
                reason=reason,
                alternatives=tuple(alternatives[:MAX_ALTERNATIVES]),
                power_price_usd_per_mwh=None if power is None else usd(power),
                hashprice_usd_per_ph_day=None if hashprice is None else usd(hashprice),
                value_usd_micros_per_hour=chosen.value_usd_micros_per_hour,
                bound_usd_micros_per_hour=bound,
            )
        )

    def summarize(self) -> None:
        """Tell the pool what the site offers now."""
        state, index = self.state, self.state.index
        gpus = [
            GpuAvailability(
                gpu_model=model,
                total=index.healthy[model],
                free=index.free_count[model],
                registered=registered,
            )
            for model, registered in sorted(index.registered.items())
            if registered
        ]
        self.answers.append(
            SiteSummarized(
                pool=state.pool,
                at=self.at,
                site_id=state.site_id,
                gpus=tuple(gpus),
                queued=index.queued,
                power_headroom_w=max(0, index.limit_w - index.site_ai_w),
                phase="preparing" if is_registering(state, state.now) else "open",
            )
        )

    def withdraw(self, pool: str) -> None:
        """Tell a pool that the site left that it offers nothing there, so that nothing is sent."""
        self.answers.append(
            SiteSummarized(
                pool=pool,
                at=self.at,
                site_id=self.state.site_id,
                gpus=(),
                queued=0,
                power_headroom_w=0,
                phase="left",
            )
        )
