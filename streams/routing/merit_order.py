"""Which mining to give up first: the fewest terahashes lost for each watt given back.

Power costs every ASIC of a site the same for each watt and a hash earns the same everywhere, so
this order is the order of dollars lost per watt at any price. It is therefore kept as an index.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from streams.routing.economics import THS_HOURS_PER_PH_DAY, W_PER_MW, mining_value
from streams.routing.state import State, Unit

RATIO_SCALE = 10**9

StepKey = tuple[int, str, str]
"""(terahashes lost per watt, scaled; unit; mode to step down to)"""


@dataclass(frozen=True, slots=True)
class StepDown:
    unit_id: str
    feeder_id: str
    mode_before: str
    mode: str
    freed_w: int
    lost_ths: int


def next_step(unit: Unit, mode: str) -> StepKey | None:
    """The step to less power that loses the fewest hashes per watt; None at the bottom."""
    here = unit.modes[mode]
    best: tuple[int, int, str] | None = None
    for name, lower in unit.modes.items():
        saved_w = here.power_w - lower.power_w
        if saved_w > 0:
            ratio = (here.hashrate_ths - lower.hashrate_ths) * RATIO_SCALE // saved_w
            if best is None or (ratio, -saved_w, name) < best:
                best = (ratio, -saved_w, name)
    return None if best is None else (best[0], unit.unit_id, best[2])


def least_ratio(state: State) -> int | None:
    """The fewest terahashes (scaled) that any mining step of the site loses for a watt; None when
    nothing mines. Steps after a unit's next one lose no fewer."""
    return min((steps[0][0] for steps in state.index.mining.values() if steps), default=None)


def least_lost_value(state: State, ratio: int | None, need_w: int) -> int:
    """Displacing mining that frees `need_w` loses at least this much an hour after power. 0 where
    mining may earn nothing: then displacing more of it may even pay."""
    if ratio is None or need_w <= 0:
        return 0
    hash_micros, power_micros = state.hashprice_micros or 0, state.power_price_micros or 0
    hashes_per_w = RATIO_SCALE * THS_HOURS_PER_PH_DAY
    a_watt = ratio * hash_micros * W_PER_MW - power_micros * hashes_per_w
    return max(0, need_w * a_watt // (hashes_per_w * W_PER_MW))


class Displacement:
    """Mining steps taken so far in a plan that is not carried out yet."""

    __slots__ = ("_modes", "_state", "steps")

    def __init__(self, state: State) -> None:
        self._state = state
        self._modes: dict[str, str] = {}
        self.steps: list[StepDown] = []

    @property
    def freed_w(self) -> int:
        return sum(step.freed_w for step in self.steps)

    def freed_on_w(self, feeder_id: str) -> int:
        return sum(step.freed_w for step in self.steps if step.feeder_id == feeder_id)

    @property
    def lost_value(self) -> int:
        """What the displaced mining earns an hour after power; negative when it loses money."""
        lost_ths = sum(step.lost_ths for step in self.steps)
        return mining_value(self._state, lost_ths, self.freed_w)

    def modes(self) -> list[tuple[str, str]]:
        """The mode each touched unit ends in, by unit id."""
        return sorted((unit_id, mode) for unit_id, mode in self._modes.items())

    def take(self, feeders: Iterable[str], need_w: int) -> int:
        """Step down the least valuable mining on these feeders until `need_w` is freed or no
        mining is left; returns what was freed, in W."""
        if need_w <= 0:
            return 0
        freed_w = 0
        for step in self._in_order(list(feeders)):
            self.steps.append(step)
            self._modes[step.unit_id] = step.mode
            freed_w += step.freed_w
            if freed_w >= need_w:
                break
        return freed_w

    def trim(self, feeder_needs_w: dict[str, int], site_need_w: int) -> None:
        """Give back steps, the most valuable first, that the needs do not require."""
        spare_site_w = self.freed_w - site_need_w
        spare_w = {
            feeder_id: self.freed_on_w(feeder_id) - need_w
            for feeder_id, need_w in feeder_needs_w.items()
        }
        kept: list[StepDown] = []
        pinned: set[str] = set()
        for step in reversed(self.steps):
            spare_here_w = min(spare_site_w, spare_w.get(step.feeder_id, spare_site_w))
            if step.freed_w > spare_here_w or step.unit_id in pinned:
                kept.append(step)
                pinned.add(step.unit_id)
                continue
            spare_site_w -= step.freed_w
            if step.feeder_id in spare_w:
                spare_w[step.feeder_id] -= step.freed_w
            self._undo(step)
        self.steps = kept[::-1]

    def _undo(self, step: StepDown) -> None:
        if step.mode_before == self._state.units[step.unit_id].mode:
            del self._modes[step.unit_id]
        else:
            self._modes[step.unit_id] = step.mode_before

    def _in_order(self, feeders: list[str]) -> Iterator[StepDown]:
        """Steps on these feeders, the least valuable first, past the steps already taken."""
        further: list[StepKey] = []
        for unit_id, mode in self._modes.items():
            unit = self._state.units[unit_id]
            key = next_step(unit, mode)
            if unit.feeder_id in feeders and key is not None:
                heapq.heappush(further, key)
        mining = self._state.index.mining
        started = set(self._modes)
        first = heapq.merge(*(mining[feeder_id] for feeder_id in feeders if feeder_id in mining))
        upcoming = next(first, None)
        while True:
            while upcoming is not None and upcoming[1] in started:
                upcoming = next(first, None)
            if upcoming is not None and (not further or upcoming < further[0]):
                key, upcoming = upcoming, next(first, None)
            elif further:
                key = heapq.heappop(further)
            else:
                return
            yield self._step(key)
            following = next_step(self._state.units[key[1]], key[2])
            if following is not None:
                heapq.heappush(further, following)

    def _step(self, key: StepKey) -> StepDown:
        unit = self._state.units[key[1]]
        before = self._modes.get(unit.unit_id, unit.mode)
        old, new = unit.modes[before], unit.modes[key[2]]
        return StepDown(
            unit_id=unit.unit_id,
            feeder_id=unit.feeder_id,
            mode_before=before,
            mode=key[2],
            freed_w=old.power_w - new.power_w,
            lost_ths=old.hashrate_ths - new.hashrate_ths,
        )
