"""Real processes of the project, started as the supervisor starts them and killed as fate does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Process:
    """One process at a time under one name; a new one after each death."""

    name: str
    arguments: tuple[str, ...]
    environment: dict[str, str]
    log_dir: Path
    running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert self.running is None
        with self.log_path.open("ab") as log:
            self.running = subprocess.Popen(
                [sys.executable, "-m", *self.arguments],
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        """SIGKILL: nothing is flushed, nothing is said."""
        assert self.running is not None
        assert self.running.poll() is None, f"{self.name} was dead already:\n{self.said()}"
        self.running.kill()
        self.running.wait()
        self.running = None

    def stop(self, timeout_s: float = 30) -> int:
        """SIGTERM; the exit code."""
        assert self.running is not None
        self.running.send_signal(signal.SIGTERM)
        code = self.running.wait(timeout_s)
        self.running = None
        return code

    def wait(self, timeout_s: float = 60) -> int:
        assert self.running is not None
        code = self.running.wait(timeout_s)
        self.running = None
        return code

    def end(self) -> None:
        """However it is, it is not there afterwards."""
        if self.running is not None:
            self.running.kill()
            self.running.wait()
            self.running = None

    def said(self) -> str:
        return self.log_path.read_text() if self.log_path.exists() else ""

    @property
    def log_path(self) -> Path:
        return self.log_dir / f"{self.name}.log"


def wait_until(true: Callable[[], bool], timeout_s: float, what: str) -> float:
    """Seconds it took. Fails after timeout_s, saying what did not happen."""
    started = time.monotonic()
    while not true():
        assert time.monotonic() - started < timeout_s, f"not within {timeout_s} s: {what}"
        time.sleep(0.05)
    return time.monotonic() - started
