"""The platform as a whole: its health, and the report."""

from __future__ import annotations

from http import HTTPStatus

from gateway import queries
from gateway.context import Gateway
from gateway.endpoints import Call, NoBody, Query, get
from gateway.health import HealthReport
from gateway.report import Report
from gateway.routes.prices import SiteQuery
from gateway.routes.sites import site_row

TAG = "platform"


async def read_health(gateway: Gateway, _: Call[Query, NoBody]) -> HealthReport:
    return await gateway.health.report()


async def read_report(gateway: Gateway, call: Call[SiteQuery, NoBody]) -> Report:
    site_id = call.query.site_id
    if site_id is not None:
        sites = [await site_row(gateway, site_id)]
    else:
        sites = await queries.all_sites(gateway.database)
    return await gateway.reports.report(site_id, sites)


ENDPOINTS = (
    get(
        "/health",
        read_health,
        query=Query,
        answer=HealthReport,
        summary="Broker, registry, database, each agent, projections, and what is not installed",
        tag=TAG,
        reads=False,
    ),
    get(
        "/report",
        read_report,
        query=SiteQuery,
        answer=Report,
        summary="Workloads, energy, profit, and the same hours under three naive policies",
        tag=TAG,
        problems=(HTTPStatus.NOT_FOUND,),
    ),
)
