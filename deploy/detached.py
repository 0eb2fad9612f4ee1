"""`hcp up --detach` and `hcp down`: the same stack without a terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from rich.console import Console

from deploy.errors import StartError
from deploy.local import state
from deploy.local.child import last_lines, rotate
from deploy.local.directory import DataDirectory
from deploy.local.reap import reap
from deploy.up import Options

START_WITHIN_S = 900.0  # a first start downloads 200 MB
STOP_WITHIN_S = 120.0  # more than what the stages may take, one after the other
POLL_S = 0.2
STOPPED = "It was stopped, by `hcp down` or a signal, before everything ran."
ERROR = "hcp: "  # how cli.main begins the sentence it ends with


def start(options: Options, console: Console) -> None:
    """Start a supervisor of its own session; return when it runs, repeating what it says."""
    directory = DataDirectory(options.data_dir)
    directory.require_usable()
    log = directory.log("up")
    rotate(log)
    argv = [sys.executable, "-P", "-m", "deploy.cli", "up", "--background"]
    argv += ["--data-dir", str(directory.path)]
    if options.scenario is not None:
        argv += ["--scenario", options.scenario]
    if options.speed is not None:
        argv += ["--speed", str(options.speed)]
    offset = log.stat().st_size if log.exists() else 0
    with log.open("ab") as output:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    deadline = time.monotonic() + START_WITHIN_S
    while time.monotonic() < deadline:
        ended = process.poll() is not None
        with log.open("rb") as stream:
            stream.seek(offset)
            fresh = stream.read()
        complete = fresh[: fresh.rfind(b"\n") + 1]
        offset += len(complete)
        for line in complete.decode(errors="replace").splitlines():
            if not ended and not line.startswith(ERROR):  # raised below, when it has ended
                console.print(line, highlight=False)
        if process.returncode == 0:
            raise StartError(STOPPED)
        if ended:
            last = (last_lines(log, 1) or ["it said nothing"])[0].removeprefix(ERROR)
            raise StartError(last)
        current = state.glance(directory.state_file)
        if current and current.supervisor_pid == process.pid and current.phase == "running":
            console.print("running in the background; `hcp down` stops it", highlight=False)
            return
        time.sleep(POLL_S)
    process.send_signal(signal.SIGTERM)
    raise StartError(f"The stack was not up after {START_WITHIN_S:.0f} s; see {log}.")


def stop(directory: DataDirectory, console: Console) -> None:
    """Stop a running supervisor, or what a killed one left; nothing to stop is no error."""
    current = state.read(directory.state_file)
    living = current and state.alive(current.supervisor_pid, current.supervisor_started_at)
    if not living and directory.is_claimed():
        raise StartError(
            f"Somebody holds {directory.path}/lock and has not said who: if `hcp up` was started "
            "just now, try again in a moment."
        )
    if current is None:
        console.print(f"nothing has been started with data directory {directory.path}")
        return
    if not living:
        left = reap(directory.state_file)
        console.print(f"stopped {', '.join(left)}" if left else "nothing is running")
        return
    os.kill(current.supervisor_pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_WITHIN_S
    while state.alive(current.supervisor_pid, current.supervisor_started_at):
        if time.monotonic() > deadline:
            raise StartError(
                f"The supervisor (pid {current.supervisor_pid}) did not stop within "
                f"{STOP_WITHIN_S:.0f} s; kill it, then run `hcp down` again."
            )
        time.sleep(POLL_S)
    console.print("stopped; the data is kept")
