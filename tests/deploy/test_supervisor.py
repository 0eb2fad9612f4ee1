"""Real small processes under the supervisor: ended, restarted, stubborn, hopeless."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from deploy.errors import StartError
from deploy.local import readiness
from deploy.local import supervisor as supervisors
from deploy.local.child import Command, last_words
from deploy.local.supervisor import LONGEST_DELAY_S, Supervisor, delay_s

STAYS = "import time; time.sleep(600)"
IGNORES_TERM = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); "


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    supervisor = Supervisor(lambda name: tmp_path / f"{name}.log", changed=lambda: None)
    yield supervisor
    supervisor.stop()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The supervisor's patience, in tenths of seconds."""
    monkeypatch.setattr(readiness, "ASK_EVERY_S", 0.1)
    monkeypatch.setattr(readiness, "ASK_AGAIN_S", 0.05)
    monkeypatch.setattr(readiness, "SLOW_S", 0.1)
    monkeypatch.setattr(supervisors, "UNREADY_AFTER_S", 0.1)
    monkeypatch.setattr(supervisors, "RESTART_AFTER_S", 0.3)


def python(
    name: str, code: str, ready: Callable[[], bool] = lambda: True, **more: object
) -> Command:
    return Command(name=name, argv=(sys.executable, "-c", code), ready=ready, **more)  # type: ignore[arg-type]


