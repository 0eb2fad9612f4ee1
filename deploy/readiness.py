"""When the stack is up: every part is well, and a submission can be placed.

A submission can be placed when each site of the scenario has a clock. Its first tick is published
once routing has answered for all that the site registered; what routing told the pool of it is then
on the intake log, before any submission that comes later, so brokering knows it. A submission that
comes earlier is not lost: it waits for a site.

Other sites than the scenario's are nobody's promise, and are not waited for.
"""

from __future__ import annotations

from collections.abc import Iterable

from deploy.gateway import Gateway, GatewayError


def missing(gateway: Gateway, sites: Iterable[str]) -> list[str]:
    """What is still waited for, each with its detail."""
    return unhealthy(gateway) or without_clock(gateway, sites)


def unhealthy(gateway: Gateway) -> list[str]:
    """What the gateway says is not well."""
    try:
        health = gateway.get("/health")
    except GatewayError as error:
        return [str(error)]
    return [
        f"{component['name']}: {component.get('detail') or component['status']}"
        for component in health["components"]
        if component["status"] == "down"  # "degraded" works: it is behind, and catching up
    ]


def without_clock(gateway: Gateway, sites: Iterable[str]) -> list[str]:
    """Sites that nothing could be placed on yet."""
    found = []
    for site_id in sites:
        try:
            now = gateway.get(f"/sites/{site_id}")["now"]
        except GatewayError as error:
            found.append(f"site {site_id}: {error}")
            continue
        if now is None:
            found.append(f"site {site_id}: its clock has not ticked yet")
    return found
