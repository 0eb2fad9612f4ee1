"""What the same hours would have earned under three naive policies. Pure: no I/O, no clock.

    always_mine         mining takes its power first, at any price; AI gets what is left
    ai_first            AI runs whenever it fits; ASICs take all power that is left, at any price
    strike_2_up_4_down  AI first; ASICs off and on by the strike rule (price_series.py)

They get the same units, limits, curtailments, prices, submissions and tariffs as HCP, and the same
energy accounting: a GPU draws its compute power while anything is placed on it, energy that is
passed through is paid for by the customer and by us. Where something had to be simplified it was in
their favour: switching takes no time, nothing ever fails, and every unit counts as healthy. They
serve submissions in order of arrival, and whatever fits may pass what does not. The hour in which
the site came up runs, as it did for HCP, but is not counted.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from gateway.price_series import strike_switches
from gateway.site_hours import POLICIES, Job, Outcome, Policy, SiteHours

W_MS_PER_MWH = 3_600_000 * 1_000_000
TH_MS_PER_PH_DAY = 1000 * 86_400_000  # TH/s for a millisecond, in one PH/s for a day
GPU_MILLI_MS_PER_GPU_HOUR = 1000 * 3_600_000


def simulate(site: SiteHours, policy: Policy) -> Outcome:
    return _Run(site, policy).outcome()


@dataclass(slots=True, eq=False)
class _Unit:
    """A GPU that carries something: its group and what is left of it."""

    group: int
    free_milli: int
    # Thousandths of it by what their customers add to the price of energy.
    shares: dict[int | None, int] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Placement:
    job: Job
    units: list[_Unit]
    price: int
    counts_from_ms: int
    number: int


Shape = tuple[tuple[str, ...], int, int]

# What happens at one moment happens in this order: room is made before it is used.
_COUNTS, _ENDS, _LIMITS, _STRIKES, _ARRIVES = range(5)


class _Run:
    """One policy on one site, from event to event; between two of them no power changes."""

    def __init__(self, site: SiteHours, policy: Policy) -> None:
        self.site = site
        self.mines_first = policy == "always_mine"
        self.now = site.start_ms
        self.mining_on = True
        self.cap_w = site.power_cap_w
        self.groups = site.gpus
        self.free = [group.count for group in site.gpus]
        self.ai_w = dict.fromkeys(site.feeder_caps_w, 0)
        self.mining_w = dict.fromkeys(site.feeder_caps_w, 0)
        self.ai_total_w = self.mining_total_w = self.mining_ths = 0
        self.open_units: list[_Unit] = []
        self.passed_mw = self.adder_mw = 0  # milliwatts passed through; times their adders
        self.asics = sorted(
            site.asics, key=lambda g: (g.power_w * 10**9 // g.hashrate_ths, g.feeder_id)
        )
        self.waiting: dict[Shape, deque[Job]] = {}
        # What must be looked at again after this moment's events: mining, the whole queue, or only
        # shapes that nobody waited with before.
        self.power_changed = self.room_made = True
        self.fresh: dict[Shape, None] = {}
        self.running: dict[int, _Placement] = {}
        self.ai_numerator = self.energy_numerator = self.mining_numerator = 0
        self.cost_numerator = 0
        self.events: list[tuple[int, int, int, Job | int | bool | None]] = []
        self.placed = 0
        self._schedule(policy)

    def outcome(self) -> Outcome:
        self._mine()
        self._set_limit()
        while self.events and self.events[0][0] < self.site.end_ms:
            moment = self.events[0][0]
            self._account_until(moment)
            while self.events and self.events[0][0] == moment:
                self._apply(heapq.heappop(self.events))
            self._place_all()
            if self.power_changed:
                self._mine()
        self._account_until(self.site.end_ms)
        for placement in self.running.values():
            self._bill(placement)
        return Outcome(
            ai_revenue=_divide(self.ai_numerator, GPU_MILLI_MS_PER_GPU_HOUR)
            + _divide(self.energy_numerator, 1000 * W_MS_PER_MWH),
            mining_revenue=_divide(self.mining_numerator, TH_MS_PER_PH_DAY),
            power_cost=_divide(self.cost_numerator, W_MS_PER_MWH),
        )

    def _schedule(self, policy: Policy) -> None:
        site = self.site
        self.events.append((site.counts_from_ms, _COUNTS, 0, None))
        number = 0
        for job in site.jobs:
            if job.prices and job.submitted_ms < site.end_ms:
                moment = max(job.submitted_ms, site.start_ms)
                self.events.append((moment, _ARRIVES, number, job))
                number += 1
        for start, end, _ in site.curtailments:
            for moment in (start, end):
                self.events.append((max(moment, site.start_ms), _LIMITS, number, None))
                number += 1
        if policy == "strike_2_up_4_down":
            for moment, on in strike_switches(site.power_prices, site.start_ms, site.end_ms):
                self.events.append((moment, _STRIKES, number, on))
                number += 1
        heapq.heapify(self.events)

    def _apply(self, event: tuple[int, int, int, Job | int | bool | None]) -> None:
        _, kind, _, what = event
        if kind == _COUNTS:
            self._count_from_here()
        elif kind == _ARRIVES:
            assert isinstance(what, Job)
            self._queue(what)
        elif kind == _ENDS:
            assert isinstance(what, int)
            if what in self.running:
                self._release(self.running.pop(what))
        elif kind == _STRIKES:
            assert isinstance(what, bool)
            self.mining_on = what
            self.power_changed = True
        else:
            self._set_limit()

    # power ----------------------------------------------------------------------------------------

    def _account_until(self, moment: int) -> None:
        if moment <= self.now:
            return
        prices, hashes = self.site.power_prices, self.site.hash_prices
        price_ms = prices.integral(moment) - prices.integral(self.now)
        self.cost_numerator += (self.ai_total_w + self.mining_total_w) * price_ms
        self.energy_numerator += self.passed_mw * price_ms + self.adder_mw * (moment - self.now)
        if self.mining_ths:
            hash_ms = hashes.integral(moment) - hashes.integral(self.now)
            self.mining_numerator += self.mining_ths * hash_ms
        self.now = moment

    def _mine(self) -> None:
        """As many ASICs as fit, the most efficient first."""
        self.power_changed = False
        ai_w, ai_total_w = self.ai_w, self.ai_total_w
        if self.mines_first:
            ai_w, ai_total_w = dict.fromkeys(ai_w, 0), 0
        room = {feeder: cap - ai_w[feeder] for feeder, cap in self.site.feeder_caps_w.items()}
        left = self.cap_w - ai_total_w
        self.mining_w = dict.fromkeys(room, 0)
        self.mining_total_w = self.mining_ths = 0
        for group in self.asics if self.mining_on else ():
            fits = min(room[group.feeder_id], left) // group.power_w
            count = max(0, min(group.count, fits))
            power_w = count * group.power_w
            room[group.feeder_id] -= power_w
            left -= power_w
            self.mining_w[group.feeder_id] += power_w
            self.mining_total_w += power_w
            self.mining_ths += count * group.hashrate_ths

    def _set_limit(self) -> None:
        """The site's limit now; AI above it goes back to the queue, the newest first."""
        now = self.now
        levels = [level for start, end, level in self.site.curtailments if start <= now < end]
        self.cap_w = min([self.site.power_cap_w, *levels])
        self.power_changed = self.room_made = True
        if self.mines_first:
            self._mine()
        while self.running and not self._within_limits():
            placement = self.running.pop(max(self.running))
            self._release(placement)
            self._queue(placement.job, ahead=True)

    def _within_limits(self) -> bool:
        reserved = self.mining_total_w if self.mines_first else 0
        return self.ai_total_w + reserved <= self.cap_w and all(
            self.ai_w[feeder] <= self._feeder_cap(feeder) for feeder in self.ai_w
        )

    # jobs -----------------------------------------------------------------------------------------

    def _queue(self, job: Job, *, ahead: bool = False) -> None:
        models = tuple(sorted(job.prices, key=lambda model: (-job.prices[model], model)))
        shape = models, job.gpu_count, job.gpu_milli
        line = self.waiting.setdefault(shape, deque())
        if not line:
            self.fresh[shape] = None
        if ahead:
            line.appendleft(job)
        else:
            line.append(job)

    def _place_all(self) -> None:
        """In order of arrival; when one does not fit, none of its shape does."""
        shapes = self.waiting if self.room_made else self.fresh
        heads = [(self.waiting[shape][0].order, shape) for shape in shapes]
        self.fresh, self.room_made = {}, False
        heapq.heapify(heads)
        while heads:
            _, shape = heapq.heappop(heads)
            line = self.waiting[shape]
            job = line[0]
            gone = job.leaves_ms is not None and job.leaves_ms <= self.now
            if not gone and not self._place(job, shape):
                continue
            line.popleft()
            if line:
                heapq.heappush(heads, (line[0].order, shape))
            else:
                del self.waiting[shape]

    def _place(self, job: Job, shape: Shape) -> bool:
        models, count, milli = shape
        for model in models:
            units = self._whole(model, count) if milli == 1000 else self._share(model, milli)
            if units is not None:
                self._start(job, units, milli, job.prices[model])
                return True
        return False

    def _whole(self, model: str, count: int) -> list[_Unit] | None:
        """`count` GPUs without any workload, over the feeders; None when they do not fit."""
        of_model = [index for index, group in enumerate(self.groups) if group.model == model]
        if sum(self.free[index] for index in of_model) < count:
            return None
        taken: list[tuple[int, int]] = []
        left_w = self.cap_w - self.ai_total_w - (self.mining_total_w if self.mines_first else 0)
        feeder_left = dict(self.ai_w)
        for index in of_model:
            group = self.groups[index]
            room = self._feeder_cap(group.feeder_id) - feeder_left[group.feeder_id]
            fits = min(self.free[index], count, min(room, left_w) // group.power_w)
            if fits > 0:
                taken.append((index, fits))
                feeder_left[group.feeder_id] += fits * group.power_w
                left_w -= fits * group.power_w
                count -= fits
        if count:
            return None
        return [self._switch_on(index) for index, fits in taken for _ in range(fits)]

    def _share(self, model: str, milli: int) -> list[_Unit] | None:
        """The fullest GPU that still has room, else one more."""
        fitting = [
            unit
            for unit in self.open_units
            if unit.free_milli >= milli and self.groups[unit.group].model == model
        ]
        if fitting:
            return [min(fitting, key=lambda unit: unit.free_milli)]
        units = self._whole(model, 1)
        if units is not None:
            self.open_units += units
        return units

    def _feeder_cap(self, feeder_id: str) -> int:
        mining_w = self.mining_w[feeder_id] if self.mines_first else 0
        return self.site.feeder_caps_w[feeder_id] - mining_w

    def _switch_on(self, index: int) -> _Unit:
        group = self.groups[index]
        self.free[index] -= 1
        self.ai_w[group.feeder_id] += group.power_w
        self.ai_total_w += group.power_w
        self.power_changed = True
        return _Unit(index, 1000)

    def _start(self, job: Job, units: list[_Unit], milli: int, price: int) -> None:
        self.placed += 1
        for unit in units:
            self._change_share(unit, job, milli)
        self.running[self.placed] = _Placement(job, units, price, self.now, self.placed)
        ends = self.now + job.duration_ms
        if job.leaves_ms is not None:
            ends = min(ends, job.leaves_ms)
        heapq.heappush(self.events, (ends, _ENDS, self.placed, self.placed))

    def _release(self, placement: _Placement) -> None:
        self._bill(placement)
        self.power_changed = self.room_made = True
        for unit in placement.units:
            self._change_share(unit, placement.job, -placement.job.gpu_milli)
            if unit.free_milli == 1000:
                group = self.groups[unit.group]
                self.free[unit.group] += 1
                self.ai_w[group.feeder_id] -= group.power_w
                self.ai_total_w -= group.power_w
                if placement.job.gpu_milli < 1000:
                    self.open_units.remove(unit)

    def _change_share(self, unit: _Unit, job: Job, milli: int) -> None:
        """A GPU's energy is shared by those on it, by their parts of it, as metering does."""
        self._pass_through(unit, -1)
        unit.free_milli -= milli
        adder = job.energy_adder_usd_micros_per_mwh
        unit.shares[adder] = unit.shares.get(adder, 0) + milli
        self._pass_through(unit, 1)

    def _pass_through(self, unit: _Unit, sign: int) -> None:
        used = 1000 - unit.free_milli
        if not used:
            return
        power_mw = self.groups[unit.group].power_w * 1000
        for adder, milli in unit.shares.items():
            if adder is not None:
                share_mw = power_mw * milli // used
                self.passed_mw += sign * share_mw
                self.adder_mw += sign * share_mw * adder

    def _count_from_here(self) -> None:
        self.ai_numerator = self.energy_numerator = self.mining_numerator = 0
        self.cost_numerator = 0
        for placement in self.running.values():
            placement.counts_from_ms = self.now

    def _bill(self, placement: _Placement) -> None:
        job = placement.job
        ran_ms = self.now - placement.counts_from_ms
        self.ai_numerator += job.gpu_milli * job.gpu_count * ran_ms * placement.price


def simulate_all(sites: Iterable[SiteHours]) -> dict[Policy, Outcome]:
    """Every policy over every site, added up."""
    total = dict.fromkeys(POLICIES, Outcome())
    for site in sites:
        for policy in POLICIES:
            total[policy] += simulate(site, policy)
    return total


def _divide(numerator: int, denominator: int) -> int:
    """Rounded half up, once, at the end."""
    return (2 * numerator + denominator) // (2 * denominator)
