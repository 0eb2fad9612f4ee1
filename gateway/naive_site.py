"""A site under a naive policy: its units, its limits, what draws power, what that comes to. Pure.

Amounts are sums of rates over time, exact in integers, and rounded once when they are asked for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from gateway.naive_queue import WHOLE_MILLI, Group, Live, Models, Unit
from gateway.price_series import PriceSeries
from gateway.site_hours import Configured, Curtailed, Outcome, UnitsChanged

W_MS_PER_MWH = 3_600_000 * 1_000_000
TH_MS_PER_PH_DAY = 1000 * 86_400_000  # TH/s for a millisecond, in one PH/s for a day
GPU_MILLI_MS_PER_GPU_HOUR = 1000 * 3_600_000
MAX_KNOWN_MIXES = 10_000

Mix = tuple[int, int]  # power of mining, and its hashrate
AsicKind = tuple[str, int, int]  # feeder, W, TH/s


class NaiveSite:
    def __init__(self, start_ms: int, *, mines_first: bool) -> None:
        self.now = start_ms
        self.list_prices: Mapping[str, int] = {}
        self.limits_changed = True
        self._power_changed = True
        self._mines_first = mines_first
        self._mining_on = True
        self._site_cap_w = self._cap_w = 0
        self._curtailed_w: int | None = None
        self._feeder_caps_w: dict[str, int] = {}
        self._groups: dict[tuple[str, str, int], Group] = {}
        self._of_model: dict[str, list[Group]] = {}
        self._counts: dict[str, int] = {}  # GPUs by model
        self._shared: dict[str, dict[int, dict[Unit, None]]] = {}  # by model, by what is free
        self._asics: dict[AsicKind, int] = {}
        self._ai_w: dict[str, int] = {}
        self._mining_w: dict[str, int] = {}
        self._room_w: dict[str, int] = {}  # that AI may still take, by feeder, and of the site:
        self._left_w = 0
        self._ai_total_w = self._mining_total_w = self._mining_ths = 0
        self._mixes: dict[tuple[int, ...], tuple[dict[str, int], Mix]] = {}
        self._ai_rate = self._passed_mw = self._adder_rate = 0
        self._version = 0
        self._rooms: dict[Models, tuple[int, int]] = {}
        self._power_prices = self._hash_prices = PriceSeries([])
        self._accounted, self._price_mark, self._hash_mark = start_ms, 0, 0
        self.forget_money()

    def price_by(self, power_prices: PriceSeries, hash_prices: PriceSeries) -> None:
        """From now on."""
        self._power_prices, self._hash_prices = power_prices, hash_prices
        self._price_mark = power_prices.integral(self._accounted)
        self._hash_mark = hash_prices.integral(self._accounted)

    def outcome(self) -> Outcome:
        """Since the start, or since `forget_money`."""
        return Outcome(
            ai_revenue=_divide(self._ai_numerator, GPU_MILLI_MS_PER_GPU_HOUR)
            + _divide(self._energy_numerator, 1000 * W_MS_PER_MWH),
            mining_revenue=_divide(self._mining_numerator, TH_MS_PER_PH_DAY),
            power_cost=_divide(self._cost_numerator, W_MS_PER_MWH),
        )

    def forget_money(self) -> None:
        self._ai_numerator = self._energy_numerator = self._mining_numerator = 0
        self._cost_numerator = 0

    # what it has ---------------------------------------------------------------------------------

    def change_units(self, change: UnitsChanged) -> None:
        self.limits_changed = True
        if change.kind == "asic":
            kind = change.feeder_id, change.power_w, change.hashrate_ths
            self._asics[kind] = self._asics.get(kind, 0) + change.count
            return
        key = change.feeder_id, change.model, change.power_w
        if key not in self._groups:
            self._groups[key] = Group(*key)
            self._of_model.setdefault(change.model, []).append(self._groups[key])
        self._groups[key].free += change.count
        self._counts[change.model] = self._counts.get(change.model, 0) + change.count

    def configure(self, said: Configured) -> None:
        self._site_cap_w = said.power_cap_w
        self._feeder_caps_w = dict(said.feeder_caps_w)
        self.list_prices = said.list_prices
        self.limits_changed = True

    def curtail(self, said: Curtailed) -> None:
        self._curtailed_w = said.max_power_w
        self.limits_changed = True

    def let_mine(self, *, on: bool) -> None:
        self._mining_on = on
        self._mixes.clear()
        self._power_changed = True

    @property
    def models(self) -> frozenset[str]:
        return frozenset(model for model, count in self._counts.items() if count > 0)

    def set_limits(self) -> None:
        """As they are now; see `is_within_limits` for what is to be done about it."""
        levels = [] if self._curtailed_w is None else [self._curtailed_w]
        self._cap_w = min([self._site_cap_w, *levels])
        feeders = {group.feeder_id for group in self._groups.values()}
        for feeder_id in sorted(feeders | set(self._feeder_caps_w)):
            self._ai_w.setdefault(feeder_id, 0)
            self._feeder_caps_w.setdefault(feeder_id, 0)
        self._mixes.clear()
        self.limits_changed, self._power_changed = False, True
        self._version += 1
        if self._mines_first:
            self.mine()
        reserved = self._mining_w if self._mines_first else {}
        self._room_w = {
            feeder_id: self._feeder_caps_w[feeder_id] - reserved.get(feeder_id, 0) - ai_w
            for feeder_id, ai_w in self._ai_w.items()
        }
        self._left_w = self._cap_w - sum(reserved.values()) - self._ai_total_w

    def is_within_limits(self) -> bool:
        return self._left_w >= 0 and all(room_w >= 0 for room_w in self._room_w.values())

    # what fits ------------------------------------------------------------------------------------

    def room_milli(self, models: Models) -> int:
        """More than this certainly does not fit."""
        known = self._rooms.get(models)
        if known is not None and known[0] == self._version:
            return known[1]
        most = 0
        for model in models:
            whole = 0
            for group in self._of_model.get(model, ()):
                if group.free > 0:
                    room_w = min(self._room_w[group.feeder_id], self._left_w)
                    whole += max(0, min(group.free, room_w // group.power_w))
            if whole:
                most = max(most, whole * WHOLE_MILLI)
            elif self._shared.get(model):
                most = max(most, *self._shared[model])
        self._rooms[models] = self._version, most
        return most

    def whole(self, model: str, count: int) -> tuple[tuple[Group, int], ...]:
        """`count` GPUs without any job, over the feeders; none when they do not fit."""
        taken: list[tuple[Group, int]] = []
        left_w, used_w = self._left_w, defaultdict[str, int](int)
        for group in self._of_model.get(model, ()):
            if group.free <= 0:
                continue
            room_w = min(self._room_w[group.feeder_id] - used_w[group.feeder_id], left_w)
            fits = min(group.free, count, room_w // group.power_w)
            if fits > 0:
                taken.append((group, fits))
                used_w[group.feeder_id] += fits * group.power_w
                left_w -= fits * group.power_w
                count -= fits
                if not count:
                    return tuple(taken)
        return ()

    def share(self, model: str, milli: int) -> Unit | None:
        """The fullest shared GPU that still has room, else one more."""
        levels = self._shared.setdefault(model, {})
        level = min((free for free in levels if free >= milli), default=None)
        if level is not None:
            return next(iter(levels[level]))
        whole = self.whole(model, 1)
        return Unit(whole[0][0]) if whole else None

    # what runs ------------------------------------------------------------------------------------

    def start(self, live: Live) -> None:
        self.account()
        self._version += 1
        if live.shared is not None and live.shared.free_milli == WHOLE_MILLI:
            self._switch(live.shared.group, 1)
        for group, count in live.whole:
            self._switch(group, count)
        self.rate(live, 1)

    def stop(self, live: Live) -> None:
        self.account()
        self._version += 1
        self.rate(live, -1)
        if live.shared is not None and live.shared.free_milli == WHOLE_MILLI:
            self._switch(live.shared.group, -1)
        for group, count in live.whole:
            self._switch(group, -count)

    def rate(self, live: Live, sign: int) -> None:
        """Its price and energy into what is earned by the millisecond, or out of it."""
        job = live.job
        self._ai_rate += sign * job.gpu_milli * job.gpu_count * live.price
        if live.shared is not None:
            self._change_share(live.shared, live.energy_adder, sign * job.gpu_milli)
        elif live.energy_adder is not None:
            power_mw = sum(count * group.power_w for group, count in live.whole) * 1000
            self._passed_mw += sign * power_mw
            self._adder_rate += sign * power_mw * live.energy_adder

    def _switch(self, group: Group, count: int) -> None:
        """On, or off where count is negative."""
        power_w = count * group.power_w
        group.free -= count
        self._ai_w[group.feeder_id] += power_w
        self._room_w[group.feeder_id] -= power_w
        self._left_w -= power_w
        self._ai_total_w += power_w
        self._power_changed = not self._mines_first

    def _change_share(self, unit: Unit, adder: int | None, milli: int) -> None:
        """A GPU's energy is shared by those on it, by their parts of it, as metering does."""
        levels = self._shared.setdefault(unit.group.model, {})
        self._pass_through(unit, -1)
        if unit.free_milli < WHOLE_MILLI:
            del levels[unit.free_milli][unit]
            if not levels[unit.free_milli]:
                del levels[unit.free_milli]
        unit.free_milli -= milli
        unit.shares[adder] = unit.shares.get(adder, 0) + milli
        if unit.free_milli < WHOLE_MILLI:
            levels.setdefault(unit.free_milli, {})[unit] = None
        self._pass_through(unit, 1)

    def _pass_through(self, unit: Unit, sign: int) -> None:
        used = WHOLE_MILLI - unit.free_milli
        if not used:
            return
        power_mw = unit.group.power_w * 1000
        for adder, milli in unit.shares.items():
            if adder is not None:
                share_mw = power_mw * milli // used
                self._passed_mw += sign * share_mw
                self._adder_rate += sign * share_mw * adder

    # power ----------------------------------------------------------------------------------------

    def account(self) -> None:
        """Whatever changes a rate calls this first."""
        now, passed_ms = self.now, self.now - self._accounted
        if not passed_ms:
            return
        price = self._power_prices.integral(now)
        price_ms, self._price_mark = price - self._price_mark, price
        self._cost_numerator += (self._ai_total_w + self._mining_total_w) * price_ms
        self._energy_numerator += self._passed_mw * price_ms + self._adder_rate * passed_ms
        self._ai_numerator += self._ai_rate * passed_ms
        hashes = self._hash_prices.integral(now)
        self._mining_numerator += self._mining_ths * (hashes - self._hash_mark)
        self._hash_mark, self._accounted = hashes, now

    def mine(self) -> None:
        """As many ASICs as fit, the most efficient first."""
        if not self._power_changed:
            return
        self._power_changed = False
        used = () if self._mines_first else tuple(self._ai_w.values())
        known = self._mixes.get(used)
        if known is None:
            if len(self._mixes) >= MAX_KNOWN_MIXES:
                self._mixes.clear()
            known = self._mixes[used] = self._mix()
        if known[1] != (self._mining_total_w, self._mining_ths):
            self.account()
        self._mining_w, (self._mining_total_w, self._mining_ths) = known

    def _mix(self) -> tuple[dict[str, int], Mix]:
        ai_w = {} if self._mines_first else self._ai_w
        room = {feeder: cap - ai_w.get(feeder, 0) for feeder, cap in self._feeder_caps_w.items()}
        left = self._cap_w - sum(ai_w.values())
        by_feeder = dict.fromkeys(room, 0)
        total_w = total_ths = 0
        for feeder_id, power_w, hashrate_ths in sorted(self._asics, key=_by_efficiency):
            if not self._mining_on:
                break
            fits = min(room.get(feeder_id, 0), left) // power_w
            count = max(0, min(self._asics[feeder_id, power_w, hashrate_ths], fits))
            if count:
                room[feeder_id] -= count * power_w
                left -= count * power_w
                by_feeder[feeder_id] += count * power_w
                total_w += count * power_w
                total_ths += count * hashrate_ths
        return by_feeder, (total_w, total_ths)


def _by_efficiency(kind: AsicKind) -> tuple[int, str]:
    feeder_id, power_w, hashrate_ths = kind
    return power_w * 10**9 // hashrate_ths, feeder_id


def _divide(numerator: int, denominator: int) -> int:
    """Rounded half up, once, at the end."""
    return (2 * numerator + denominator) // (2 * denominator)
