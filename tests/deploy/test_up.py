"""`hcp up` as its user meets it: signals, status, and one sentence for what cannot work."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from deploy.local import state
from deploy.local.directory import DataDirectory
from deploy.local.ports import choose_free
from tests.deploy.driving import assert_one_sentence, hcp, phase, running, wait_for
from tests.deploy.tiny_stack import HEALTH


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything_and_leaves_no_child(
    tiny: subprocess.Popen[bytes], tmp_path: Path, number: signal.Signals
) -> None:
    before = running(tmp_path / "data")
    pids = [process.pid for process in before.processes]
    assert len(pids) == 3
    assert all(pid is not None and psutil.pid_exists(pid) for pid in pids)
    tiny.send_signal(number)
    assert tiny.wait(20) == 0
    assert not any(psutil.pid_exists(pid) for pid in pids if pid)
    assert phase(tmp_path / "data") == "stopped"
    said = (tmp_path / "output").read_text()
    assert "the data is kept" in said
    assert "Traceback" not in said


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells children on Linux only")
def test_children_of_a_killed_supervisor_end_too(
    tiny: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    before = running(tmp_path / "data")
    tiny.kill()
    tiny.wait()
    wait_for(
        lambda: not any(state.alive(p.pid, p.started_at) for p in before.processes),
        "children outlived their supervisor",
    )
    after = hcp("status", "--json", "--data-dir", str(tmp_path / "data"))
    assert after.returncode == 1
    shown = json.loads(after.stdout)
    assert (shown["phase"], shown["error"]) == ("stopped", "the supervisor was killed")
    assert shown["health"] is None


@pytest.mark.usefixtures("tiny")
def test_status_names_every_process_and_address_and_a_restart(data: Path) -> None:
    before = {process.name: process for process in running(data).processes}
    killed = before["routing"].pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)

    def restarted() -> bool:
        current = state.read(data / "state.json")
        process = next(p for p in current.processes if p.name == "routing") if current else None
        return process is not None and process.restarts == 1 and process.state == "running"

    wait_for(restarted, "the killed process was not restarted")
    answer = hcp("status", "--json", "--data-dir", str(data))
    assert answer.returncode == 0
    shown = json.loads(answer.stdout)
    assert shown["phase"] == "running"
    assert [p["name"] for p in shown["processes"]] == ["routing", "projections", "gateway"]
    for process in shown["processes"]:
        assert process["state"] == "running"
        assert process["pid"] > 0
        assert process["memory_mb"] > 0
    routing = shown["processes"][0]
    assert routing["restarts"] == 1
    assert routing["last_exit"].startswith("killed by SIGKILL")
    assert {endpoint["name"] for endpoint in shown["endpoints"]} == {
        *("gateway", "api docs", "simulator", "kafka", "registry", "database")
    }
    table = hcp("status", "--data-dir", str(data)).stdout
    assert "killed by SIGKILL" in table
    assert "postgresql://hcp:***@127.0.0.1:1/none" in table
    assert "metering: 9 events behind" in table
    assert "dead letters: 3 of hcp.sites.v1, the last forged" in table
    assert "alerts: 1 critical site_silent: Nothing came." in table
    assert "trial:" not in table
    assert shown["speed"] == 1.0
    assert shown["health"] == HEALTH
    assert "postgresql://hcp:secret@127.0.0.1:1/none" in answer.stdout


def test_down_stops_it_and_is_no_error_twice(tiny: subprocess.Popen[bytes], tmp_path: Path) -> None:
    data = tmp_path / "data"
    running(data)
    first = hcp("down", "--data-dir", str(data))
    assert (first.returncode, first.stdout.strip()) == (0, "stopped; the data is kept")
    assert tiny.wait(5) == 0
    stopped = hcp("status", "--data-dir", str(data))
    assert "stopped" in stopped.stdout
    assert "127.0.0.1" not in stopped.stdout
    second = hcp("down", "--data-dir", str(data))
    assert (second.returncode, second.stdout.strip()) == (0, "nothing is running")


def test_a_second_up_on_the_same_data_is_refused(
    tiny: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    running(tmp_path / "data")
    assert tiny.poll() is None
    second = hcp("up", "--data-dir", str(tmp_path / "data"))
    assert_one_sentence(second, "HCP is already running on")


def test_a_taken_port_is_one_sentence_that_names_its_holder(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        answer = hcp("up", "--data-dir", str(tmp_path / "data"), HCP_GATEWAY_PORT=str(port))
    assert_one_sentence(answer, f"Port {port}, needed for the gateway, is taken by")
    if sys.platform == "linux":
        assert f"(pid {os.getpid()})" in answer.stderr


def test_a_detached_start_says_its_error_once(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        data = str(tmp_path / "data")
        answer = hcp("up", "--detach", "--data-dir", data, HCP_GATEWAY_PORT=str(port))
    assert_one_sentence(answer, f"Port {port}, needed for the gateway, is taken by")
    assert (answer.stdout + answer.stderr).count("is taken by") == 1


def test_one_port_for_two_is_one_sentence(tmp_path: Path) -> None:
    (port,) = map(str, choose_free(1))
    settings = {"HCP_GATEWAY_PORT": port, "HCP_SIMULATOR_PORT": port}
    answer = hcp("up", "--data-dir", str(tmp_path / "data"), **settings)
    assert_one_sentence(answer, f"cannot share port {port}: choose another with HCP_GATEWAY_PORT")


def test_another_scenario_on_the_same_data_is_one_sentence(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path / "data")
    directory.claim()
    choices = directory.choices()
    choices.scenario = "ercot-2024"
    directory.remember(choices)
    directory.release()
    for detach in ([], ["--detach"]):
        answer = hcp("up", *detach, "--scenario", "seed", "--data-dir", str(directory.path))
        assert_one_sentence(answer, "has played ercot-2024: to play seed, give another data dir")
        assert "HCP_DATA_DIR" in answer.stderr


@pytest.mark.parametrize("detach", [[], ["--detach"]])
def test_a_data_directory_that_cannot_be_written_is_one_sentence(
    tmp_path: Path, detach: list[str]
) -> None:
    (tmp_path / "file").write_text("")
    answer = hcp("up", *detach, "--data-dir", str(tmp_path / "file" / "data"))
    assert_one_sentence(answer, "cannot be written (Not a directory): choose another data dir")


def test_an_unknown_scenario_is_one_sentence_that_lists_the_known(tmp_path: Path) -> None:
    answer = hcp("up", "--scenario", "atlantis", "--data-dir", str(tmp_path / "data"))
    assert_one_sentence(answer, "There is no scenario 'atlantis': choose one of ")
    assert not (tmp_path / "data").exists()


def test_a_stale_data_directory_is_one_sentence(tmp_path: Path) -> None:
    stale = {"layout": 0, "kafka": "3.9.0", "registry": "2.6.0", "postgres": "15"}
    (tmp_path / "stamp.json").write_text(json.dumps(stale))
    for detach in ([], ["--detach"]):
        answer = hcp("up", *detach, "--data-dir", str(tmp_path))
        assert_one_sentence(answer, "was written by layout 0 with Kafka 3.9.0, PostgreSQL 15")


def test_an_external_kafka_that_does_not_answer_is_one_sentence(tmp_path: Path) -> None:
    (closed,) = choose_free(1)
    gateway, simulator = choose_free(2)
    answer = hcp(
        *("up", "--data-dir", str(tmp_path / "data")),
        HCP_KAFKA=f"127.0.0.1:{closed}",
        HCP_GATEWAY_PORT=str(gateway),
        HCP_SIMULATOR_PORT=str(simulator),
    )
    assert_one_sentence(answer, f"HCP_KAFKA names 127.0.0.1:{closed}, and nothing usable answers")
