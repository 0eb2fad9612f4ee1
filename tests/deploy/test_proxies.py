"""A proxy in the environment: for the world outside, never for what we start ourselves."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import pytest

from deploy.local.ports import choose_free
from deploy.local.proxies import bypassed, is_loopback
from tests.deploy.driving import running, tiny_stack


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, "127.0.0.1,localhost,::1"),
        ({"NO_PROXY": "corp.example"}, "corp.example,127.0.0.1,localhost,::1"),
        ({"no_proxy": "a, localhost", "NO_PROXY": "b"}, "a,localhost,127.0.0.1,::1"),
        ({"no_proxy": "*"}, "*"),
    ],
)
def test_this_machine_is_added_to_what_a_proxy_is_not_for(
    before: dict[str, str], after: str
) -> None:
    assert bypassed(before) == {"NO_PROXY": after, "no_proxy": after}
    assert urllib.request.proxy_bypass_environment("127.0.0.1", {"no": after})  # type: ignore[attr-defined]


def test_only_this_machine_is_ours() -> None:
    assert is_loopback("http://127.0.0.1:8080/healthz")
    assert not is_loopback("http://registry.example:8080")
    assert not is_loopback("http://[::1")


def test_a_stack_starts_although_a_proxy_is_set(tmp_path: Path) -> None:
    (closed,) = choose_free(1)
    proxy = f"http://127.0.0.1:{closed}"
    names = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
    with tiny_stack(tmp_path, **dict.fromkeys(names, proxy), NO_PROXY="", no_proxy=""):
        running(tmp_path / "data")
