"""A site's situation into a plan, and whether that plan is worth proposing."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal
from fractions import Fraction

from schemas.events.sites import FeederHeadroom, PlanAssignment, PowerPlanProposed
from streams.optimization.merit_order import (
    SCALE,
    Capacity,
    Group,
    GroupKey,
    Market,
    Solution,
    solve,
)
from streams.optimization.profiles import Mode, modes_of
from streams.optimization.state import Basis, State

POLICY_VERSION = "merit-order-4"
_MICROS = 1_000_000


def plan(state: State, basis: Basis, trigger: str) -> PowerPlanProposed | None:
    """None when what runs already, or was proposed last, is this plan or earns no less."""
    members = _members(state)
    if not members or state.now is None:
        return None
    groups = [_group(state, key, unit_ids) for key, unit_ids in members.items()]
    market = Market(basis.power_price, basis.hashprice)
    capacity = _capacity(state, basis)
    solution = solve(groups, market, capacity)
    modes = {
        unit_id: mode
        for key, unit_ids in members.items()
        for unit_id, mode in _assign(state, unit_ids, solution.counts[key])
    }
    assignments = _assignments(modes)
    if state.outstanding is not None:
        if digest_of(assignments) == state.outstanding:
            return None
    elif _earns_nothing_more(groups, market, capacity, solution):
        return None
    return PowerPlanProposed(
        site_id=state.site_id,
        at=state.now,
        plan_id=f"{state.site_id}/plan/{state.plans + 1}",
        policy_version=POLICY_VERSION,
        trigger=trigger,
        assignments=assignments,
        headroom=_headroom(state, basis, solution),
        site_shadow_price_usd_per_mwh=_usd_per_mwh(solution.relaxation.site_price),
        value_usd_micros_per_hour=solution.earnings // SCALE,
        bound_usd_micros_per_hour=-(-solution.relaxation.earnings // SCALE),
    )


def digest_of(assignments: Iterable[PlanAssignment]) -> str:
    text = "\n".join(f"{part.mode}:{','.join(part.unit_ids)}" for part in assignments)
    return hashlib.sha256(text.encode()).hexdigest()


def _members(state: State) -> dict[GroupKey, list[str]]:
    """Usable ASICs by feeder and profile, in ascending order."""
    found: dict[GroupKey, list[str]] = {}
    for unit_id, asic in state.asics.items():
        if asic.usable and asic.feeder_id in state.feeder_caps_w:
            found.setdefault((asic.feeder_id, asic.profile), []).append(unit_id)
    return {key: sorted(found[key]) for key in sorted(found)}


def _group(state: State, key: GroupKey, unit_ids: list[str]) -> Group:
    running = Counter(state.asics[unit_id].mode for unit_id in unit_ids)
    return Group(key, modes_of(key[1]), running)


def _capacity(state: State, basis: Basis) -> Capacity:
    """What the limits leave beside the AI that computes now."""
    ai_w = dict.fromkeys(state.feeder_caps_w, 0)
    total_w = 0
    for unit_id, gpu in state.gpus.items():
        total_w += gpu.power_w
        feeder_id = state.gpu_feeders.get(unit_id)
        if feeder_id in ai_w:
            ai_w[feeder_id] += gpu.power_w
    feeders_w = {name: cap_w - ai_w[name] for name, cap_w in sorted(state.feeder_caps_w.items())}
    return Capacity(_limit_w(state, basis) - total_w, feeders_w)


def _limit_w(state: State, basis: Basis) -> int:
    cap_w = state.power_cap_w or 0
    return cap_w if basis.curtailed_w is None else min(cap_w, basis.curtailed_w)


def _assign(
    state: State, unit_ids: list[str], counts: dict[Mode, int]
) -> Iterator[tuple[str, Mode]]:
    """Who keeps its mode may; the others fill what is left, the most power first, by id."""
    by_name = {mode.name: mode for mode in counts}
    left = dict(counts)
    movers = []
    for unit_id in unit_ids:
        mode = by_name.get(state.asics[unit_id].mode)
        if mode is not None and left[mode]:
            left[mode] -= 1
            yield unit_id, mode
        else:
            movers.append(unit_id)
    places = (mode for mode in sorted(left, key=_most_power) for _ in range(left[mode]))
    yield from zip(movers, places, strict=True)


def _most_power(mode: Mode) -> tuple[int, str]:
    return -mode.power_w, mode.name


def _assignments(modes: dict[str, Mode]) -> tuple[PlanAssignment, ...]:
    units: dict[str, list[str]] = {}
    for unit_id in sorted(modes):
        units.setdefault(modes[unit_id].name, []).append(unit_id)
    return tuple(PlanAssignment(mode=name, unit_ids=tuple(units[name])) for name in sorted(units))


def _earns_nothing_more(
    groups: list[Group], market: Market, capacity: Capacity, solution: Solution
) -> bool:
    """Also when the plan is what runs: then it earns the same."""
    running = _earnings_now(groups, market, capacity)
    return running is not None and running >= solution.earnings


def _earnings_now(groups: list[Group], market: Market, capacity: Capacity) -> int | None:
    """What runs earns; None when it does not fit the limits or runs a mode it no longer has."""
    earnings = 0
    left = capacity.copy()
    for group in groups:
        by_name = {mode.name: mode for mode in group.modes}
        for name, count in group.running.items():
            if name not in by_name:
                return None
            earnings += market.earnings(by_name[name]) * count
            left.use(group.feeder_id, by_name[name].power_w * count)
    fits = left.site_w >= 0 and min(left.feeders_w.values(), default=0) >= 0
    return earnings if fits else None


def _headroom(state: State, basis: Basis, solution: Solution) -> tuple[FeederHeadroom, ...]:
    """Under the feeder's cap, and never more than the site's limit leaves."""
    mining_w = dict.fromkeys(state.feeder_caps_w, 0)
    for (feeder_id, _), modes in solution.counts.items():
        mining_w[feeder_id] += sum(mode.power_w * count for mode, count in modes.items())
    site_w = _limit_w(state, basis) - sum(mining_w.values())
    return tuple(
        FeederHeadroom(
            feeder_id=feeder_id,
            ai_headroom_w=max(0, min(cap_w - mining_w[feeder_id], site_w)),
            shadow_price_usd_per_mwh=_usd_per_mwh(solution.relaxation.feeder_prices[feeder_id]),
        )
        for feeder_id, cap_w in sorted(state.feeder_caps_w.items())
    )


def _usd_per_mwh(density: Fraction) -> Decimal:
    """From SCALEths of a micro-dollar an hour for a watt, which is as many dollars a MWh; rounded
    down to the micro-dollar."""
    return Decimal(density * _MICROS // SCALE).scaleb(-6)
