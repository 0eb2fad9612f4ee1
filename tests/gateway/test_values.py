from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from gateway.values import from_ms, money, plain, rfc3339, to_ms


@pytest.mark.parametrize(
    ("micros", "amount"),
    [(0, "0.000000"), (12_345_678, "12.345678"), (-1, "-0.000001"), (-2_500_000, "-2.500000")],
)
def test_money_is_exact(micros: int, amount: str) -> None:
    assert money(micros).model_dump() == {"amount": amount, "currency": "USD"}


def test_times_are_utc_with_a_z() -> None:
    there = datetime(2024, 9, 1, 2, 0, tzinfo=timezone(timedelta(hours=2)))
    assert rfc3339(there) == "2024-09-01T00:00:00Z"
    assert rfc3339(datetime(2024, 9, 1, microsecond=400_000, tzinfo=UTC)).endswith(":00.400Z")


@pytest.mark.parametrize("moment_ms", [0, 1, 999, 1_725_148_800_123])
def test_milliseconds_there_and_back(moment_ms: int) -> None:
    assert to_ms(from_ms(moment_ms)) == moment_ms


@pytest.mark.parametrize(
    ("number", "text"),
    [("2.350000", "2.35"), ("91000.000000", "91000"), ("0.000001", "0.000001"), ("1E+3", "1000")],
)
def test_numbers_have_no_noise(number: str, text: str) -> None:
    assert plain(Decimal(number)) == text
