"""Driving `hcp` from outside, as its user does: commands, a small stack, and waiting for it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from deploy.local import state
from deploy.local.ports import choose_free
from deploy.local.state import StackState

ROOT = Path(__file__).parents[2]


def hcp(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """On ports of its own: a stack of the user's may hold the usual ones."""
    gateway, simulator = choose_free(2)
    ports = {"HCP_GATEWAY_PORT": str(gateway), "HCP_SIMULATOR_PORT": str(simulator)}
    return subprocess.run(
        [sys.executable, "-m", "deploy.cli", *arguments],
        env={**os.environ, "COLUMNS": "200", **ports, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextmanager
def tiny_stack(directory: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A small stack on directory/data; what it says goes to directory/output."""
    (port,) = choose_free(1)
    argv = [sys.executable, "-m", "tests.deploy.tiny_stack", str(directory / "data"), str(port)]
    with (directory / "output").open("wb") as output:
        process = subprocess.Popen(
            argv,
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
        )
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    for child in psutil.Process(process.pid).children() if process.poll() is None else []:
        child.kill()
    process.kill()
    process.wait()


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def running(data: Path) -> StackState:
    wait_for(lambda: phase(data) == "running", "the stack did not start")
    current = state.read(data / "state.json")
    assert current is not None
    return current


def phase(data: Path) -> str:
    current = state.read(data / "state.json")
    return current.phase if current else "none"


def assert_one_sentence(answer: subprocess.CompletedProcess[str], expected: str) -> None:
    assert answer.returncode == 1, answer
    assert expected in answer.stderr
    assert "Traceback" not in answer.stderr + answer.stdout
    assert len(answer.stderr.strip().splitlines()) == 1, answer.stderr
