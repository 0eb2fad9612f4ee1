"""PostgreSQL that may go away: work is tried again until it is done or the process must stop."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

import psycopg
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    sleep_using_event,
    stop_when_event_set,
    wait_exponential_jitter,
)

from projections import database, metrics
from projections.database import Connection
from projections.errors import NotProvisioned

Result = TypeVar("Result")

_LOG = logging.getLogger(__name__)
_LONGEST_WAIT_S = 10
_AWAY = frozenset({"08", "25", "40", "53", "55", "57"})  # SQLSTATE classes: it may work later
_RECORDS_FAULT = frozenset({"22", "23", "54"})  # a value that the table never takes
_UNDEFINED = frozenset({"3F000", "42P01", "42703"})  # schema, table, column


class Stopped(Exception):
    """Told to stop while waiting for something that was away."""


def patiently(
    dependency: str,
    is_away: Callable[[BaseException], bool],
    work: Callable[[], Result],
    stop: threading.Event,
) -> Result:
    """Tries again while it is away, after 0.1 s and then less often, at least each 10 s. For ever:
    giving up would gain nothing. Raises Stopped."""

    def report(state: RetryCallState) -> None:
        metrics.RETRIES.labels(dependency).inc()
        error = state.outcome.exception() if state.outcome else None
        said = str(error).strip().splitlines()[:1]
        _LOG.warning("%s is away (%s); trying again", dependency, *(said or ["no reason given"]))

    retrying = Retrying(
        wait=wait_exponential_jitter(multiplier=0.1, max=_LONGEST_WAIT_S, jitter=0.1),
        retry=retry_if_exception(is_away),
        stop=stop_when_event_set(stop),
        sleep=sleep_using_event(stop),
        before_sleep=report,
        retry_error_callback=_stopped,
    )
    return retrying(work)


class Session:
    """One connection, made anew when it breaks. schema: of the tables that its work is about"""

    def __init__(self, dsn: str, stop: threading.Event, *, schema: str = "public") -> None:
        self._dsn = dsn
        self._schema = schema
        self._stop = stop
        self._connection: Connection | None = None

    def run(self, work: Callable[[Connection], Result]) -> Result:
        """Work that is one transaction, or safe to repeat.

        Raises Stopped, NotProvisioned, and psycopg.Error where trying again cannot help.
        """
        return patiently("database", is_away, lambda: self._once(work), self._stop)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _once(self, work: Callable[[Connection], Result]) -> Result:
        if self._connection is None or self._connection.closed:
            self._connection = database.connect(self._dsn, schema=self._schema)
        try:
            return work(self._connection)
        except psycopg.Error as error:
            if error.sqlstate in _UNDEFINED:
                raise NotProvisioned(
                    "the database has not the tables of this version: "
                    "run `python -m projections migrate`"
                ) from error
            if is_away(error):
                self._connection.close()
            raise


def is_away(error: BaseException) -> bool:
    """Also what psycopg calls an internal error: a standby that only reads, a silent session."""
    if not isinstance(error, psycopg.Error):
        return False
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return error.sqlstate[:2] in _AWAY


def is_records_fault(error: psycopg.Error) -> bool:
    """Whether some record holds what the database will never store."""
    if error.sqlstate is None:
        return isinstance(error, psycopg.DataError)
    return error.sqlstate[:2] in _RECORDS_FAULT


def _stopped(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    raise Stopped from error