def watch_until(supervisor: Supervisor, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        supervisor.watch()
        time.sleep(0.02)


def test_a_killed_child_is_restarted_and_the_reason_is_shown(supervisor: Supervisor) -> None:
    supervisor.start([python("worker", STAYS)])
    (before,) = supervisor.records()
    assert before.pid is not None
    os.kill(before.pid, signal.SIGKILL)
    watch_until(supervisor, lambda: supervisor.records()[0].state == "waiting")
    (waiting,) = supervisor.records()
    assert waiting.pid is None
    assert waiting.last_exit is not None
    assert waiting.last_exit.startswith("killed by SIGKILL")
    assert waiting.retry_in_s is not None
    assert 0 <= waiting.retry_in_s <= 0.5
    watch_until(supervisor, lambda: supervisor.records()[0].state == "running")
    (after,) = supervisor.records()
    assert after.restarts == 1
    assert after.pid != before.pid


def test_a_child_that_keeps_dying_waits_longer_each_time_up_to_the_bound() -> None:
    delays = [delay_s(failures) for failures in range(9)]
    assert delays == [0.5, 1, 2, 4, 8, 16, LONGEST_DELAY_S, LONGEST_DELAY_S, LONGEST_DELAY_S]


def test_a_child_that_never_serves_stops_the_start_with_its_last_words(
    supervisor: Supervisor,
) -> None:
    dying = python("agent", "raise SystemExit('no such partition')", ready=lambda: False)
    with pytest.raises(StartError, match=r"agent does not start \(exit code 1 .*no such partition"):
        supervisor.start([dying])


def test_a_child_that_is_never_ready_stops_the_start(supervisor: Supervisor) -> None:
    slow = python("slow", STAYS, ready=lambda: False, start_timeout_s=0.3)
    with pytest.raises(StartError, match="slow was not ready after 0 s"):
        supervisor.start([slow])


def test_stop_leaves_nothing_not_even_a_grandchild(supervisor: Supervisor, tmp_path: Path) -> None:
    pid_file = tmp_path / "grandchild"
    code = (
        "import pathlib, subprocess, sys, time\n"
        f"p = subprocess.Popen([sys.executable, '-c', {STAYS!r}])\n"
        f"pathlib.Path({str(pid_file)!r}).write_text(str(p.pid))\n"
        "time.sleep(600)"
    )
    supervisor.start([python("parent", code, ready=lambda: bool(read(pid_file)))])
    (record,) = supervisor.records()
    grandchild = psutil.Process(int(read(pid_file)))
    assert supervisor.stop() == []
    assert not psutil.pid_exists(record.pid or 0)
    assert grandchild.wait(5) is None or not grandchild.is_running()


def test_a_child_deaf_to_sigterm_is_killed_and_named(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    deaf = python(
        "deaf",
        IGNORES_TERM + STAYS,
        ready=lambda: "deaf" in read(tmp_path / "deaf.log"),
        stop_timeout_s=0.3,
    )
    supervisor.start([deaf])
    (record,) = supervisor.records()
    assert supervisor.stop() == ["deaf"]
    assert not psutil.pid_exists(record.pid or 0)


def test_who_is_in_a_hurry_does_not_wait_for_the_deaf(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    ready = lambda: "deaf" in read(tmp_path / "deaf.log")  # noqa: E731
    supervisor.start([python("deaf", IGNORES_TERM + STAYS, ready, stop_timeout_s=60)])
    began = time.monotonic()
    assert supervisor.stop(hurry=lambda: True) == ["deaf"]
    assert time.monotonic() - began < 30


def test_a_stage_has_its_time_together(supervisor: Supervisor, tmp_path: Path) -> None:
    names = ["deaf-1", "deaf-2", "deaf-3"]
    supervisor.start(
        [
            python(
                name,
                IGNORES_TERM + STAYS,
                ready=lambda log=tmp_path / f"{name}.log": "deaf" in read(log),  # type: ignore[misc]
                stop_timeout_s=2,
            )
            for name in names
        ]
    )
    began = time.monotonic()
    assert supervisor.stop() == names
    assert time.monotonic() - began < 5.5  # one after the other would take 6


@pytest.mark.skipif(sys.platform != "linux", reason="real-time signals")
def test_a_signal_without_a_name_is_a_reason_too(supervisor: Supervisor) -> None:
    supervisor.start([python("worker", STAYS)])
    pid = supervisor.records()[0].pid
    assert pid is not None
    os.kill(pid, 35)
    watch_until(supervisor, lambda: supervisor.records()[0].restarts == 1)
    assert str(supervisor.records()[0].last_exit).startswith("killed by signal 35 at ")


def test_a_child_that_cannot_be_started_is_tried_again(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    supervisor.start([python("worker", STAYS)])
    log, pid = tmp_path / "worker.log", supervisor.records()[0].pid
    assert pid is not None
    log.unlink()
    log.mkdir()  # it cannot be opened
    os.kill(pid, signal.SIGKILL)
    watch_until(supervisor, lambda: "cannot be started" in str(supervisor.records()[0].last_exit))
    log.rmdir()
    watch_until(supervisor, lambda: supervisor.records()[0].state == "running")


def test_last_words_are_not_a_frame_of_a_stack(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("Caused by: no room\n\tat org.example.Error: run(A.java:1)\n\t... 3 more\n")
    assert last_words(log) == "Caused by: no room"


@pytest.mark.usefixtures("quick")
def test_one_that_stops_serving_is_unready_and_is_running_again_when_it_serves(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    serves = tmp_path / "serves"
    serves.touch()
    supervisor.start([python("worker", STAYS, ready=serves.exists, restart_unready=False)])
    serves.unlink()
    watch_until(supervisor, lambda: supervisor.records()[0].state == "unready")
    (record,) = supervisor.records()
    assert record.pid is not None
    assert record.restarts == 0
    began = time.monotonic()
    watch_until(supervisor, lambda: time.monotonic() - began > 3 * supervisors.RESTART_AFTER_S)
    serves.touch()
    watch_until(supervisor, lambda: supervisor.records()[0].state == "running")
    assert supervisor.records()[0].restarts == 0


@pytest.mark.usefixtures("quick")
def test_one_that_hangs_is_started_again_unless_what_it_needs_is_away(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    database, gateway = tmp_path / "database", tmp_path / "gateway"
    database.touch()
    gateway.touch()
    supervisor.start([python("database", STAYS, ready=database.exists, restart_unready=False)])
    supervisor.start([python("gateway", STAYS, ready=gateway.exists)])
    database.unlink()
    watch_until(supervisor, lambda: supervisor.records()[0].state == "unready")
    gateway.unlink()
    watch_until(supervisor, lambda: supervisor.records()[1].state == "unready")
    began = time.monotonic()
    watch_until(supervisor, lambda: time.monotonic() - began > 3 * supervisors.RESTART_AFTER_S)
    assert [p.restarts for p in supervisor.records()] == [0, 0]
    database.touch()
    watch_until(supervisor, lambda: supervisor.records()[1].restarts == 1)
    assert "did not serve" in str(supervisor.records()[1].last_exit)
    gateway.touch()
    watch_until(supervisor, lambda: all(p.state == "running" for p in supervisor.records()))


@pytest.mark.usefixtures("quick")
def test_a_question_that_hangs_does_not_hold_the_others_up(
    supervisor: Supervisor,
) -> None:
    answer = threading.Event()
    serves = threading.Event()
    serves.set()
    hanging = python("hangs", STAYS, ready=lambda: serves.is_set() or answer.wait(60))
    supervisor.start([hanging, python("worker", STAYS)])
    serves.clear()
    watch_until(supervisor, lambda: supervisor.records()[0].state == "unready")
    pid = supervisor.records()[1].pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    watch_until(supervisor, lambda: supervisor.records()[1].restarts == 1)
    answer.set()


def test_stages_stop_in_reverse_order(supervisor: Supervisor, tmp_path: Path) -> None:
    ends = tmp_path / "ends"
    for name in ("first", "second"):
        code = (
            "import signal, time\n"
            f"def end(*_):\n    open({str(ends)!r}, 'a').write('{name} ')\n    raise SystemExit\n"
            "signal.signal(15, end)\nprint('set', flush=True)\ntime.sleep(600)"
        )
        log = tmp_path / f"{name}.log"
        supervisor.start([python(name, code, ready=lambda log=log: "set" in read(log))])  # type: ignore[misc]
    supervisor.stop()
    assert read(ends) == "second first "


def read(path: Path) -> str:
    return path.read_text() if path.exists() else ""
