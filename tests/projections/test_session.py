"""Which of the database's errors may be gone the next time."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors

from projections.session import is_away


@pytest.mark.parametrize(
    "error",
    [
        errors.AdminShutdown(),
        errors.LockNotAvailable(),
        errors.IdleInTransactionSessionTimeout(),
        errors.ReadOnlySqlTransaction(),
        errors.TooManyConnections(),
        psycopg.OperationalError("the connection is lost"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_tried_again(error: Exception) -> None:
    assert is_away(error)


@pytest.mark.parametrize(
    "error",
    [
        errors.UndefinedTable(),
        errors.NumericValueOutOfRange(),
        errors.InsufficientPrivilege(),
        psycopg.DataError("a value without a code"),
        ValueError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_not_tried_again(error: Exception) -> None:
    assert not is_away(error)
