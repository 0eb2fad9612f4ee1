"""The greedy against HiGHS, an independent solver of linear programs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from random import Random

import highspy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.optimization.merit_order import (
    SCALE,
    Capacity,
    Group,
    Market,
    Solution,
    envelope,
    solve,
)
from streams.optimization.profiles import Mode

S21 = (Mode("off", 0, 0), Mode("eco", 2_400, 150), Mode("normal", 3_500, 200))
S19 = (Mode("off", 0, 0), Mode("normal", 3_250, 110))
CALM = Market(power_price=40_000_000, hashprice=38_200_000)
FEEDERS = ("a", "b", "c")

modes = st.lists(st.tuples(st.integers(1, 5_000), st.integers(0, 300)), min_size=1, max_size=4).map(
    lambda rows: (Mode("off", 0, 0), *(Mode(f"m{i}", w, h) for i, (w, h) in enumerate(rows)))
)
markets = st.builds(
    Market,
    power_price=st.integers(-500_000_000, 5_000_000_000),
    hashprice=st.integers(0, 200_000_000),
)
capacities = st.builds(
    Capacity,
    site_w=st.integers(-1_000, 60_000),
    feeders_w=st.fixed_dictionaries({name: st.integers(-1_000, 30_000) for name in FEEDERS}),
)


@st.composite
def sites(draw: st.DrawFn) -> list[Group]:
    kinds = draw(st.lists(modes, min_size=1, max_size=3))
    groups = []
    for feeder_id, (number, kind) in product(FEEDERS, enumerate(kinds)):
        running = {mode.name: draw(st.integers(0, 3)) for mode in kind}
        if sum(running.values()):
            groups.append(Group((feeder_id, f"k{number}"), kind, running))
    return groups or [Group((FEEDERS[0], "k0"), kinds[0], {"off": 1})]


@settings(max_examples=300)
@given(sites(), markets, capacities)
def test_the_bound_is_the_optimum_that_highs_finds(
    groups: list[Group], market: Market, capacity: Capacity
) -> None:
    bound = float(solve(groups, market, capacity).relaxation.earnings / SCALE)
    optimum = highs_optimum(groups, market, capacity)
    assert bound == pytest.approx(optimum, rel=1e-6, abs=1e-3)


@settings(max_examples=300)
@given(sites(), markets, capacities)
def test_a_plan_fits_every_limit_and_never_earns_more_than_the_bound(
    groups: list[Group], market: Market, capacity: Capacity
) -> None:
    solution = solve(groups, market, capacity)
    used = {name: used_w(solution, name) for name in FEEDERS}
    for group in groups:
        assert sum(solution.counts[group.key].values()) == group.size
        assert all(count > 0 for count in solution.counts[group.key].values())
    for name, used_here_w in used.items():
        assert used_here_w <= max(0, capacity.feeders_w[name])
    assert sum(used.values()) <= max(0, capacity.site_w)
    assert 0 <= solution.earnings <= solution.relaxation.earnings


@settings(max_examples=300)
@given(sites(), markets, capacities)
def test_shadow_prices_prove_the_bound(
    groups: list[Group], market: Market, capacity: Capacity
) -> None:
    """Weak duality: these prices give an upper bound, and it is the very same number."""
    relaxation = solve(groups, market, capacity).relaxation
    certified = relaxation.site_price * max(0, capacity.site_w)
    for name, price in relaxation.feeder_prices.items():
        certified += price * max(0, capacity.feeders_w[name])
    for group in groups:
        price = relaxation.site_price + relaxation.feeder_prices[group.feeder_id]
        best = max(market.earnings(mode) - price * mode.power_w for mode in group.modes)
        certified += group.size * best
    assert relaxation.site_price >= 0
    assert min(relaxation.feeder_prices.values()) >= 0
    assert certified == relaxation.earnings


@settings(max_examples=100)
@given(sites(), markets, capacities, st.randoms(use_true_random=False))
def test_the_order_of_groups_decides_nothing(
    groups: list[Group], market: Market, capacity: Capacity, random: Random
) -> None:
    shuffled = list(groups)
    random.shuffle(shuffled)
    assert solve(shuffled, market, capacity) == solve(groups, market, capacity)


@settings(max_examples=100)
@given(st.lists(modes, min_size=1, max_size=2), markets, st.integers(0, 12_000))
def test_small_sites_are_close_to_the_best_of_all_plans(
    kinds: list[tuple[Mode, ...]], market: Market, cap_w: int
) -> None:
    """The gap to the true optimum is at most one step, as for any such knapsack."""
    groups = [Group(("a", f"k{i}"), kind, {"off": 2}) for i, kind in enumerate(kinds)]
    solution = solve(groups, market, Capacity(cap_w, {"a": cap_w}))
    units = [group.modes for group in groups for _ in range(2)]
    best = max(
        sum(market.earnings(mode) for mode in chosen)
        for chosen in product(*units)
        if sum(mode.power_w for mode in chosen) <= cap_w
    )
    steps = [step.earnings for kind in kinds for step in envelope(kind, market)]
    assert solution.earnings <= best <= solution.relaxation.earnings
    assert best - solution.earnings <= max(steps, default=0)


def test_an_asic_breaks_even_where_its_hashes_pay_its_power() -> None:
    """S21 at $38.2/PH/day: 200 TH/s earn $7.64 a day, 3.5 kW draw 84 kWh: $90.952/MWh."""
    s21 = (Mode("off", 0, 0), Mode("normal", 3_500, 200))
    below = Market(power_price=90_952_380, hashprice=38_200_000)
    above = Market(power_price=90_952_381, hashprice=38_200_000)
    exact = Market(power_price=3_000_000 * 40, hashprice=40 * 3 * 420_000)
    group = Group(("a", "s21"), s21, {"off": 1})
    room = Capacity(10_000, {"a": 10_000})
    assert [m.name for m in solve([group], below, room).counts["a", "s21"]] == ["normal"]
    assert [m.name for m in solve([group], above, room).counts["a", "s21"]] == ["off"]
    assert exact.earnings(s21[1]) == 0
    assert [m.name for m in solve([group], exact, room).counts["a", "s21"]] == ["off"]


def test_less_room_first_costs_the_least_efficient_mining() -> None:
    groups = [Group(("a", "s19"), S19, {"normal": 2}), Group(("a", "s21"), S21, {"normal": 2})]
    counts = solve(groups, CALM, Capacity(7_000, {"a": 7_000})).counts
    assert counts["a", "s19"] == {S19[0]: 2}
    assert counts["a", "s21"] == {S21[2]: 2}


def test_what_runs_is_kept_where_nothing_is_gained() -> None:
    groups = [
        Group(("a", "s21"), S21, {"off": 1}),
        Group(("b", "s21"), S21, {"normal": 1}),
    ]
    counts = solve(groups, CALM, Capacity(3_500, {"a": 3_500, "b": 3_500})).counts
    assert counts == {("a", "s21"): {S21[0]: 1}, ("b", "s21"): {S21[2]: 1}}


def test_power_left_over_is_filled_with_a_mode_off_the_envelope() -> None:
    kind = (Mode("off", 0, 0), Mode("small", 1_000, 10), Mode("big", 3_000, 300))
    assert [step.after.name for step in envelope(kind, CALM)] == ["big"]
    free = Market(power_price=0, hashprice=38_200_000)
    solution = solve([Group(("a", "k"), kind, {"off": 2})], free, Capacity(4_500, {"a": 4_500}))
    assert solution.counts["a", "k"] == {kind[2]: 1, kind[1]: 1}


def test_a_full_site_prices_its_next_megawatt_hour_at_the_best_mining_that_waits() -> None:
    groups = [Group(("a", "s21"), S21[::2], {"off": 2}), Group(("b", "s19"), S19, {"off": 2})]
    market = Market(power_price=0, hashprice=24_000_000)
    tight_feeder = solve(groups, market, Capacity(20_000, {"a": 3_500, "b": 20_000})).relaxation
    assert tight_feeder.site_price == 0
    assert tight_feeder.feeder_prices == {"a": usd(Fraction(200 * 1_000, 3_500)), "b": 0}
    tight_site = solve(groups, market, Capacity(7_000, {"a": 20_000, "b": 20_000})).relaxation
    assert tight_site.site_price == usd(Fraction(110 * 1_000, 3_250))
    assert tight_site.feeder_prices == {"a": 0, "b": 0}


def test_ten_thousand_asics_of_two_models_on_four_feeders_are_quick() -> None:
    groups = [
        Group((f"f{number}", name), kind, {"off": 1_250})
        for number in range(4)
        for name, kind in (("s19", S19), ("s21", S21))
    ]
    capacity = Capacity(25_000_000, {f"f{number}": 7_000_000 for number in range(4)})
    started = time.perf_counter()
    solve(groups, CALM, capacity)
    assert time.perf_counter() - started < 1


def usd(per_mwh: Fraction) -> Fraction:
    """$/MWh in SCALEths of a micro-dollar an hour for a watt."""
    return per_mwh * SCALE


def used_w(solution: Solution, feeder_id: str) -> int:
    return sum(
        mode.power_w * count
        for key, counts in solution.counts.items()
        for mode, count in counts.items()
        if key[0] == feeder_id
    )


def highs_optimum(groups: Sequence[Group], market: Market, capacity: Capacity) -> float:
    """Shares of each group in each mode, in micro-dollars an hour: written down independently."""
    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    solver.setOptionValue("output_flag", False)
    site: list[tuple[int, float]] = []
    feeders: dict[str, list[tuple[int, float]]] = {name: [] for name in capacity.feeders_w}
    column = 0
    infinity = highspy.kHighsInf
    for group in groups:
        indices = []
        for mode in group.modes:
            revenue = mode.hashrate_ths * market.hashprice / 24_000
            cost = mode.power_w * market.power_price / 1_000_000
            solver.addVar(0, infinity)
            solver.changeColCost(column, -(revenue - cost))
            site.append((column, mode.power_w))
            feeders[group.feeder_id].append((column, mode.power_w))
            indices.append(column)
            column += 1
        solver.addRow(group.size, group.size, len(indices), indices, [1.0] * len(indices))
    for row, cap_w in (
        (site, capacity.site_w),
        *((feeders[name], cap_w) for name, cap_w in capacity.feeders_w.items()),
    ):
        columns, powers = [c for c, _ in row], [p for _, p in row]
        solver.addRow(-infinity, max(0, cap_w), len(row), columns, powers)
    solver.run()
    assert solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
    return -float(solver.getObjectiveValue())
