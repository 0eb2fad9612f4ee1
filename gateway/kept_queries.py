"""The SQL of the gateway's own table of kept answers. Raises what database.Database raises."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from psycopg.types.json import Jsonb

from gateway.database import Database, Row
from schemas.topics import SITES


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


async def forget_rejected_workload(database: Database, scope: str, workload_id: str) -> None:
    """Free an id whose submission was rejected: that rested on what its site or pool had then."""
    await database.execute(
        """DELETE FROM kept_answers k USING workloads w, workload_events e
           WHERE k.scope = %(scope)s AND k.key = %(workload_id)s
             AND w.workload_id = %(workload_id)s AND w.state = 'rejected'
             AND e.workload_id = %(workload_id)s
             AND k.answer->>'position' = concat_ws(':', e.topic, e.partition, e."offset")""",
        {"scope": scope, "workload_id": workload_id},
    )


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
