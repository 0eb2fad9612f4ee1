"""The SQL that reads the dead letters. As in queries.py: a page is a walk along an index."""

from __future__ import annotations

from psycopg.sql import SQL

from gateway.database import Database, Row
from gateway.filtering import where
from gateway.pages import Key

_LISTED = SQL(
    """dead_letter_id, topic, partition, "offset", reader, reason, detail, refused_at,
       key_bytes, value_bytes, header_count"""
)


async def dead_letter(database: Database, dead_letter_id: str) -> Row | None:
    return await database.row(
        "SELECT * FROM dead_letters WHERE dead_letter_id = %(dead_letter_id)s",
        {"dead_letter_id": dead_letter_id},
    )


async def dead_letters(
    database: Database,
    limit: int,
    after: Key | None,
    *,
    topic: str | None,
    reader: str | None,
    reason: str | None,
) -> list[Row]:
    """Newest first, without what the records held."""
    at, last = after or (None, None)
    return await database.rows(
        SQL(
            """SELECT {listed} FROM dead_letters {where}
               ORDER BY refused_at DESC, dead_letter_id DESC LIMIT %(limit)s + 1"""
        ).format(
            listed=_LISTED,
            where=where(
                ("topic = %(topic)s", topic),
                ("reader = %(reader)s", reader),
                ("reason = %(reason)s", reason),
                ("(refused_at, dead_letter_id) < (%(at)s::timestamptz, %(last)s)", last),
            ),
        ),
        {
            "topic": topic,
            "reader": reader,
            "reason": reason,
            "at": at,
            "last": last,
            "limit": limit,
        },
    )


async def newest_by_topic(database: Database, most: int) -> list[Row]:
    """Of the last day: how many of each topic, counted up to `most`, and why the newest was."""
    return await database.rows(
        """SELECT topic, count(*)::bigint AS count,
                  (array_agg(reason ORDER BY refused_at DESC, dead_letter_id DESC))[1] AS reason
           FROM (
               SELECT topic, reason, refused_at, dead_letter_id FROM dead_letters
               WHERE refused_at > now() - interval '1 day'
               ORDER BY refused_at DESC, dead_letter_id DESC LIMIT %(most)s
           ) newest
           GROUP BY topic ORDER BY topic""",
        {"most": most},
    )
