"""A usage cut where its price or its billing period changes.

Prices change where a contract starts; a contract never starts before its tariff is effective, so
that is where a tariff begins too. Periods end by the calendar of the contract in force.

Bound: MAX_PIECES a usage, more than a year of hours. A longer usage is still cut wherever a
contract starts, so that no price is wrong; what is left of it under the contract in which the bound
is met is one piece, billed in the period that it starts in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

from streams.allocation import allocate
from streams.invoicing.contracts import in_force
from streams.invoicing.periods import period_at
from streams.invoicing.state import Contract

MAX_PIECES = 10_000


class Piece(NamedTuple):
    """quantity: its share of the usage, by time"""

    start: int
    end: int
    contract_id: str
    quantity: int


def pieces(
    contracts: Mapping[str, Contract], customer_id: str, interval: tuple[int, int], quantity: int
) -> list[Piece]:
    """In ascending order, without gap or overlap; their quantities add up to the whole.

    contracts: every one of the customer's, with one that starts no later than the interval
    """
    cuts = list(_cut(contracts, customer_id, *interval))
    shares = allocate(quantity, {start: end - start for start, end, _ in cuts})
    return [Piece(start, end, contract_id, shares[start]) for start, end, contract_id in cuts]


def _cut(
    contracts: Mapping[str, Contract], customer_id: str, start: int, end: int
) -> Iterator[tuple[int, int, str]]:
    starts = sorted({c.starts_at for c in contracts.values() if start < c.starts_at < end})
    left = MAX_PIECES - len(starts) - 1
    for since, until in pairwise([start, *starts, end]):
        contract_id = in_force(contracts, customer_id, since)
        calendar = contracts[contract_id].billing_period
        at = since
        while at < until:
            _, period_end = period_at(calendar, at)
            stop = min(period_end, until) if left > 0 else until
            left -= stop < until
            yield at, stop, contract_id
            at = stop
