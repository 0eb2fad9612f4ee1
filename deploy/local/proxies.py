"""A proxy is for the world outside: what runs on this machine is asked directly.

HTTP clients, ours and our children's, take HTTP_PROXY and its kin from the environment, and would
send even a question for 127.0.0.1 there.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def bypassed(environment: Mapping[str, str]) -> dict[str, str]:
    """NO_PROXY, in both spellings, with this machine added to whatever is there."""
    present = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    hosts = [host.strip() for host in present.split(",") if host.strip()]
    if hosts != ["*"]:
        hosts += [host for host in LOOPBACK if host not in hosts]
    return dict.fromkeys(("NO_PROXY", "no_proxy"), ",".join(hosts))


def is_loopback(url: str) -> bool:
    try:
        return urlsplit(url).hostname in LOOPBACK
    except ValueError:
        return False
