"""How many records of its logs a process has still to read, as its own metrics say."""

from __future__ import annotations

import httpx

from deploy.local.proxies import is_loopback
from deploy.local.state import ProcessRecord

TIMEOUT_S = 2.0
METRICS = (
    "hcp_streams_lag_records",
    "hcp_streams_unsearched_records",
    "hcp_projections_lag_records",
)


def fill_in(processes: list[ProcessRecord]) -> None:
    """Ask each that runs; of one that does not answer nothing is known."""
    for process in processes:
        if process.metrics is not None and process.state in ("starting", "running", "unready"):
            process.behind = behind(process.metrics)


def behind(url: str) -> int | None:
    """url: of the metrics. None when they do not answer or do not say."""
    ours = is_loopback(url)
    try:
        answer = httpx.get(url, timeout=TIMEOUT_S, trust_env=not ours, verify=not ours)
    except (httpx.TransportError, httpx.InvalidURL, UnicodeError):
        return None
    return lag_in(answer.text) if answer.is_success else None


def lag_in(text: str) -> int | None:
    """text: in Prometheus' format."""
    lags = [
        int(float(line.rsplit(" ", 1)[1]))
        for line in text.splitlines()
        if line.startswith(tuple(f"{name}{{" for name in METRICS))
    ]
    return sum(lags) if lags else None
