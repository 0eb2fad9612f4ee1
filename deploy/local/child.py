"""One child process: its command, its log file, its start and its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.errors import StartError
from deploy.local import proxies

LAUNCHER = Path(__file__).with_name("launch.py")
POLL_S = 0.05
TELLING = ("Caused by", "ERROR", "FATAL", "Error:", "error:")
LOG_LIMIT_BYTES = 20_000_000  # a log beyond this is set aside at the next start, one generation


@dataclass(frozen=True)
class Command:
    """What to run, how to know that it serves, and how to ask it to end."""

    name: str
    argv: tuple[str, ...]  # argv[0] is a path
    ready: Callable[[], bool]
    env: Mapping[str, str] = field(default_factory=dict)  # on top of ours
    metrics: str | None = None  # URL of its Prometheus metrics
    user: str | None = None  # where we are root: run as this account
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 20.0
    # One that runs and does not serve: is it better started again, after a while?
    restart_unready: bool = True
    start_timeout_s: float = 180.0  # generous: a loaded laptop is slow, a failure is seen at once


class StopRequested(Exception):
    """Somebody asked to stop while we were still starting."""


def never() -> bool:
    return False


class Child:
    """A running command, leader of its own process group; it ends with us even if we are killed."""

    def __init__(self, command: Command, log: Path) -> None:
        self.command = command
        self.log = log
        rotate(log)
        log.parent.mkdir(parents=True, exist_ok=True)
        options = ["--parent", str(os.getpid()), "--signal", str(int(command.stop_signal))]
        if command.user:
            options += ["--user", command.user]
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(LAUNCHER), *options, "--", *command.argv],
                env={**os.environ, **proxies.bypassed(os.environ), **command.env},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def ended(self) -> str | None:
        """Why it ended, or None while it runs."""
        code = self.process.poll()
        if code is None:
            return None
        if code < 0:
            return f"killed by {signal_name(-code)}"
        return f"exit code {code}"

    def failed(self) -> bool:
        """Ended by itself and not well, so that its last words may say why."""
        return (self.process.poll() or 0) > 0

    def ask_to_stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(self.command.stop_signal)

    def stop(self, hurry: Callable[[], bool] = never) -> bool:
        """Ask, wait, then kill the whole group; True if it ended by itself."""
        self.ask_to_stop()
        return self.finish(time.monotonic() + self.command.stop_timeout_s, hurry)

    def finish(self, deadline: float, hurry: Callable[[], bool] = never) -> bool:
        """The rest of `stop`, for one that has been asked; kills at the (monotonic) deadline."""
        graceful = self.wait(deadline, hurry)
        self.kill_group()
        self.process.wait()
        return graceful

    def wait(self, deadline: float, hurry: Callable[[], bool] = never) -> bool:
        """Until it ends, the deadline passes or somebody is in a hurry; True if it ended."""
        while self.process.poll() is None:
            if hurry() or time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)
        return True

    def kill_group(self) -> None:
        """Whatever the command started and left behind in its group ends here."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):  # macOS answers EPERM for a zombie's group
            return


def signal_name(number: int) -> str:
    """SIGKILL; of the real-time signals only the first and the last have a name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def rotate(log: Path) -> None:
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(".previous.log"))


def last_lines(log: Path, count: int) -> list[str]:
    """From the end of the file, without reading all of it."""
    if not log.exists():
        return []
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - count * 1000))
        return stream.read().decode(errors="replace").splitlines()[-count:]


def last_words(log: Path) -> str:
    """The line that most likely says why a program ended."""
    lines = [line.strip() for line in last_lines(log, 60)]
    lines = [line for line in lines if line and not line.startswith("at ")]  # Java's stack frames
    telling = [line for line in lines if any(mark in line for mark in TELLING)]
    return (telling or lines or ["it wrote nothing"])[-1][:300]


def run_once(command: Command, log: Path, stop_requested: Callable[[], bool] = never) -> None:
    """Run a command to its end; StartError with its last words unless it succeeded in time.

    Raises StopRequested when asked to stop meanwhile.
    """
    child = Child(command, log)
    if not child.wait(time.monotonic() + command.start_timeout_s, stop_requested):
        child.stop()
        if stop_requested():
            raise StopRequested
        raise StartError(
            f"{command.name} was not done after {command.start_timeout_s:.0f} s; see {log}."
        )
    if child.process.returncode != 0:
        raise StartError(f"{command.name} failed ({child.ended()}): {last_words(log)} (see {log})")
