"""Settings and files that cannot work: each is one sentence, never a trace."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from deploy import cli, crash
from deploy.errors import DataDirectoryError, DownloadError
from deploy.local import postgres, state
from deploy.local.artifacts import fetch
from deploy.local.directory import DataDirectory
from deploy.local.ports import choose_free
from deploy.local.probe import succeeds
from deploy.recorder import Recorder
from tests.deploy.driving import assert_one_sentence, hcp, phase
from tests.deploy.maven import artifact, repository

NO_URL = "http://[::1"


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        (
            ["up"],
            {"HCP_GATEWAY_PORT": "\u00b2"},
            "HCP_GATEWAY_PORT is '\u00b2', and must be a port",
        ),
        (
            ["up"],
            {"HCP_SCHEMA_REGISTRY": NO_URL},
            f"HCP_SCHEMA_REGISTRY names {NO_URL}, and nothing",
        ),
        (["up"], {"HCP_CACHE_DIR": "/dev/null"}, "The downloads cannot be kept in /dev/null"),
        (["up"], {"HCP_CACHE_DIR": "~nobody-at-all/x"}, "which leads nowhere"),
        (["up", "--speed", "nan"], {}, "--speed is nan, and must be from 0.001"),
        (["up", "--speed", "1e7"], {}, "--speed is 1e+07, and must be from 0.001"),
        (["report"], {"HCP_GATEWAY_URL": NO_URL}, f"{NO_URL} is not a URL: give --gateway"),
        (["report"], {"HCP_GATEWAY_URL": "foo"}, "foo is not a URL: give --gateway"),
        (
            ["status"],
            {"HCP_DATA_DIR": "/etc/passwd"},
            "/etc/passwd/state.json cannot be read (Not a",
        ),
        (["down"], {"HCP_DATA_DIR": "~nobody-at-all/x"}, "leads nowhere"),
    ],
)
def test_a_setting_that_cannot_work_is_one_sentence(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], expected: str
) -> None:
    gateway, simulator = map(str, choose_free(2))
    usual = {
        "HCP_DATA_DIR": str(tmp_path / "data"),
        "HCP_GATEWAY_PORT": gateway,
        "HCP_SIMULATOR_PORT": simulator,
    }
    assert_one_sentence(hcp(*arguments, **{**usual, **environment}), expected)


@pytest.mark.parametrize("dsn", ["foo", "postgresql://127.0.0.1:x/y", "host=/nowhere"])
def test_what_is_no_database_does_not_answer(dsn: str) -> None:
    assert not postgres.answers(dsn)


@pytest.mark.parametrize("url", [NO_URL, "foo", "http://a..b", f"http://{'a' * 70}", "ftp://x"])
def test_what_is_no_url_does_not_answer(url: str) -> None:
    assert not succeeds(url)


@pytest.mark.parametrize("content", [b"", b'{"phase": "runn'])
def test_a_damaged_state_is_a_sentence_and_up_writes_it_anew(
    tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "state.json"
    file.write_bytes(content)
    with pytest.raises(
        DataDirectoryError, match=r"state\.json is damaged, so what runs is unknown"
    ):
        state.read(file)
    for command in ("status", "down", "report"):
        assert_one_sentence(hcp(command, "--data-dir", str(tmp_path)), "is damaged")
    Recorder(DataDirectory(tmp_path), None).enter("starting")
    assert phase(tmp_path) == "starting"


def test_up_goes_on_over_a_damaged_state(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    directory.claim()
    directory.release()
    directory.state_file.write_bytes(b"")
    answer = hcp("up", "--data-dir", str(tmp_path), HCP_SCHEMA_REGISTRY=NO_URL)
    assert "state.json is damaged" in answer.stdout
    assert_one_sentence(answer, "HCP_SCHEMA_REGISTRY names")
    assert phase(tmp_path) == "failed"


def test_damaged_choices_are_a_sentence_and_stay(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    directory.claim()
    directory.choices()
    file = tmp_path / "choices.json"
    half = file.read_bytes()[:30]
    file.write_bytes(half)
    with pytest.raises(DataDirectoryError, match="holds the password of the database"):
        directory.choices()
    directory.release()
    assert file.read_bytes() == half


def test_no_room_while_fetching_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with repository() as maven:
        monkeypatch.setenv("HCP_MAVEN_REPOSITORY", maven.url)
        monkeypatch.setenv("HCP_CACHE_DIR", str(tmp_path))
        wanted = artifact(maven.add("org.example:one:1.0", b"first"))
        (tmp_path / "trial.downloads").write_text("")  # a file where a directory must be
        with pytest.raises(DownloadError, match="The downloads cannot be kept in"):
            fetch("trial", print, wanted)


def test_crashes_are_kept_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    for fault in ("first", "second"):
        try:
            raise ValueError(fault)
        except ValueError:
            told = crash.keep()
    file = Path(told.removeprefix("details in "))
    assert file.is_relative_to(tmp_path)
    kept = file.read_text()
    assert kept.index("ValueError: first") < kept.index("ValueError: second")


def test_a_crash_without_a_home_is_still_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise ValueError("a bug")

    monkeypatch.setattr(cli, "app", broken)
    monkeypatch.setenv("HOME", "/dev/null")
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null")
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith("hcp: unexpected ValueError: a bug (details in ")
    assert "Traceback" not in said


def test_a_closed_standard_output_is_a_sentence(tmp_path: Path) -> None:
    answer = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m deploy.cli status --json --data-dir {tmp_path} >&-"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert_one_sentence(answer, "Standard output is closed")


@pytest.mark.parametrize("command", [["report"], ["explain", "w-1"], ["submit"]])
def test_without_a_gateway_each_question_is_answered_by_one_sentence(
    tmp_path: Path, command: list[str]
) -> None:
    (closed,) = choose_free(1)
    answer = hcp(
        *command, "--data-dir", str(tmp_path), HCP_GATEWAY_URL=f"http://127.0.0.1:{closed}"
    )
    assert_one_sentence(answer, f"No gateway answers at http://127.0.0.1:{closed}")


@pytest.mark.parametrize("command", ["logs", "down"])
def test_what_was_never_started_is_said_so(tmp_path: Path, command: str) -> None:
    answer = hcp(command, "--data-dir", str(tmp_path / "data"))
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith("nothing has been started with data directory ")
