"""Being asked to stop at awkward moments, and going on when the world around fails."""

from __future__ import annotations

import errno
import io
import os
import pty
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from deploy import stopping
from deploy.detached import STOP_WITHIN_S, STOPPED
from deploy.display import LineDisplay, SteadyDisplay, display_for
from deploy.local import state
from deploy.local.directory import DataDirectory
from deploy.local.plan import make_plan
from deploy.local.ports import choose_free
from deploy.recorder import Recorder
from deploy.stopping import SIGNALS, StopSignals
from tests.deploy.driving import ROOT, assert_one_sentence, end, hcp, phase, running, wait_for

ON_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)


@pytest.fixture
def handlers() -> Iterator[None]:
    """The test process gets its own back."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_closed_terminal_stops_everything_in_order(tmp_path: Path) -> None:
    ours, its = pty.openpty()
    (port,) = choose_free(1)
    tiny = (sys.executable, "-m", "tests.deploy.tiny_stack", str(tmp_path / "data"), str(port))
    process = subprocess.Popen(
        [sys.executable, "-c", ON_TERMINAL, *tiny],
        cwd=ROOT,
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
    )
    os.close(its)
    try:
        before = running(tmp_path / "data")
        os.close(ours)  # the kernel sends SIGHUP, and every write to the terminal fails
        process.wait(30)
    finally:
        end(process)
    after = state.read(tmp_path / "data" / "state.json")
    assert after is not None
    assert (after.phase, after.error) == ("stopped", None)
    assert not any(state.alive(p.pid, p.started_at) for p in before.processes)


@pytest.mark.skipif(sys.platform != "linux", reason="limits another process")
def test_a_full_disk_is_waited_out(tiny: subprocess.Popen[bytes], data: Path) -> None:
    import resource  # noqa: PLC0415 - prlimit is Linux's

    before = {process.name: process for process in running(data).processes}
    unlimited = resource.prlimit(tiny.pid, resource.RLIMIT_FSIZE)
    # no file may grow: what a full disk says, to this process alone, with another errno
    resource.prlimit(tiny.pid, resource.RLIMIT_FSIZE, (0, unlimited[1]))
    killed = before["routing"].pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    supervisor = psutil.Process(tiny.pid)
    wait_for(lambda: killed not in pids_of_children(supervisor), "the end was not noticed")
    wait_for(lambda: len(pids_of_children(supervisor)) == len(before), "it was not restarted")
    resource.prlimit(tiny.pid, resource.RLIMIT_FSIZE, unlimited)

    def restarted() -> bool:
        current = state.read(data / "state.json")
        return current is not None and current.processes[0].restarts >= 1

    wait_for(restarted, "the state was not written once there was room")
    assert not list(data.glob(f"{state.STAGING}*"))
    tiny.send_signal(signal.SIGTERM)
    assert tiny.wait(20) == 0


def pids_of_children(process: psutil.Process) -> list[int]:
    return [child.pid for child in process.children()]


@pytest.mark.parametrize(
    ("detach", "ends"),
    [
        ([], (0, "stopped before anything was started")),
        (["--detach"], (1, f"hcp: {STOPPED}")),
    ],
    ids=["attached", "detached"],
)
def test_status_and_down_see_a_start_that_still_downloads(
    tmp_path: Path, detach: list[str], ends: tuple[int, str]
) -> None:
    data = tmp_path / "data"
    gateway, simulator = map(str, choose_free(2))
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        starting = subprocess.Popen(
            [sys.executable, "-m", "deploy.cli", "up", *detach, "--data-dir", str(data)],
            env={
                **os.environ,
                "HCP_MAVEN_REPOSITORY": f"http://127.0.0.1:{silent.getsockname()[1]}",
                "HCP_CACHE_DIR": str(tmp_path / "cache"),
                "HCP_GATEWAY_PORT": gateway,
                "HCP_SIMULATOR_PORT": simulator,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            silent.settimeout(30)
            silent.accept()  # it is fetching
            assert phase(data) == "starting"
            down = hcp("down", "--data-dir", str(data))
            assert (down.returncode, down.stdout) == (0, "stopped; the data is kept\n"), down
            said, _ = starting.communicate(timeout=60)
        finally:
            starting.kill()
            starting.wait()
    assert (starting.returncode, said.splitlines()[-1]) == ends
    assert "Traceback" not in said
    assert phase(data) == "stopped"


def test_down_says_when_somebody_it_does_not_know_holds_the_directory(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    directory.claim()
    try:
        assert_one_sentence(hcp("down", "--data-dir", str(tmp_path)), "/lock and has not said who")
    finally:
        directory.release()
    assert hcp("down", "--data-dir", str(tmp_path)).returncode == 0


@pytest.mark.usefixtures("handlers")
def test_only_a_second_ctrl_c_hurries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "IMPATIENT_AFTER_S", -1.0)
    signals = StopSignals()
    signals.install()
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        signal.raise_signal(number)
        assert signals.requested()
        assert not signals.hurried()
    signal.raise_signal(signal.SIGINT)
    assert signals.hurried()


@pytest.mark.usefixtures("handlers")
def test_a_key_that_bounces_is_one_wish() -> None:
    signals = StopSignals()
    signals.install()
    for _ in range(2):
        signal.raise_signal(signal.SIGINT)
    assert not signals.hurried()


@pytest.mark.usefixtures("handlers")
def test_nohup_is_respected() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signals = StopSignals()
    signals.install()
    signal.raise_signal(signal.SIGHUP)
    assert not signals.requested()


@pytest.mark.usefixtures("handlers")
def test_preparing_is_interrupted_at_once_or_before_it_begins() -> None:
    signals = StopSignals()
    signals.install()
    with pytest.raises(KeyboardInterrupt), signals.interrupting():
        signal.raise_signal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), signals.interrupting():
        pytest.fail("it was asked to stop before")


def test_down_waits_longer_than_all_stages_may_take(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    directory.claim()
    plan = make_plan(directory, directory.choices(), "seed", None)
    directory.release()
    assert plan.kafka
    assert plan.postgres
    assert plan.registry
    (tmp_path / "postgres" / "cluster").mkdir(parents=True)  # its owner is asked for
    stages = [[plan.kafka.command(), plan.postgres.command()], [plan.registry.command()]]
    longest = [max(c.stop_timeout_s for c in stage) for stage in [*stages, *plan.stages()]]
    assert sum(longest) < STOP_WITHIN_S


def test_a_state_that_cannot_be_written_is_written_later(tmp_path: Path) -> None:
    recorder = Recorder(DataDirectory(tmp_path / "data"), "seed")
    recorder.enter("starting")  # there is no such directory
    (tmp_path / "data").mkdir()
    recorder.retry()
    assert phase(tmp_path / "data") == "starting"
    assert [entry.name for entry in (tmp_path / "data").iterdir()] == ["state.json"]


class FullDisk(io.StringIO):
    def write(self, _: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_display_that_fails_stops_nothing() -> None:
    with SteadyDisplay(LineDisplay(Console(file=FullDisk()))) as display:
        display.say("nobody reads this")


def test_text_in_brackets_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with display_for(Console()) as display:
        display.say("exit code 1: [/tmp/x] [thrd:main] [bold]")
    assert capsys.readouterr().out == "exit code 1: [/tmp/x] [thrd:main] [bold]\n"
