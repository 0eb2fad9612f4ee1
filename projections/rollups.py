"""Sums that views would compute again and again, kept up with the tables of the read models.

What is rolled up, and what marks an hour that changed, is SQL (`migrations/0011_*.sql`): the
database knows of every change, whoever made it. Until a marked hour is rolled up again the views
compute it as they are read, so nobody waits for this.
"""

from __future__ import annotations

from projections.database import Connection

HOURS_AT_ONCE = 200
"""A fraction of a second: whoever changes what is rolled up waits for so long at most."""


def roll_up(connection: Connection) -> int:
    """How many hours of sites it did, the newest first; none while somebody is changing any."""
    with connection.transaction():
        row = connection.execute("SELECT rollups.roll_up(%s)", (HOURS_AT_ONCE,)).fetchone()
    return int(row[0]) if row else 0
