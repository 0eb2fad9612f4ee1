"""The usage of a placement: GPU time by the hour, energy wherever its price changes.

An hour is cut into pieces (`priced_pieces`), and what a meter counted is shared among them by time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple
from uuid import NAMESPACE_OID, uuid5

from schemas.events.accounts import UsageRecorded
from streams.allocation import allocate
from streams.metering.intervals import MINUTE_MS, QUARTER_MS, floor_to, hourly, union_ms
from streams.metering.state import Placement, Reading, State
from streams.prices import Price, Stretch, stretches
from streams.quantities import HOUR_MS

USAGE = uuid5(NAMESPACE_OID, "hcp.accounts.v1.UsageRecorded")

MAX_PIECES = 60
"""Pieces of an hour, each with a price of its own: a price a minute."""


class Piece(NamedTuple):
    """A part of an hour with one price.

    micros: a MWh
    is_mean: of several prices, over all of it
    """

    start: int
    end: int
    micros: int | None
    is_mean: bool


def gpu_time(
    state: State, placement_id: str, placement: Placement, until: int, *, at: int
) -> Iterator[UsageRecorded]:
    """What is not recorded yet, up to `until`, in GPU-microseconds (gpu_milli x ms)."""
    for start, end in hourly(
        max(placement.starts_at, placement.recorded_until, state.closed_until), until
    ):
        yield _usage(
            state,
            placement_id,
            placement,
            at=at,
            meter="gpu_time",
            named_by=start,
            interval=(start, end),
            quantity=placement.gpu_milli * (end - start),
            list_price=placement.list_price,
        )


def energy(state: State, hour: int, *, at: int) -> Iterator[tuple[Piece, UsageRecorded]]:
    """The energy of the hour that starts at `hour`, in ascending order of placement and piece.

    A usage is of the time in which its placement ran and was metered.
    """
    quantities: dict[tuple[str, int], int] = {}
    spans: dict[tuple[str, int], tuple[int, int]] = {}
    pieces = {piece.start: piece for piece in priced_pieces(state.prices, hour)}
    for unit_id, placements in _placements_by_unit(state, hour).items():
        for start, reading in state.readings.get(unit_id, {}).items():
            if floor_to(start, HOUR_MS) != hour:
                continue
            for key, part, share_wh in _shares(placements, unit_id, start, reading, pieces):
                quantities[key] = quantities.get(key, 0) + share_wh
                first, last = spans.get(key, part)
                spans[key] = min(first, part[0]), max(last, part[1])
    for key in sorted(quantities):
        placement_id, piece_start = key
        placement = state.placements[placement_id]
        if placement.billed and quantities[key]:
            piece = pieces[piece_start]
            usage = _usage(
                state,
                placement_id,
                placement,
                at=at,
                meter="energy",
                named_by=piece_start,
                interval=spans[key],
                quantity=quantities[key],
                price=usd(piece.micros),
            )
            yield piece, usage


def priced_pieces(prices: Iterable[Price], hour: int) -> list[Piece]:
    """An hour cut at its settlement quarters, and wherever the price in force changes.

    More than MAX_PIECES would be as many usages of each placement: the hour is then cut at the
    minutes, each at the mean of its prices by time, rounded half up to six decimals.
    """
    quarters = range(hour, hour + HOUR_MS, QUARTER_MS)
    pieces = [
        piece for quarter in quarters for piece in stretches(prices, quarter, quarter + QUARTER_MS)
    ]
    if len(pieces) <= MAX_PIECES:
        return [Piece(*piece, is_mean=False) for piece in pieces]
    minutes = range(hour, hour + HOUR_MS, MINUTE_MS)
    means = (mean(stretches(prices, minute, minute + MINUTE_MS)) for minute in minutes)
    return [Piece(*piece, is_mean=True) for piece in means]


def mean(parts: list[Stretch]) -> Stretch:
    """Of the time that has a price."""
    priced = [(part.end - part.start, part.micros) for part in parts if part.micros is not None]
    whole = sum(length for length, _ in priced)
    total = sum(length * micros for length, micros in priced)
    mean = (2 * total + whole) // (2 * whole) if whole else None
    return Stretch(parts[0].start, parts[-1].end, mean)


def usd(micros: int | None) -> Decimal | None:
    return None if micros is None else Decimal(micros).scaleb(-6)


def _placements_by_unit(state: State, hour: int) -> dict[str, dict[str, Placement]]:
    """What was on each unit in the hour that starts at `hour`."""
    found: dict[str, dict[str, Placement]] = {}
    for placement_id, placement in state.placements.items():
        start, end = placement.within(hour, hour + HOUR_MS)
        if start < end:
            for unit_id in placement.units:
                found.setdefault(unit_id, {})[placement_id] = placement
    return found


def _shares(
    placements: dict[str, Placement],
    unit_id: str,
    start: int,
    reading: Reading,
    pieces: Mapping[int, Piece],
) -> Iterator[tuple[tuple[str, int], tuple[int, int], int]]:
    """What one meter counted, shared: (placement, piece), when in the piece, Wh.

    First among the pieces, by how long anything was on the unit, which draws nothing otherwise;
    then in each piece among the placements, by gpu_milli x time.
    """
    parts = {
        piece.start: (max(start, piece.start), min(reading.ends_at, piece.end))
        for piece in pieces.values()
        if start < piece.end and piece.start < reading.ends_at
    }
    occupied = {
        piece: union_ms(placement.within(*part) for placement in placements.values())
        for piece, part in parts.items()
    }
    for piece, part_wh in allocate(reading.energy_wh, occupied).items():
        weights = {
            placement_id: placement.units[unit_id] * union_ms([placement.within(*parts[piece])])
            for placement_id, placement in placements.items()
        }
        for placement_id, share_wh in allocate(part_wh, weights).items():
            yield (placement_id, piece), placements[placement_id].within(*parts[piece]), share_wh


def _usage(
    state: State,
    placement_id: str,
    placement: Placement,
    *,
    at: int,
    meter: str,
    named_by: int,
    interval: tuple[int, int],
    quantity: int,
    price: Decimal | None = None,
    list_price: Decimal | None = None,
) -> UsageRecorded:
    """named_by: the moment that tells its id from those of the same placement and meter"""
    start, end = interval
    where = state.site_id, placement.customer_id, placement.workload_id, placement_id
    name = json.dumps(
        [*where, meter, named_by]
    )  # no separator is safe inside ids that people choose
    return UsageRecorded(
        customer_id=placement.customer_id,
        at=at,
        usage_id=str(uuid5(USAGE, name)),
        site_id=state.site_id,
        workload_id=placement.workload_id,
        placement_id=placement_id,
        meter=meter,
        gpu_model=placement.gpu_model,
        interval_start=start,
        interval_end=end,
        quantity=quantity,
        unit="gpu_us" if meter == "gpu_time" else "wh",
        price_usd_per_mwh=price,
        list_price_usd_per_gpu_hour=list_price,
    )
