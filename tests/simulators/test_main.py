from __future__ import annotations

import socket
from pathlib import Path

import pytest

from simulators import scenario as scenarios
from simulators.__main__ import main


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["ercot-2024", "fleet", "seed"]


def test_check_says_what_a_scenario_holds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "ercot-2024"]) == 0
    told = capsys.readouterr().out
    assert "1 site(s), 86 units, 3 customer(s)" in told
    assert "1164 power prices" in told
    assert "3013 workloads; 1088 of the trace's 8152 pods are CPU only, left out" in told


def test_check_says_what_is_wrong(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.toml").write_text("title = 1\n")
    monkeypatch.setattr(scenarios, "SCENARIOS_DIR", tmp_path)
    assert main(["check", "broken"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("scenario 'broken': title: Input should be a valid string; ")
    assert told.count("\n") == 1


def test_a_taken_port_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["run", "--scenario", "seed", "--port", str(port)]) == 1
    told = capsys.readouterr().err.splitlines()
    assert told[-1] == f"port {port} on 127.0.0.1 cannot be used: Address already in use"


def test_a_bad_setting_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HCP_SIMULATOR_PACE", "sometimes")
    assert main(["run", "--scenario", "seed"]) == 1
    assert capsys.readouterr().err.startswith("HCP_SIMULATOR_PACE='sometimes': Input should be")
