"""The SQL that reads the read models.

Lists take the sort key to start after (None: from the start) and give one row more than the limit,
so that the caller knows whether there is another page. Every page is a walk along an index, which
tests/gateway/test_list_plans.py sees to. Raises what database.Database raises.
"""

from __future__ import annotations

from datetime import datetime

from psycopg.sql import SQL

from gateway.database import Database, Row
from gateway.filtering import where
from gateway.pages import Key


async def ping(database: Database) -> None:
    await database.row("SELECT 1 AS one")


# positions ----------------------------------------------------------------------------------------


async def next_offsets(database: Database) -> list[Row]:
    """The lowest over the read models of each topic; nothing before projections first ran."""
    return await database.rows(
        """SELECT topic, partition, min(next_offset) AS next_offset FROM projection_positions
           GROUP BY topic, partition ORDER BY topic, partition"""
    )


async def projections_connected(database: Database) -> bool:
    """Whether a projections process has a connection to this database, by the name it gives."""
    row = await database.row(
        """SELECT 1 AS one FROM pg_stat_activity
           WHERE datname = current_database() AND application_name = 'hcp-projections' LIMIT 1"""
    )
    return row is not None


# workloads ----------------------------------------------------------------------------------------


async def workloads(
    database: Database,
    limit: int,
    after: Key | None,
    *,
    state: str | None,
    customer_id: str | None,
    site_id: str | None,
) -> list[Row]:
    """Newest submission first."""
    at, last = after or (None, None)
    return await database.rows(
        SQL(
            """SELECT * FROM workloads {where}
               ORDER BY submitted_at DESC, workload_id DESC LIMIT %(limit)s + 1"""
        ).format(
            where=where(
                ("state = %(state)s", state),
                ("customer_id = %(customer_id)s", customer_id),
                ("site_id = %(site_id)s", site_id),
                ("(submitted_at, workload_id) < (%(at)s::timestamptz, %(last)s)", last),
            )
        ),
        {
            "state": state,
            "customer_id": customer_id,
            "site_id": site_id,
            "at": at,
            "last": last,
            "limit": limit,
        },
    )


async def workload(database: Database, workload_id: str) -> Row | None:
    return await database.row(
        "SELECT * FROM workloads WHERE workload_id = %(workload_id)s",
        {"workload_id": workload_id},
    )


async def workload_events(
    database: Database, workload_id: str, limit: int, after: Key | None
) -> list[Row]:
    """In the order of the logs: intake first, then the site's."""
    topic, partition, offset = after or (None, None, None)
    return await database.rows(
        SQL(
            """SELECT topic, partition, "offset", event_id, type, at, data FROM workload_events
               {where} ORDER BY topic, partition, "offset" LIMIT %(limit)s + 1"""
        ).format(
            where=where(
                ("workload_id = %(workload_id)s", workload_id),
                (
                    """(topic, partition, "offset")
                       > (%(topic)s, %(partition)s::integer, %(offset)s::bigint)""",
                    topic,
                ),
            )
        ),
        {
            "workload_id": workload_id,
            "topic": topic,
            "partition": partition,
            "offset": offset,
            "limit": limit,
        },
    )


async def queue(
    database: Database, limit: int, after: Key | None, *, site_id: str | None
) -> list[Row]:
    """As routing looks at it, site by site, and as brokering does at what waits for a site; places
    are counted from where the page starts."""
    queue, urgency, offset, last = after or (None, None, None, None)
    rows = await database.rows(
        SQL(
            """SELECT *, coalesce(site_id, '/' || pool) AS queue, -priority AS urgency
               FROM workloads {where}
               ORDER BY coalesce(site_id, '/' || pool), -priority, queue_offset, workload_id
               LIMIT %(limit)s + 1"""
        ).format(
            where=where(
                ("state = 'queued' AND queued_at IS NOT NULL", True),
                ("coalesce(site_id, '/' || pool) = %(site_id)s", site_id),
                (
                    """(coalesce(site_id, '/' || pool), -priority, queue_offset, workload_id)
                       > (%(queue)s, %(urgency)s::bigint, %(offset)s::bigint, %(last)s)""",
                    last,
                ),
            )
        ),
        {
            "site_id": site_id,
            "queue": queue,
            "urgency": urgency,
            "offset": offset,
            "last": last,
            "limit": limit,
        },
    )
    return await _with_places(database, rows)


