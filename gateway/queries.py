"""The SQL that reads the read models, and the table of kept answers.

Lists take the sort key to start after (None: from the start) and give one row more than the limit,
so that the caller knows whether there is another page. Raises what database.Database raises.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from gateway.database import Database, Row
from gateway.pages import Key
from schemas.topics import SITES


async def ping(database: Database) -> None:
    await database.row("SELECT 1 AS one")


# positions ----------------------------------------------------------------------------------------


async def next_offset(database: Database, topic: str, partition: int) -> int | None:
    """The lowest over the read models of the topic; None before the first commit."""
    row = await database.row(
        """SELECT min(next_offset) AS next_offset FROM projection_positions
           WHERE topic = %(topic)s AND partition = %(partition)s""",
        {"topic": topic, "partition": partition},
    )
    assert row is not None
    offset: int | None = row["next_offset"]
    return offset


async def next_offsets(database: Database) -> list[Row]:
    return await database.rows(
        """SELECT topic, partition, min(next_offset) AS next_offset FROM projection_positions
           GROUP BY topic, partition ORDER BY topic, partition"""
    )


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
        """SELECT * FROM workloads
           WHERE (%(state)s::text IS NULL OR state = %(state)s)
             AND (%(customer_id)s::text IS NULL OR customer_id = %(customer_id)s)
             AND (%(site_id)s::text IS NULL OR site_id = %(site_id)s)
             AND (%(last)s::text IS NULL
                  OR (submitted_at, workload_id) < (%(at)s::timestamptz, %(last)s))
           ORDER BY submitted_at DESC, workload_id DESC LIMIT %(limit)s + 1""",
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
        """SELECT topic, partition, "offset", event_id, type, at, data FROM workload_events
           WHERE workload_id = %(workload_id)s
             AND (%(topic)s::text IS NULL OR (topic, partition, "offset")
                  > (%(topic)s, %(partition)s::integer, %(offset)s::bigint))
           ORDER BY topic, partition, "offset" LIMIT %(limit)s + 1""",
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
    """As routing looks at it, site by site."""
    site, urgency, offset, last = after or (None, None, None, None)
    return await database.rows(
        """SELECT *, -priority AS urgency FROM queue
           WHERE (%(site_id)s::text IS NULL OR site_id = %(site_id)s)
             AND (%(last)s::text IS NULL OR (site_id, -priority, queue_offset, workload_id)
                  > (%(site)s, %(urgency)s::bigint, %(offset)s::bigint, %(last)s))
           ORDER BY site_id, -priority, queue_offset, workload_id LIMIT %(limit)s + 1""",
        {
            "site_id": site_id,
            "site": site,
            "urgency": urgency,
            "offset": offset,
            "last": last,
            "limit": limit,
        },
    )


async def queue_place(database: Database, workload_id: str) -> int | None:
    row = await database.row(
        "SELECT queue_position FROM queue WHERE workload_id = %(workload_id)s",
        {"workload_id": workload_id},
    )
    return None if row is None else int(row["queue_position"])


# sites and units ----------------------------------------------------------------------------------


async def sites(database: Database, limit: int, after: Key | None) -> list[Row]:
    (last,) = after or (None,)
    return await database.rows(
        """SELECT * FROM sites WHERE %(last)s::text IS NULL OR site_id > %(last)s
           ORDER BY site_id LIMIT %(limit)s + 1""",
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
        """SELECT * FROM feeders WHERE %(site_id)s::text IS NULL OR site_id = %(site_id)s
           ORDER BY site_id, feeder_id""",
        {"site_id": site_id},
    )


async def site_now(database: Database, site_id: str) -> datetime | None:
    """The site's own clock; None when it has not ticked yet or is not known."""
    row = await database.row(
        "SELECT now FROM site_clocks WHERE site_id = %(site_id)s", {"site_id": site_id}
    )
    return None if row is None else row["now"]


