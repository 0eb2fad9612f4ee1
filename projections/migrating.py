"""Brings a database's tables and views to this version, one migration after the other."""

from __future__ import annotations

import logging
from pathlib import Path
from urllib.parse import urlencode

from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import Diagnostic
from yoyo import get_backend, read_migrations

from projections import database

MIGRATIONS = Path(__file__).parent / "migrations"
ANALYSTS = Path(__file__).parent / "analysts.sql"
_LOCK = 0x48435001
_WAIT_S = 10
_LOG = logging.getLogger(__name__)


def migrate(dsn: str) -> list[str]:
    """Names of the migrations applied now; none when all were. Raises psycopg.Error.

    Two at once wait for each other. yoyo's own lock is a row that a killed process leaves behind;
    under ours such a row is known to be nobody's.
    """
    with database.connect(dsn) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        backend = get_backend(yoyo_uri(dsn))
        try:
            backend.break_lock()
            with backend.lock(timeout=_WAIT_S):
                pending = backend.to_apply(read_migrations(str(MIGRATIONS)))
                names = [migration.id for migration in pending]
                backend.apply_migrations(pending)
        finally:
            backend.connection.close()
        connection.add_notice_handler(_say)
        connection.execute(ANALYSTS.read_bytes())
    return names


def yoyo_uri(dsn: str) -> str:
    """yoyo picks its driver by the scheme, psycopg being version 3, and hands it the query: so a
    DSN of either form arrives whole, with quoted passwords and sslmode."""
    return "postgresql+psycopg:///?" + urlencode(conninfo_to_dict(dsn))


def _say(notice: Diagnostic) -> None:
    if notice.severity_nonlocalized == "WARNING":
        _LOG.warning("%s", notice.message_primary)
