"""The SQL that reads alerts: those on the logs, and those that views tell of (`all_alerts`)."""

from __future__ import annotations

from psycopg.sql import SQL

from gateway.database import Database, Row
from gateway.filtering import where
from gateway.pages import Key


async def alerts_about(database: Database, workload_id: str, limit: int) -> list[Row]:
    """Newest first."""
    return await database.rows(
        """SELECT * FROM alerts WHERE workload_id = %(workload_id)s
           ORDER BY raised_at DESC, alert_id DESC LIMIT %(limit)s""",
        {"workload_id": workload_id, "limit": limit},
    )


async def alerts(
    database: Database, limit: int, after: Key | None, *, site_id: str | None, active: bool | None
) -> list[Row]:
    at, last = after or (None, None)
    return await database.rows(
        SQL(
            """SELECT * FROM all_alerts {where}
               ORDER BY raised_at DESC, alert_id DESC LIMIT %(limit)s + 1"""
        ).format(
            where=where(
                ("site_id = %(site_id)s", site_id),
                ("cleared_at IS NULL", active or None),
                ("cleared_at IS NOT NULL", True if active is False else None),
                ("(raised_at, alert_id) < (%(at)s::timestamptz, %(last)s)", last),
            )
        ),
        {"site_id": site_id, "at": at, "last": last, "limit": limit},
    )


async def open_alerts(database: Database, most: int) -> list[Row]:
    """By kind and severity: how many stand, counted up to `most`, and what the newest says."""
    return await database.rows(
        """SELECT kind, severity, count(*)::bigint AS count,
                  (array_agg(detail ORDER BY raised_at DESC, alert_id DESC))[1] AS detail
           FROM (
               SELECT * FROM all_alerts WHERE cleared_at IS NULL
               ORDER BY raised_at DESC, alert_id DESC LIMIT %(most)s
           ) newest
           GROUP BY kind, severity ORDER BY kind, severity""",
        {"most": most},
    )