async def _with_places(database: Database, rows: list[Row]) -> list[Row]:
    """Only the first row's place is counted from the start; the others follow it."""
    queue, place = None, 0
    for row in rows:
        if queue is None:
            place = await queue_place(database, row["workload_id"]) or 1
        elif row["queue"] != queue:
            place = 1
        else:
            place += 1
        queue = row["queue"]
        row["queue_position"] = place
    return rows


async def queue_place(database: Database, workload_id: str) -> int | None:
    row = await database.row(
        """SELECT (
               SELECT count(*) FROM workloads q
               WHERE q.state = 'queued' AND q.queued_at IS NOT NULL
                 AND coalesce(q.site_id, '/' || q.pool) = coalesce(w.site_id, '/' || w.pool)
                 AND (-q.priority, q.queue_offset, q.workload_id)
                     <= (-w.priority, w.queue_offset, w.workload_id)
           ) AS queue_position
           FROM workloads w
           WHERE workload_id = %(workload_id)s AND state = 'queued' AND queued_at IS NOT NULL""",
        {"workload_id": workload_id},
    )
    return None if row is None else int(row["queue_position"])


# sites and units ----------------------------------------------------------------------------------


async def sites(database: Database, limit: int, after: Key | None) -> list[Row]:
    (last,) = after or (None,)
    return await database.rows(
        SQL("SELECT * FROM sites {where} ORDER BY site_id LIMIT %(limit)s + 1").format(
            where=where(("site_id > %(last)s", last))
        ),
        {"last": last, "limit": limit},
    )


async def all_sites(database: Database) -> list[Row]:
    return await database.rows("SELECT * FROM sites ORDER BY site_id")


async def site(database: Database, site_id: str) -> Row | None:
    return await database.row(
        "SELECT * FROM sites WHERE site_id = %(site_id)s", {"site_id": site_id}
    )


async def feeders(database: Database, site_id: str | None = None) -> list[Row]:
    return await database.rows(
        SQL("SELECT * FROM feeders {where} ORDER BY site_id, feeder_id").format(
            where=where(("site_id = %(site_id)s", site_id))
        ),
        {"site_id": site_id},
    )


async def site_now(database: Database, site_id: str) -> datetime | None:
    """The site's own clock, or when it was configured while that has not ticked; None when the site
    is not known."""
    row = await database.row(
        """SELECT coalesce(k.now, c.configured_at) AS now
           FROM (SELECT site_id, configured_at FROM site_configurations
                 WHERE site_id = %(site_id)s AND NOT rejected ORDER BY "offset" DESC LIMIT 1) c
           LEFT JOIN site_clocks k ON k.site_id = c.site_id""",
        {"site_id": site_id},
    )
    return None if row is None else row["now"]


async def pool_now(database: Database, pool: str) -> datetime | None:
    """The latest clock among the pool's sites, or when one of them was configured while none has
    ticked."""
    row = await database.row(
        """SELECT coalesce(max(k.now), max(c.configured_at)) AS now
           FROM site_configurations c LEFT JOIN site_clocks k USING (site_id)
           WHERE c.pool = %(pool)s AND NOT c.rejected""",
        {"pool": pool},
    )
    return None if row is None else row["now"]


async def site_known(database: Database, site_id: str) -> bool:
    row = await database.row(
        """SELECT 1 AS one FROM site_configurations
           WHERE site_id = %(site_id)s AND NOT rejected LIMIT 1""",
        {"site_id": site_id},
    )
    return row is not None


async def newest_plan(database: Database, site_id: str) -> Row | None:
    return await database.row(
        """SELECT * FROM power_plans WHERE site_id = %(site_id)s
           ORDER BY "offset" DESC LIMIT 1""",
        {"site_id": site_id},
    )


