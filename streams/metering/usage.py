"""The usage of a placement: GPU time by the hour, energy by the settlement quarter."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from uuid import NAMESPACE_OID, uuid5

from schemas.events.accounts import UsageRecorded
from streams.allocation import allocate
from streams.metering.intervals import (
    HOUR_MS,
    QUARTER_MS,
    floor_to,
    hourly,
    union_ms,
)
from streams.metering.state import Placement, Reading, State

USAGE = uuid5(NAMESPACE_OID, "hcp.accounts.v1.UsageRecorded")


def gpu_time(
    state: State, placement_id: str, placement: Placement, until: int, *, at: int
) -> Iterator[UsageRecorded]:
    """What is not recorded yet, up to `until`, in GPU-microseconds (gpu_milli x ms)."""
    for start, end in hourly(max(placement.starts_at, state.closed_until), until):
        yield _usage(
            state,
            placement_id,
            placement,
            at=at,
            meter="gpu_time",
            interval=(start, end),
            quantity=placement.gpu_milli * (end - start),
            list_price=placement.list_price,
        )


def energy(state: State, hour: int, *, at: int) -> Iterator[UsageRecorded]:
    """The energy of the hour that starts at `hour`, in ascending order of placement and quarter."""
    quantities: dict[tuple[str, int], int] = {}
    ends: dict[tuple[str, int], int] = {}
    prices = {
        quarter: price_at(state, quarter) for quarter in range(hour, hour + HOUR_MS, QUARTER_MS)
    }
    for unit_id, placements in _placements_by_unit(state, hour).items():
        for start, reading in state.readings.get(unit_id, {}).items():
            if floor_to(start, HOUR_MS) != hour:
                continue
            for key, end, share_wh in _shares(placements, unit_id, start, reading):
                quantities[key] = quantities.get(key, 0) + share_wh
                ends[key] = max(ends.get(key, 0), end)
    for key in sorted(quantities):
        placement_id, quarter = key
        placement = state.placements[placement_id]
        if placement.billed and quantities[key]:
            yield _usage(
                state,
                placement_id,
                placement,
                at=at,
                meter="energy",
                interval=(quarter, ends[key]),
                quantity=quantities[key],
                price=prices[quarter],
            )


def price_at(state: State, at: int) -> Decimal | None:
    """The price of the interval that holds `at`; of the latest to start, if several do."""
    found = [start for start, price in state.prices.items() if start <= at < price.ends_at]
    return state.prices[max(found)].usd_per_mwh if found else None


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
    placements: dict[str, Placement], unit_id: str, start: int, reading: Reading
) -> Iterator[tuple[tuple[str, int], int, int]]:
    """What one meter counted, shared: (placement, quarter), end in the quarter, Wh.

    First among the quarters, by how long anything was on the unit, which draws nothing otherwise;
    then in each quarter among the placements, by gpu_milli x time.
    """
    end = reading.ends_at
    parts = {
        quarter: (max(start, quarter), min(end, quarter + QUARTER_MS))
        for quarter in range(floor_to(start, QUARTER_MS), end, QUARTER_MS)
    }
    occupied = {
        quarter: union_ms(placement.within(*part) for placement in placements.values())
        for quarter, part in parts.items()
    }
    for quarter, part_wh in allocate(reading.energy_wh, occupied).items():
        weights = {
            placement_id: placement.units[unit_id] * union_ms([placement.within(*parts[quarter])])
            for placement_id, placement in placements.items()
        }
        for placement_id, share_wh in allocate(part_wh, weights).items():
            yield (placement_id, quarter), parts[quarter][1], share_wh


def _usage(
    state: State,
    placement_id: str,
    placement: Placement,
    *,
    at: int,
    meter: str,
    interval: tuple[int, int],
    quantity: int,
    price: Decimal | None = None,
    list_price: Decimal | None = None,
) -> UsageRecorded:
    start, end = interval
    where = state.site_id, placement.customer_id, placement.workload_id, placement_id
    name = json.dumps([*where, meter, start])  # no separator is safe inside ids that people choose
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
