"""Markets: ERCOT's real-time prices as published, and the hashprice of a seeded walk.

Money is `Decimal` throughout; the walk itself is in integers, so it is the same everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation, localcontext
from functools import cache

from simulators import seeded
from simulators.datafiles import read_rows
from simulators.errors import DataInvalid
from simulators.scenario import Hashprice

HOUR_MS = 3_600_000
INTERVAL_MS = 900_000
BLOCK_SUBSIDY_SATS = 312_500_000  # 3.125 BTC since the halving of April 2024
RETARGET_HOURS = 336  # 2016 blocks of ten minutes
_PPM = 1_000_000
_SATS = 100_000_000
_SIX_PLACES = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class PowerPrice:
    """What a settlement point costs in [interval_start, interval_start + 15 minutes)."""

    interval_start: int
    settlement_point: str
    price_usd_per_mwh: Decimal


@dataclass(frozen=True, slots=True)
class HashpricePoint:
    interval_start: int
    difficulty: int
    fees_sats: int
    btc_price_usd: Decimal

    @property
    def hashprice_usd_per_ph_day(self) -> Decimal:
        return hashprice(self.difficulty, self.fees_sats, self.btc_price_usd)


def hashprice(difficulty: int, fees_sats: int, btc_price_usd: Decimal) -> Decimal:
    """Dollars that a petahash a second earns in a day, to six places.

    A block takes difficulty * 2^32 hashes on average; a petahash a second makes 8.64e19 in a day.
    """
    with localcontext(prec=50):
        blocks_per_day = Decimal(10**15 * 86_400) / (difficulty * 2**32)
        reward_btc = Decimal(BLOCK_SUBSIDY_SATS + fees_sats) / _SATS
        return (blocks_per_day * reward_btc * btc_price_usd).quantize(_SIX_PLACES)


def hashprice_walk(start: Hashprice, starts_ms: int, ends_ms: int) -> Iterator[HashpricePoint]:
    """One point each hour in [starts_ms, ends_ms)."""
    price_micros = int(start.btc_price_usd * _PPM)
    difficulty = start.difficulty
    for hour in range(-(-(ends_ms - starts_ms) // HOUR_MS)):
        if hour:
            price_micros += _step(
                price_micros, start.btc_price_volatility_ppm, start.seed, "btc", hour
            )
        if hour and hour % RETARGET_HOURS == 0:
            difficulty += _step(
                difficulty, start.difficulty_volatility_ppm, start.seed, "difficulty", hour
            )
        fees = start.fees_sats
        fees += _step(fees, start.fees_volatility_ppm, start.seed, "fees", hour) if hour else 0
        yield HashpricePoint(
            interval_start=starts_ms + hour * HOUR_MS,
            difficulty=difficulty,
            fees_sats=max(0, fees),
            btc_price_usd=Decimal(price_micros) / _PPM,
        )


def _step(value: int, volatility_ppm: int, seed: int, *names: str | int) -> int:
    """At most six standard deviations: price and difficulty stay positive within their bounds."""
    return value * volatility_ppm * seeded.normal_ppm(seed, *names) // (_PPM * _PPM)


def power_prices(
    series: str, settlement_point: str, starts_ms: int, ends_ms: int
) -> Sequence[PowerPrice]:
    """The file's intervals in [starts_ms, ends_ms). Raises DataInvalid where one is missing."""
    found = [
        price
        for price in read_prices(series)
        if price.settlement_point == settlement_point
        and starts_ms <= price.interval_start < ends_ms
    ]
    expected = range(starts_ms, ends_ms, INTERVAL_MS)
    if [price.interval_start for price in found] != list(expected):
        raise DataInvalid(
            f"{series} has {len(found)} of the {len(expected)} prices of {settlement_point} "
            "that the scenario needs"
        )
    return found


@cache
def read_prices(series: str) -> tuple[PowerPrice, ...]:
    """The whole file, in its order."""
    return tuple(_price(row) for row in read_rows(series))


def _price(row: dict[str, str]) -> PowerPrice:
    try:
        return PowerPrice(
            interval_start=int(datetime.fromisoformat(row["interval_start_utc"]).timestamp())
            * 1000,
            settlement_point=row["settlement_point"],
            price_usd_per_mwh=Decimal(row["price_usd_per_mwh"]),
        )
    except (KeyError, ValueError, InvalidOperation):
        raise DataInvalid(f"not a price: {row}") from None