async def units(
    database: Database,
    limit: int,
    after: Key | None,
    *,
    site_id: str | None,
    feeder_id: str | None,
    kind: str | None,
    state: str | None,
) -> list[Row]:
    site, last = after or (None, None)
    return await database.rows(
        SQL("SELECT * FROM units {where} ORDER BY site_id, unit_id LIMIT %(limit)s + 1").format(
            where=where(
                ("site_id = %(site_id)s", site_id),
                ("feeder_id = %(feeder_id)s", feeder_id),
                ("kind = %(kind)s", kind),
                ("state = %(state)s", state),
                ("(site_id, unit_id) > (%(site)s, %(last)s)", last),
            )
        ),
        {
            "site_id": site_id,
            "feeder_id": feeder_id,
            "kind": kind,
            "state": state,
            "site": site,
            "last": last,
            "limit": limit,
        },
    )


async def units_named(database: Database, unit_id: str, site_id: str | None) -> list[Row]:
    """A unit's name is unique on its site only; at most two rows, so that the caller can ask."""
    return await database.rows(
        SQL("SELECT * FROM units {where} ORDER BY site_id LIMIT 2").format(
            where=where(("unit_id = %(unit_id)s", unit_id), ("site_id = %(site_id)s", site_id))
        ),
        {"unit_id": unit_id, "site_id": site_id},
    )


async def capacity(database: Database, site_id: str | None) -> list[Row]:
    """GPUs by site and model. A free GPU works and carries no workload."""
    return await database.rows(
        SQL(
            """SELECT site_id, model, count(*)::integer AS total,
                      (count(*) FILTER (WHERE state IN ('ok', 'degraded')
                                        AND used_gpu_milli = 0))::integer AS free,
                      (count(*) FILTER (WHERE used_gpu_milli > 0))::integer AS in_use,
                      (count(*) FILTER (WHERE state IN ('failed', 'drained')
                                        AND used_gpu_milli = 0))::integer AS out_of_service,
                      coalesce(sum(1000 - used_gpu_milli) FILTER (
                          WHERE state IN ('ok', 'degraded')), 0)::bigint AS free_gpu_milli
               FROM units {where} GROUP BY site_id, model ORDER BY site_id, model"""
        ).format(where=where(("kind = 'gpu'", True), ("site_id = %(site_id)s", site_id))),
        {"site_id": site_id},
    )


async def curtailments(
    database: Database, limit: int, after: Key | None, *, site_id: str
) -> list[Row]:
    at, last = after or (None, None)
    return await database.rows(
        SQL(
            """SELECT * FROM curtailments {where}
               ORDER BY starts_at DESC, curtailment_id DESC LIMIT %(limit)s + 1"""
        ).format(
            where=where(
                ("site_id = %(site_id)s", site_id),
                ("(starts_at, curtailment_id) < (%(at)s::timestamptz, %(last)s)", last),
            )
        ),
        {"site_id": site_id, "at": at, "last": last, "limit": limit},
    )


async def curtailments_named(
    database: Database, curtailment_id: str, site_id: str | None
) -> list[Row]:
    """The newest of this id on each site; at most two rows, so that the caller can ask."""
    return await database.rows(
        SQL(
            """SELECT DISTINCT ON (site_id) * FROM curtailments {where}
               ORDER BY site_id, ends_at DESC LIMIT 2"""
        ).format(
            where=where(
                ("curtailment_id = %(curtailment_id)s", curtailment_id),
                ("site_id = %(site_id)s", site_id),
            )
        ),
        {"curtailment_id": curtailment_id, "site_id": site_id},
    )


# decisions ----------------------------------------------------------------------------------------


async def decision(database: Database, decision_id: str) -> Row | None:
    return await database.row(
        "SELECT * FROM decisions WHERE decision_id = %(decision_id)s",
        {"decision_id": decision_id},
    )


async def decisions_about(database: Database, subject: str, limit: int) -> list[Row]:
    """Newest first."""
    return await database.rows(
        """SELECT * FROM decisions WHERE subject = %(subject)s
           ORDER BY at DESC, decision_id DESC LIMIT %(limit)s""",
        {"subject": subject, "limit": limit},
    )
