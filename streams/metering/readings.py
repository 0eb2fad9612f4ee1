"""What meters said: kept until its hour is collected, or left out of account and counted.

A reading is cut at the hours, by time: an hour is billed before anybody knows what runs in the next
one. Each piece is kept or left out alone, so every watt-hour of a GPU that routing lets pass is
billed, was drawn without a workload, or is in `State.left_out_wh` under a reason:

- contradicted: it overlaps a reading of the same unit, from whatever feeder, or says something else
  than the first meter of its feeder that starts at the same moment
- late: its hour was collected without it
- no_clock: the site's clock has not begun; nothing can be placed yet
- repeated: it is in account already
- too_far_ahead, too_long, too_many: more than is held, see the bounds in `state`
- unknown_unit: of a unit that is not registered here, whatever routing made of the meter
"""

from __future__ import annotations

from typing import NamedTuple

from schemas.events.sites import EnergyMetered
from streams.allocation import allocate
from streams.metering.intervals import hourly
from streams.metering.state import (
    GPU,
    MAX_AHEAD_MS,
    MAX_READING_MS,
    MAX_READINGS,
    Reading,
    State,
)
from streams.quantities import counted


class Piece(NamedTuple):
    """What a meter counted of one GPU within one hour. reason: why it is left out; None: kept"""

    unit_id: str
    start: int
    reading: Reading
    reason: str | None

    @property
    def energy_wh(self) -> int:
        return self.reading.energy_wh


def read(state: State, meter: EnergyMetered) -> None:
    """Take a meter that routing takes into account. Energy of miners is nobody's bill."""
    pieces = told(state, meter)
    for unit_id, start, reading, reason in pieces:
        if reason is None:
            state.readings.setdefault(unit_id, {})[start] = reading
        else:
            lost_wh = state.left_out_wh.get(reason, 0)
            state.left_out_wh[reason] = counted(lost_wh, reading.energy_wh)
    if _refusal(state, meter) is None:
        _cover(state, meter)
    state.refused += any(piece.reason not in (None, "repeated") for piece in pieces)


def told(state: State, meter: EnergyMetered) -> list[Piece]:
    """What it says of each GPU, hour by hour, and what of that is left out."""
    of_gpus = [
        (reading.unit_id, reading.energy_wh)
        for reading in meter.readings
        if _may_be_gpu(state, reading.unit_id)
    ]
    refusal = _refusal(state, meter)
    if refusal is not None:
        end = meter.interval_end
        return [
            Piece(unit_id, meter.interval_start, Reading(end, energy_wh), refusal)
            for unit_id, energy_wh in of_gpus
        ]
    is_first = meter.interval_start not in state.metered.get(meter.feeder_id, {})
    ends = dict(hourly(meter.interval_start, meter.interval_end))
    lengths = {start: end - start for start, end in ends.items()}
    return [
        Piece(unit_id, start, reading, _reason(state, unit_id, start, reading, is_first=is_first))
        for unit_id, energy_wh in of_gpus
        for start, reading in (
            (start, Reading(ends[start], share_wh))
            for start, share_wh in allocate(energy_wh, lengths).items()
        )
    ]


def _may_be_gpu(state: State, unit_id: str) -> bool:
    """Energy of a unit that nobody knows may be somebody's, so it is counted."""
    unit = state.units.get(unit_id)
    return unit is None or unit.kind == GPU


def _refusal(state: State, meter: EnergyMetered) -> str | None:
    start, end = meter.interval_start, meter.interval_end
    if state.now is None:
        return "no_clock"
    if end - start > MAX_READING_MS:
        return "too_long"
    return "too_far_ahead" if end > state.now + MAX_AHEAD_MS else None


def _reason(
    state: State, unit_id: str, start: int, reading: Reading, *, is_first: bool
) -> str | None:
    """Why it is not kept. is_first: the first meter of its feeder that starts then"""
    if unit_id not in state.units:
        return "unknown_unit"
    if start < state.collected_until:
        return "late"
    known = state.readings.get(unit_id, {})
    if known.get(start) == reading:
        return "repeated"
    if not is_first or any(start < r.ends_at and at < reading.ends_at for at, r in known.items()):
        return "contradicted"
    return "too_many" if len(known) >= MAX_READINGS else None


def _cover(state: State, meter: EnergyMetered) -> None:
    """Its feeder was metered: a unit that it does not name drew nothing.

    Only of feeders that an hour may wait for, so that made-up names take no room.
    """
    feeder_id, end = meter.feeder_id, meter.interval_end
    is_awaited = feeder_id in state.feeders or any(
        feeder_id in placement.feeders for placement in state.placements.values()
    )
    if end <= state.collected_until or not is_awaited:
        return
    by_start = state.metered.setdefault(feeder_id, {})
    if len(by_start) < MAX_READINGS:
        by_start.setdefault(meter.interval_start, end)
