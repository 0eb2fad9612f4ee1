"""Every endpoint under /api/v1, in the order of the documentation."""

from __future__ import annotations

from gateway.endpoints import AnyEndpoint
from gateway.routes import (
    billing,
    curtailments,
    dead_letters,
    decisions,
    platform,
    prices,
    sites,
    units,
    waivers,
    workloads,
)

TABLE: tuple[AnyEndpoint, ...] = (
    *workloads.ENDPOINTS,
    *sites.ENDPOINTS,
    *curtailments.ENDPOINTS,
    *units.ENDPOINTS,
    *prices.ENDPOINTS,
    *billing.ENDPOINTS,
    *waivers.ENDPOINTS,
    *decisions.ENDPOINTS,
    *dead_letters.ENDPOINTS,
    *platform.ENDPOINTS,
)
