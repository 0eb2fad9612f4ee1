"""The best modes for groups of equal ASICs under feeder caps inside a site cap, and a bound.

What an ASIC earns is its hash revenue less its power; between modes the upper concave envelope of
(power, earnings) gives steps of falling earnings per watt. The caps are nested (each feeder inside
the site), so the powers that fit them form a polymatroid, and taking steps by earnings per watt is
the exact optimum of the linear relaxation: J. Edmonds, "Submodular functions, matroids, and certain
polyhedra" (1970). That optimum is the bound. The plan itself takes only whole steps, then fills
what power is left with any change of mode that still fits and earns.

Only integers and fractions. Earnings are in `SCALE`ths of a micro-dollar an hour.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from streams.optimization.profiles import Mode

SCALE = 3_000_000
# 1 PH/s for a day is 24,000 TH/s for an hour; a W for an hour is a millionth of a MWh. With the
# common denominator: ths / 24,000 = 125 ths / SCALE and w / 1,000,000 = 3 w / SCALE.
_HASH_FACTOR = 125
_POWER_FACTOR = 3
_MOST_FILLS = 32

GroupKey = tuple[str, str]
"""(feeder, profile)"""


@dataclass(frozen=True, slots=True)
class Group:
    """Equal ASICs on one feeder. running: how many are in each mode now; their sum is the group."""

    key: GroupKey
    modes: tuple[Mode, ...]
    running: Mapping[str, int]

    @property
    def feeder_id(self) -> str:
        return self.key[0]

    @property
    def size(self) -> int:
        return sum(self.running.values())


@dataclass(frozen=True, slots=True)
class Market:
    """Micro-dollars a MWh, and a PH/s for a day."""

    power_price: int
    hashprice: int

    def earnings(self, mode: Mode) -> int:
        revenue = _HASH_FACTOR * mode.hashrate_ths * self.hashprice
        return revenue - _POWER_FACTOR * mode.power_w * self.power_price


@dataclass(slots=True)
class Capacity:
    """Power that mining may use. What is over a limit already counts as none left."""

    site_w: int
    feeders_w: dict[str, int]

    def left_w(self, feeder_id: str) -> int:
        return max(0, min(self.site_w, self.feeders_w[feeder_id]))

    def use(self, feeder_id: str, power_w: int) -> None:
        self.site_w -= power_w
        self.feeders_w[feeder_id] -= power_w

    def copy(self) -> Capacity:
        return Capacity(self.site_w, dict(self.feeders_w))


@dataclass(frozen=True, slots=True)
class Step:
    """One ASIC going from one point of its envelope to the next."""

    before: Mode
    after: Mode
    power_w: int
    earnings: int


@dataclass(frozen=True, slots=True)
class Offer:
    """`count` ASICs of a group that could all take a step."""

    group: Group
    step: Step
    count: int
    density: Fraction


@dataclass(frozen=True, slots=True)
class Relaxation:
    """The optimum when ASICs could be split.

    earnings: what no plan can exceed
    site_price, feeder_prices: what one more watt would earn, the duals of the limits
    """

    earnings: Fraction
    site_price: Fraction
    feeder_prices: dict[str, Fraction]


@dataclass(frozen=True, slots=True)
class Solution:
    """counts: ASICs by mode, for each group; earnings: of exactly these."""

    counts: dict[GroupKey, dict[Mode, int]]
    earnings: int
    relaxation: Relaxation


def solve(groups: Sequence[Group], market: Market, capacity: Capacity) -> Solution:
    """groups: with different keys, in any order; the answer does not depend on it."""
    ordered = sorted(groups, key=lambda group: group.key)
    counts: dict[GroupKey, dict[Mode, int]] = {}
    idle = capacity.copy()
    floor = 0
    for group in ordered:
        lowest = _lowest(group.modes, market)
        counts[group.key] = {lowest: group.size}
        idle.use(group.feeder_id, lowest.power_w * group.size)
        floor += market.earnings(lowest) * group.size
    offers = _merit_order(ordered, market)
    relaxation = _relax(offers, idle, floor)
    left = idle.copy()
    _take_whole_steps(offers, left, counts)
    _fill(ordered, market, left, counts)
    earnings = sum(
        market.earnings(mode) * count for modes in counts.values() for mode, count in modes.items()
    )
    return Solution(counts, earnings, relaxation)


def envelope(modes: Sequence[Mode], market: Market) -> list[Step]:
    """The steps of the upper concave envelope that earn something, from the least power up."""
    hull: list[Mode] = []
    for mode in _best_at_each_power(modes, market):
        while len(hull) >= 2 and not _bends_down(hull[-2], hull[-1], mode, market):
            hull.pop()
        hull.append(mode)
    steps = []
    for before, after in pairwise(hull):
        earnings = market.earnings(after) - market.earnings(before)
        if earnings <= 0:
            break
        steps.append(Step(before, after, after.power_w - before.power_w, earnings))
    return steps


def _lowest(modes: Sequence[Mode], market: Market) -> Mode:
    return _best_at_each_power(modes, market)[0]


def _best_at_each_power(modes: Sequence[Mode], market: Market) -> list[Mode]:
    """In ascending power; where two modes draw the same, the one that earns more, then by name."""
    best: dict[int, Mode] = {}
    for mode in sorted(modes, key=lambda mode: (mode.power_w, -market.earnings(mode), mode.name)):
        best.setdefault(mode.power_w, mode)
    return list(best.values())


def _bends_down(first: Mode, middle: Mode, last: Mode, market: Market) -> bool:
    rise = market.earnings(middle) - market.earnings(first)
    further = market.earnings(last) - market.earnings(middle)
    return rise * (last.power_w - middle.power_w) > further * (middle.power_w - first.power_w)


def _merit_order(groups: Sequence[Group], market: Market) -> list[Offer]:
    """Most earnings per watt first. Of equals, those that run so already, so that nothing is
    switched for nothing; then by feeder and profile."""
    densities: dict[tuple[int, int], Fraction] = {}
    keyed = []
    for group in groups:
        for step in envelope(group.modes, market):
            ratio = (step.earnings, step.power_w)
            density = densities.setdefault(ratio, Fraction(*ratio))
            keep = _running_at(group, step.after.power_w)
            for new, count in enumerate((keep, group.size - keep)):
                if count:
                    keyed.append(((-density, new, group.key), Offer(group, step, count, density)))
    keyed.sort(key=lambda pair: pair[0])
    return [offer for _, offer in keyed]


def _running_at(group: Group, power_w: int) -> int:
    powers = {mode.name: mode.power_w for mode in group.modes}
    return sum(n for name, n in group.running.items() if powers.get(name, -1) >= power_w)


def _relax(offers: Sequence[Offer], capacity: Capacity, floor: int) -> Relaxation:
    left = capacity.copy()
    earnings = Fraction(floor)
    waiting: list[Offer] = []
    for offer in offers:
        feeder_id = offer.group.feeder_id
        wanted_w = offer.count * offer.step.power_w
        taken_w = min(wanted_w, left.left_w(feeder_id))
        left.use(feeder_id, taken_w)
        earnings += taken_w * offer.density
        if taken_w < wanted_w:
            waiting.append(offer)
    return Relaxation(earnings, *_duals(waiting, left))


def _duals(waiting: Sequence[Offer], left: Capacity) -> tuple[Fraction, dict[str, Fraction]]:
    """One more watt at the site goes to the best step waiting on a feeder with room; one more on a
    full feeder is worth what the best step waiting there earns above that."""
    nothing = Fraction(0)
    site = nothing
    if left.site_w <= 0:
        roomy = [o.density for o in waiting if left.feeders_w[o.group.feeder_id] > 0]
        site = max(roomy, default=nothing)
    feeders = {}
    for feeder_id, left_w in left.feeders_w.items():
        best = max((o.density for o in waiting if o.group.feeder_id == feeder_id), default=nothing)
        feeders[feeder_id] = max(nothing, best - site) if left_w <= 0 else nothing
    return site, feeders


def _take_whole_steps(
    offers: Sequence[Offer], left: Capacity, counts: dict[GroupKey, dict[Mode, int]]
) -> None:
    for offer in offers:
        group, step = offer.group, offer.step
        modes = counts[group.key]
        ready = modes.get(step.before, 0)
        taken = min(offer.count, ready, left.left_w(group.feeder_id) // step.power_w)
        if taken:
            _move(modes, step, taken)
            left.use(group.feeder_id, taken * step.power_w)


def _fill(
    groups: Sequence[Group],
    market: Market,
    left: Capacity,
    counts: dict[GroupKey, dict[Mode, int]],
) -> None:
    """Each round takes the change of mode that earns most in all. Where the rounds end before the
    gains do, the plan is as valid, and the bound still says what it left."""
    for _ in range(_MOST_FILLS):
        best: tuple[int, Group, Step, int] | None = None
        for group in groups:
            for step, count in _further(group, market, left, counts[group.key]):
                gain = step.earnings * count
                if best is None or gain > best[0]:
                    best = (gain, group, step, count)
        if best is None:
            return
        _, group, step, count = best
        _move(counts[group.key], step, count)
        left.use(group.feeder_id, count * step.power_w)


def _further(
    group: Group, market: Market, left: Capacity, modes: Mapping[Mode, int]
) -> Iterator[tuple[Step, int]]:
    room_w = left.left_w(group.feeder_id)
    for before, ready in modes.items():
        for after in group.modes:
            power_w = after.power_w - before.power_w
            earnings = market.earnings(after) - market.earnings(before)
            if ready and earnings > 0 and power_w <= room_w:
                count = ready if power_w <= 0 else min(ready, room_w // power_w)
                yield Step(before, after, power_w, earnings), count


def _move(modes: dict[Mode, int], step: Step, count: int) -> None:
    modes[step.before] -= count
    if not modes[step.before]:
        del modes[step.before]
    modes[step.after] = modes.get(step.after, 0) + count
