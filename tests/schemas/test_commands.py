from __future__ import annotations

import pytest

from schemas.__main__ import main
from schemas.topics import ALL


def test_check_is_quiet_about_a_tree_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("name", "value"),
    [("HCP_PARTITIONS", "many"), ("HCP_PARTITIONS", "0"), ("HCP_REPLICATION", "-1")],
)
def test_a_bad_setting_is_one_sentence_that_names_it(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    assert main(["provision"]) == 1
    assert capsys.readouterr().err.startswith(f"{name}='{value}': ")


def test_a_registry_that_is_away_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HCP_SCHEMA_REGISTRY", "http://127.0.0.1:9/apis/ccompat/v7")
    assert main(["register"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("no answer from the registry at http://127.0.0.1:9/")
    assert error.count("\n") == 1


def test_register_and_provision_a_new_environment(
    kafka: str,
    registry: str,
    topic_prefix: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HCP_KAFKA", kafka)
    monkeypatch.setenv("HCP_SCHEMA_REGISTRY", registry)
    monkeypatch.setenv("HCP_TOPIC_PREFIX", topic_prefix)
    assert main(["register"]) == 0
    assert main(["provision"]) == 0
    said = capsys.readouterr().out
    assert all(f"created {topic_prefix}{topic.name}\n" in said for topic in ALL)
    assert main(["provision"]) == 0
    assert capsys.readouterr().out == "every topic is as it should be\n"
