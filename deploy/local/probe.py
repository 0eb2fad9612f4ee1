"""Does something answer over HTTP? Asked often, so without what a question does not need."""

from __future__ import annotations

import httpx

from deploy.local.proxies import is_loopback

TIMEOUT_S = 2.0


def succeeds(url: str) -> bool:
    """Does it answer with a success, soon? What is no URL does not."""
    ours = is_loopback(url)
    try:
        # certificates take longer to load than our own services, without them, to answer
        return httpx.get(url, timeout=TIMEOUT_S, trust_env=not ours, verify=not ours).is_success
    except (httpx.TransportError, httpx.InvalidURL, UnicodeError):
        return False
