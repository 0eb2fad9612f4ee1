"""End what a killed supervisor left behind, and nothing else: by pid and start time."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil

from deploy.local import state
from deploy.local.state import ProcessRecord

PATIENCE_S = 20.0
POLL_S = 0.1


def leftovers(state_file: Path) -> list[ProcessRecord]:
    """Processes recorded as ours that still run although their supervisor does not."""
    recorded = state.read(state_file)
    if recorded is None or state.alive(recorded.supervisor_pid, recorded.supervisor_started_at):
        return []
    return [p for p in recorded.processes if state.alive(p.pid, p.started_at)]


def reap(state_file: Path) -> list[str]:
    """Stop them, last started first; the names of what had to be stopped."""
    left = leftovers(state_file)
    for process in reversed(left):
        signal_group(process, process.stop_signal)
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and any(state.alive(p.pid, p.started_at) for p in left):
        time.sleep(POLL_S)
    for process in left:
        if state.alive(process.pid, process.started_at):
            signal_group(process, signal.SIGKILL)
    return [process.name for process in left]


def signal_group(process: ProcessRecord, number: int) -> None:
    assert process.pid is not None
    try:
        psutil.Process(process.pid).send_signal(number)
        if number == signal.SIGKILL:
            os.killpg(process.pid, signal.SIGKILL)
    except (psutil.NoSuchProcess, ProcessLookupError):
        return