async def pool_now(database: Database, pool: str) -> datetime | None:
    """The latest clock among the pool's sites."""
    row = await database.row(
        """SELECT max(k.now) AS now FROM site_clocks k JOIN site_configurations c USING (site_id)
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
        """SELECT * FROM units
           WHERE (%(site_id)s::text IS NULL OR site_id = %(site_id)s)
             AND (%(feeder_id)s::text IS NULL OR feeder_id = %(feeder_id)s)
             AND (%(kind)s::text IS NULL OR kind = %(kind)s)
             AND (%(state)s::text IS NULL OR state = %(state)s)
             AND (%(last)s::text IS NULL OR (site_id, unit_id) > (%(site)s, %(last)s))
           ORDER BY site_id, unit_id LIMIT %(limit)s + 1""",
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
        """SELECT * FROM units WHERE unit_id = %(unit_id)s
             AND (%(site_id)s::text IS NULL OR site_id = %(site_id)s)
           ORDER BY site_id LIMIT 2""",
        {"unit_id": unit_id, "site_id": site_id},
    )


async def capacity(database: Database, site_id: str | None) -> list[Row]:
    """GPUs by site and model. A free GPU works and carries no workload."""
    return await database.rows(
        """SELECT site_id, model, count(*)::integer AS total,
                  (count(*) FILTER (WHERE state IN ('ok', 'degraded')
                                    AND used_gpu_milli = 0))::integer AS free,
                  (count(*) FILTER (WHERE used_gpu_milli > 0))::integer AS in_use,
                  (count(*) FILTER (WHERE state IN ('failed', 'drained')
                                    AND used_gpu_milli = 0))::integer AS out_of_service,
                  coalesce(sum(1000 - used_gpu_milli)
                           FILTER (WHERE state IN ('ok', 'degraded')), 0)::bigint AS free_gpu_milli
           FROM units
           WHERE kind = 'gpu' AND (%(site_id)s::text IS NULL OR site_id = %(site_id)s)
           GROUP BY site_id, model ORDER BY site_id, model""",
        {"site_id": site_id},
    )


async def curtailments(
    database: Database, limit: int, after: Key | None, *, site_id: str
) -> list[Row]:
    at, last = after or (None, None)
    return await database.rows(
        """SELECT * FROM curtailments WHERE site_id = %(site_id)s
             AND (%(last)s::text IS NULL
                  OR (starts_at, curtailment_id) < (%(at)s::timestamptz, %(last)s))
           ORDER BY starts_at DESC, curtailment_id DESC LIMIT %(limit)s + 1""",
        {"site_id": site_id, "at": at, "last": last, "limit": limit},
    )


async def curtailments_named(
    database: Database, curtailment_id: str, site_id: str | None
) -> list[Row]:
    """The newest of this id on each site; at most two rows, so that the caller can ask."""
    return await database.rows(
        """SELECT DISTINCT ON (site_id) * FROM curtailments
           WHERE curtailment_id = %(curtailment_id)s
             AND (%(site_id)s::text IS NULL OR site_id = %(site_id)s)
           ORDER BY site_id, ends_at DESC LIMIT 2""",
        {"curtailment_id": curtailment_id, "site_id": site_id},
    )


# decisions and alerts -----------------------------------------------------------------------------


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


async def alerts(
    database: Database, limit: int, after: Key | None, *, site_id: str | None, active: bool | None
) -> list[Row]:
    at, last = after or (None, None)
    return await database.rows(
        """SELECT * FROM alerts
           WHERE (%(site_id)s::text IS NULL OR site_id = %(site_id)s)
             AND (%(active)s::boolean IS NULL OR (cleared_at IS NULL) = %(active)s)
             AND (%(last)s::text IS NULL
                  OR (raised_at, alert_id) < (%(at)s::timestamptz, %(last)s))
           ORDER BY raised_at DESC, alert_id DESC LIMIT %(limit)s + 1""",
        {"site_id": site_id, "active": active, "at": at, "last": last, "limit": limit},
    )


# kept answers -------------------------------------------------------------------------------------


async def keep_identity(
    database: Database,
    *,
    scope: str,
    key: str,
    body_sha256: bytes,
    subject_id: str,
    event_id: str,
    at_ms: int,
) -> Row:
    """The row of the key: the one just made, or the one that was there."""
    row = await database.row(
        """INSERT INTO kept_answers (scope, key, body_sha256, subject_id, event_id, at_ms)
           VALUES (%(scope)s, %(key)s, %(body)s, %(subject_id)s, %(event_id)s, %(at_ms)s)
           ON CONFLICT (scope, key) DO UPDATE SET key = excluded.key
           RETURNING body_sha256, subject_id, event_id, at_ms, answer""",
        {
            "scope": scope,
            "key": key,
            "body": body_sha256,
            "subject_id": subject_id,
            "event_id": event_id,
            "at_ms": at_ms,
        },
    )
    assert row is not None
    return row


async def keep_answer(database: Database, scope: str, key: str, answer: dict[str, Any]) -> object:
    """The answer that was kept first, which may be another request's."""
    row = await database.row(
        """UPDATE kept_answers SET answer = coalesce(answer, %(answer)s)
           WHERE scope = %(scope)s AND key = %(key)s RETURNING answer""",
        {"scope": scope, "key": key, "answer": Jsonb(answer)},
    )
    return answer if row is None else row["answer"]


async def forget_refused_curtailment(
    database: Database, scope: str, curtailment_id: str, site_id: str
) -> None:
    """Free an id whose request was refused: the answer kept for it promises nothing any more."""
    await database.execute(
        """DELETE FROM kept_answers k USING curtailment_requests r
           WHERE k.scope = %(scope)s AND k.key = %(curtailment_id)s
             AND r.site_id = %(site_id)s AND r.curtailment_id = %(curtailment_id)s AND r.rejected
             AND k.answer->>'position'
                 = concat_ws(':', %(topic)s::text, r.partition, r."offset")""",
        {
            "scope": scope,
            "curtailment_id": curtailment_id,
            "site_id": site_id,
            "topic": SITES.name,
        },
    )


async def forget_answers(database: Database, older_than: timedelta) -> None:
    await database.execute(
        "DELETE FROM kept_answers WHERE created_at < now() - %(age)s", {"age": older_than}
    )
