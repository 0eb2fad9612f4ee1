"""The usage of a placement: GPU time by the hour, energy by the settlement quarter."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from uuid import NAMESPACE_OID, uuid5

from schemas.events.accounts import UsageRecorded
from streams.metering.allocation import allocate
from streams.metering.intervals import (
    HOUR_MS,
    QUARTER_MS,
    floor_to,
    hourly,
    overlap_ms,
    union_ms,
)
from streams.metering.state import Placement, State

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
    on_unit = placements_by_unit(state, hour)
    for by_start in state.readings.values():
        for start, reading in by_start.items():
            if floor_to(start, HOUR_MS) != hour:
                continue
            for unit_id, energy_wh in reading.energy_wh.items():
                placements = on_unit.get(unit_id, {})
                read = start, reading.ends_at
                for key, end, share_wh in _shares(placements, unit_id, read, energy_wh):
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


def placements_by_unit(state: State, hour: int) -> dict[str, dict[str, Placement]]:
    """What was on each unit in the hour that starts at `hour`."""
    found: dict[str, dict[str, Placement]] = {}
    for placement_id, placement in state.placements.items():
        ends_at = hour + HOUR_MS if placement.ends_at is None else placement.ends_at
        if overlap_ms(placement.starts_at, ends_at, hour, hour + HOUR_MS):
            for unit_id in placement.units:
                found.setdefault(unit_id, {})[placement_id] = placement
    return found


def price_at(state: State, at: int) -> Decimal | None:
    """The price of the interval that holds `at`; of the latest to start, if several do."""
    found = [start for start, price in state.prices.items() if start <= at < price.ends_at]
    return state.prices[max(found)].usd_per_mwh if found else None


def _shares(
    placements: dict[str, Placement], unit_id: str, read: tuple[int, int], energy_wh: int
) -> Iterator[tuple[tuple[str, int], int, int]]:
    """What one meter counted in [read), shared: (placement, quarter), end in the quarter, Wh.

    First among the quarters, by how long anything was on the unit, which draws nothing otherwise;
    then in each quarter among the placements, by gpu_milli x time.
    """
    start, end = read
    parts = {
        quarter: (max(start, quarter), min(end, quarter + QUARTER_MS))
        for quarter in range(floor_to(start, QUARTER_MS), end, QUARTER_MS)
    }
    occupied = {
        quarter: union_ms(_span(placement, *part) for placement in placements.values())
        for quarter, part in parts.items()
    }
    for quarter, part_wh in allocate(energy_wh, occupied).items():
        weights = {
            placement_id: placement.units[unit_id] * union_ms([_span(placement, *parts[quarter])])
            for placement_id, placement in placements.items()
        }
        for placement_id, share_wh in allocate(part_wh, weights).items():
            yield (placement_id, quarter), parts[quarter][1], share_wh


def _span(placement: Placement, start: int, end: int) -> tuple[int, int]:
    """When it was on its units within [start, end); it ends before it starts if it was not."""
    ends_at = end if placement.ends_at is None else min(placement.ends_at, end)
    return max(placement.starts_at, start), ends_at


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
