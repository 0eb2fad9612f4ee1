"""How far the scenario has come: what the live view of `hcp up` shows."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import httpx
import msgspec

from deploy.gateway import Gateway, GatewayError, Report, Workloads

ASK_EVERY_S = 5.0  # the gateway makes a new report no more often
TIMEOUT_S = 3.0


class Play(msgspec.Struct, frozen=True):
    """The simulator's answer to GET /status."""

    scenario: str
    event_time: str | None
    ends_at: str | None
    speed: float
    finished: bool
    starts_at: str | None = None
    waits_for: str | None = None


@dataclass(frozen=True)
class Scene:
    play: Play | None
    report: Report | None
    price_usd_per_mwh: str | None
    resumed: bool = False  # there is data of an earlier run

    @property
    def finished(self) -> bool:
        return self.play is not None and self.play.finished

    @property
    def fraction(self) -> float | None:
        """Of the scenario, played."""
        if not self.play or not (
            self.play.starts_at and self.play.ends_at and self.play.event_time
        ):
            return None
        start, now, end = map(
            datetime.fromisoformat, (self.play.starts_at, self.play.event_time, self.play.ends_at)
        )
        return min(1.0, (now - start) / (end - start)) if end > start else None

    def rows(self) -> list[tuple[str, str]]:
        rows: list[tuple[str, str]] = []
        if self.play:
            state = "played to its end; services stay up" if self.finished else "playing"
            if self.play.waits_for:
                state = f"waiting for {self.play.waits_for}"
            rows.append(("scenario", f"{self.play.scenario} x{self.play.speed:g}, {state}"))
            resuming = self.resumed and self.play.event_time is None
            rows.append(("event time", "resuming" if resuming else minute(self.play.event_time)))
        if self.price_usd_per_mwh is not None:
            rows.append(("power price", f"${Decimal(self.price_usd_per_mwh):,.2f}/MWh"))
        if self.report:
            rows.append(("workloads", counted(self.report.workloads)))
            rows.append(("invoices", f"{self.report.invoices.finalized} finalized"))
            rows.append(("profit", f"${Decimal(self.report.profit.profit.amount):,.2f}"))
        return rows

    def line(self) -> str:
        return ", ".join(f"{name}: {value}" for name, value in self.rows())


def counted(count: Workloads) -> str:
    """What always is of interest, and what is only when there is any."""
    said = [
        f"{count.submitted} submitted",
        f"{count.placed} placed",
        f"{count.queued} queued",
        f"{count.completed} completed",
    ]
    seldom = {"cancelled": count.cancelled, "failed": count.failed, "rejected": count.rejected}
    return ", ".join([*said, *(f"{number} {name}" for name, number in seldom.items() if number)])


class Watcher:
    """Asks the simulator and the gateway, not too often; keeps the last answer of each."""

    def __init__(self, gateway_url: str, simulator_url: str, resumed: bool) -> None:
        self._gateway = Gateway(gateway_url, TIMEOUT_S)
        self._simulator = httpx.Client(base_url=simulator_url, timeout=TIMEOUT_S, trust_env=False)
        self._asked_at = float("-inf")
        self._scene = Scene(None, None, None, resumed)

    def scene(self) -> Scene:
        if time.monotonic() - self._asked_at >= ASK_EVERY_S:
            self._scene = Scene(
                self._play() or self._scene.play,
                self._report() or self._scene.report,
                self._price() or self._scene.price_usd_per_mwh,
                self._scene.resumed,
            )
            self._asked_at = time.monotonic()
        return self._scene

    def _play(self) -> Play | None:
        try:
            return msgspec.json.decode(self._simulator.get("/status").content, type=Play)
        except (httpx.TransportError, msgspec.DecodeError):
            return None  # between two restarts there is nothing to say

    def _report(self) -> Report | None:
        try:
            return self._gateway.report()
        except GatewayError:
            return None

    def _price(self) -> str | None:
        try:
            items = self._gateway.get("/prices/power", limit="1")["items"]
        except GatewayError:
            return None
        return str(items[0]["price_usd_per_mwh"]) if items else None


def minute(moment: str | None) -> str:
    """2024-05-08 12:00Z"""
    if moment is None:
        return "not begun"
    return datetime.fromisoformat(moment).strftime("%Y-%m-%d %H:%MZ")
