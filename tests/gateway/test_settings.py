from __future__ import annotations

import pytest

from gateway.__main__ import main
from gateway.settings import RefusedAddress, require_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.53", "::1", "localhost"])
def test_this_machine_may_listen(host: str) -> None:
    require_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org", ""])
def test_any_other_address_is_refused_with_one_sentence(
    host: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RefusedAddress):
        require_loopback(host)
    monkeypatch.setenv("HCP_GATEWAY_HOST", host)
    assert main([]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "127.0.0.1" in said


def test_a_bad_setting_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HCP_GATEWAY_PORT", "http")
    assert main([]) == 2
    assert capsys.readouterr().err.startswith("HCP_GATEWAY_PORT is not usable")


def test_an_unknown_command_prints_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fly"]) == 2
    assert "usage" in capsys.readouterr().err


def test_migrating_without_a_database_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HCP_DATABASE", "postgresql://nobody@127.0.0.1:9/none")
    assert main(["migrate"]) == 2
    assert "does not answer" in capsys.readouterr().err
