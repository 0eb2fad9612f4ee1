"""Brings a database's tables and views to this version, one migration after the other."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from yoyo import get_backend, read_migrations

from projections import database

MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x48435001
_WAIT_S = 10


def migrate(dsn: str) -> list[str]:
    """Names of the migrations applied now; none when all were. Raises psycopg.Error.

    Two at once wait for each other. yoyo's own lock is a row that a killed process leaves behind;
    under ours such a row is known to be nobody's.
    """
    with database.connect(dsn) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        backend = get_backend(_for_yoyo(dsn))
        try:
            backend.break_lock()
            with backend.lock(timeout=_WAIT_S):
                pending = backend.to_apply(read_migrations(str(MIGRATIONS)))
                names = [migration.id for migration in pending]
                backend.apply_migrations(pending)
        finally:
            backend.connection.close()
    return names


def _for_yoyo(dsn: str) -> str:
    """yoyo picks its driver by the scheme; "psycopg" is version 3."""
    parts = urlsplit(dsn)
    return urlunsplit(parts._replace(scheme="postgresql+psycopg"))
