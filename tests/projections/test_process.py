"""`python -m projections` as a process: killed, stopped, misused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial

import pytest

from projections.catalog import READ_MODELS
from tests.projections.conftest import Stack
from tests.projections.story import tell
from tests.projections.test_runner import wait_for

KILLS = 3


@pytest.fixture
def environment(stack: Stack) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("HCP_")},
        "HCP_KAFKA": stack.kafka,
        "HCP_SCHEMA_REGISTRY": stack.registry,
        "HCP_DATABASE": stack.dsn,
        "HCP_TOPIC_PREFIX": stack.topics.prefix,
        "HCP_PROJECTIONS_BATCH": "25",
    }


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(10)


def test_killed_and_stopped(
    stack: Stack, environment: dict[str, str], processes: list[subprocess.Popen[str]]
) -> None:
    for kill in range(KILLS):
        tell(stack.story, site=f"site-{kill}", workloads=30)
        stack.publish()
        before = applied(stack)
        processes.append(start(environment))
        wait_for(partial(has_applied, stack, before + 50))
        processes[-1].kill()
        processes[-1].wait(10)
    processes.append(start(environment))
    wait_for(stack.is_caught_up)
    processes[-1].send_signal(signal.SIGTERM)
    assert processes[-1].wait(10) == 0
    killed = stack.dump()
    stack.forget()
    stack.project()
    assert killed == stack.dump()


def test_rebuild_says_what_it_did(stack: Stack, environment: dict[str, str]) -> None:
    stack.project()
    done = call(environment, "rebuild", "invoices")
    assert done.returncode == 0, done.stderr
    assert "invoices is rebuilt from" in done.stdout


@pytest.mark.parametrize(
    ("changed", "command", "sentence"),
    [
        ({}, ("rebuild", "nonsense"), "there is no read model 'nonsense'; there are sites, units"),
        ({"HCP_TOPIC_PREFIX": "nobody."}, ("run",), "run `python -m schemas provision`"),
        ({"HCP_DATABASE": ""}, ("migrate",), "HCP_DATABASE: Field required"),
        (
            {"HCP_DATABASE": "postgresql://hcp@127.0.0.1:1/hcp"},
            ("migrate",),
            "PostgreSQL: connection failed",
        ),
    ],
)
def test_misuse_is_one_sentence(
    environment: dict[str, str], changed: dict[str, str], command: tuple[str, ...], sentence: str
) -> None:
    """An empty value here stands for a variable that is not set."""
    given = {name: value for name, value in {**environment, **changed}.items() if value}
    done = call(given, *command)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_list_names_every_read_model(environment: dict[str, str]) -> None:
    done = call({**environment, "COLUMNS": "200"}, "list")
    assert all(model.name in done.stdout for model in READ_MODELS)


def has_applied(stack: Stack, records: int) -> bool:
    return applied(stack) > records


def applied(stack: Stack) -> int:
    rows = stack.query("SELECT coalesce(sum(next_offset), 0) FROM projection_positions")
    return int(rows[0][0])


def start(environment: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "projections", "run"]
    return subprocess.Popen(command, env=environment, text=True, stderr=subprocess.DEVNULL)


def call(environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "projections", *command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert time.monotonic() - started < 60
    return done
