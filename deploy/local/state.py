"""What `hcp up` writes for `hcp status` and `hcp down`: state.json in the data directory."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Literal

import msgspec
import psutil

from deploy.errors import DataDirectoryError

Phase = Literal["starting", "running", "stopping", "stopped", "failed"]
# unready: it runs and does not serve; waiting: it ended and is started again
ProcessState = Literal["starting", "running", "unready", "waiting", "stopped"]
STAGING = ".state-"  # prefix of what is being written
SAME_START_S = 1.0  # a recycled pid started at another time


class ProcessRecord(msgspec.Struct, kw_only=True):
    name: str
    pid: int | None
    started_at: float | None  # seconds since the epoch, of this pid
    state: ProcessState
    restarts: int
    last_exit: str | None  # why it ended the last time
    retry_in_s: float | None  # state waiting: until its next start
    stop_signal: int
    log: str
    metrics: str | None = None  # URL
    memory_mb: int | None = None  # filled in by who reads
    behind: int | None = None  # records it has still to read; filled in by who asks it


class Endpoint(msgspec.Struct, frozen=True):
    name: str
    address: str


class StackState(msgspec.Struct, kw_only=True):
    phase: Phase
    supervisor_pid: int
    supervisor_started_at: float
    scenario: str | None  # None until it is known
    speed: float | None  # simulated seconds a second
    data_dir: str
    processes: list[ProcessRecord]
    endpoints: list[Endpoint]
    error: str | None = None

    def address(self, name: str) -> str | None:
        return next((each.address for each in self.endpoints if each.name == name), None)


def write(path: Path, state: StackState) -> None:
    """Whole or not at all, and readable by its owner only: the database URL has a password.

    Raises OSError, and leaves what was there.
    """
    descriptor, staging = tempfile.mkstemp(dir=path.parent, prefix=STAGING)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(msgspec.json.format(msgspec.json.encode(state), indent=2))
            stream.flush()
            os.fsync(stream.fileno())  # or a power cut may leave the new name with nothing in it
        os.replace(staging, path)
    finally:
        with contextlib.suppress(OSError):  # gone, when it has become the state
            os.unlink(staging)


def read(path: Path) -> StackState | None:
    """The last state written; one whose supervisor is gone is reported as stopped.

    Raises DataDirectoryError for what cannot be read.
    """
    try:
        state = msgspec.json.decode(path.read_bytes(), type=StackState)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise DataDirectoryError(
            f"{path} is damaged, so what runs is unknown: the next `hcp up` writes it anew."
        ) from error
    except OSError as error:
        raise DataDirectoryError(f"{path} cannot be read ({error.strerror}).") from error
    if not alive(state.supervisor_pid, state.supervisor_started_at):
        if state.phase in ("starting", "running", "stopping"):
            state.error = "the supervisor was killed"
            state.phase = "stopped"
        for process in state.processes:
            if not alive(process.pid, process.started_at):
                process.state = "stopped"
    for process in state.processes:
        process.memory_mb = memory_mb(process)
    return state


def glance(path: Path) -> StackState | None:
    """`read` for who will look again."""
    try:
        return read(path)
    except DataDirectoryError:
        return None


def alive(pid: int | None, started_at: float | None) -> bool:
    """Is this the very process that was recorded, not another under the same number?"""
    if pid is None or started_at is None:
        return False
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - started_at) < SAME_START_S
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def memory_mb(record: ProcessRecord) -> int | None:
    """Resident memory of the process and its children, shared pages counted once where told."""
    if not alive(record.pid, record.started_at):
        return None
    total = 0
    try:
        process = psutil.Process(record.pid)
        for member in (process, *process.children(recursive=True)):
            total += proportional_bytes(member)
    except psutil.Error:
        return None
    return total // 1_000_000


def proportional_bytes(process: psutil.Process) -> int:
    try:
        full = process.memory_full_info()
    except (psutil.AccessDenied, psutil.ZombieProcess):
        return int(process.memory_info().rss)
    return int(getattr(full, "pss", 0) or full.rss)
