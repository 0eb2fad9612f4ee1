"""Brings a database's tables and views to this version, one migration after the other.

A change of a table waits for whoever has it open, and everyone else waits behind it. So it waits
for a moment only, lets the others pass, and tries again.
"""

from __future__ import annotations

import logging
from pathlib import Path
from urllib.parse import urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.errors import Diagnostic
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_delay,
    wait_random_exponential,
)
from yoyo import get_backend, read_migrations

from projections import database
from projections.database import Connection
from projections.errors import HeldUp

MIGRATIONS = Path(__file__).parent / "migrations"
ANALYSTS = Path(__file__).parent / "analysts.sql"
LOCK = 0x48435001
_WAIT_S = 10
_LOCK_WAIT = "500ms"  # below the server's deadlock_timeout
_LONGEST_PAUSE_S = 5
# An analyst's transaction is ended before (analysts.sql), and `hcp up` waits for longer.
PATIENCE_S = 150.0
_HELD_UP = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)
_LOG = logging.getLogger(__name__)


def migrate(dsn: str, *, patience_s: float = PATIENCE_S) -> list[str]:
    """Names of the migrations applied now; none when all were.

    Raises HeldUp when somebody had a table open for so long, or another one migrated for twice as
    long; psycopg.Error. Two at once wait for each other. yoyo's own lock is a row that a killed
    process leaves behind; under ours such a row is known to be nobody's.
    """
    names: list[str] = []
    with database.connect(dsn) as connection:
        _be_alone(connection, patience_s)
        connection.execute(f"SET lock_timeout = '{_LOCK_WAIT}'".encode())
        connection.add_notice_handler(_say)

        def report(state: RetryCallState) -> None:
            if state.attempt_number == 1:
                _LOG.warning("waiting for %s", _others(connection))

        def give_up(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            raise HeldUp(
                f"gave up after {patience_s:g} s, for a table is in use by {_others(connection)}; "
                "what was applied before stays: try again when they have ended"
            ) from error

        retrying = Retrying(
            retry=retry_if_exception_type(_HELD_UP),
            wait=wait_random_exponential(multiplier=0.2, max=_LONGEST_PAUSE_S),
            stop=stop_after_delay(patience_s),
            before_sleep=report,
            retry_error_callback=give_up,
        )
        retrying(_apply, dsn, names)
        retrying(connection.execute, ANALYSTS.read_bytes())
    return names


def _be_alone(connection: Connection, patience_s: float) -> None:
    connection.execute(f"SET lock_timeout = '{2 * patience_s:g}s'".encode())
    try:
        connection.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
    except psycopg.errors.LockNotAvailable as error:
        raise HeldUp(
            f"gave up after {2 * patience_s:g} s, for another migration runs ({_others(connection)}"
            "): try again when it has ended"
        ) from error


def _apply(dsn: str, names: list[str]) -> None:
    """Adds to `names` what it has applied, also when it fails at the next one."""
    backend = get_backend(yoyo_uri(_impatient(dsn)))
    try:
        backend.break_lock()
        with backend.lock(timeout=_WAIT_S):
            for migration in backend.to_apply(read_migrations(str(MIGRATIONS))):
                backend.apply_one(migration)
                names.append(migration.id)
    finally:
        backend.connection.close()


def _impatient(dsn: str) -> str:
    options = conninfo_to_dict(dsn).get("options") or ""
    return make_conninfo(dsn, options=f"{options} -c lock_timeout={_LOCK_WAIT}".strip())


def _others(connection: Connection) -> str:
    """Whose transactions are the oldest, as far as our user may see."""
    rows = connection.execute(
        "SELECT format('%s (pid %s, %s)', coalesce(usename, 'somebody'), pid, "
        "coalesce(state, 'unseen')) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid() "
        "AND backend_type = 'client backend' AND (xact_start IS NOT NULL OR state IS NULL) "
        "ORDER BY xact_start LIMIT 3"
    ).fetchall()
    return ", ".join(str(said) for (said,) in rows) or "others"


def yoyo_uri(dsn: str) -> str:
    """yoyo picks its driver by the scheme, psycopg being version 3, and hands it the query: so a
    DSN of either form arrives whole, with quoted passwords and sslmode."""
    return "postgresql+psycopg:///?" + urlencode(conninfo_to_dict(dsn))


def _say(notice: Diagnostic) -> None:
    if notice.severity_nonlocalized == "WARNING":
        _LOG.warning("%s", notice.message_primary)
