"""Small cases worked out by hand. Prices in whole dollars, times in hours."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import pytest

from gateway.naive_policies import NaiveRun
from gateway.price_series import PriceSeries
from gateway.site_hours import (
    POLICIES,
    Configured,
    Curtailed,
    Fact,
    Job,
    JobEnded,
    Outcome,
    Policy,
    SiteHours,
    Terms,
    TermsBook,
    UnitsChanged,
    timed,
)

USD = 1_000_000
HOUR = 3_600_000
FREE_ENERGY = Terms(energy_adder=None)
S21 = UnitsChanged(feeder_id="f", kind="asic", model="S21", power_w=3500, hashrate_ths=200, count=2)
H100 = UnitsChanged(feeder_id="f", kind="gpu", model="H100", power_w=700, hashrate_ths=0, count=4)
A100 = UnitsChanged(feeder_id="f", kind="gpu", model="A100", power_w=400, hashrate_ths=0, count=1)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One feeder of 10 kW, two S21 of 3.5 kW, four H100 of 0.7 kW; $50/MWh, $48/PH/day; 4 hours.

    An H100 costs $2 an hour, an A100 $1; what a customer pays for energy is in `terms`.
    """

    hours: int = 4
    power_cap_w: int = 10_000
    feeder_cap_w: int = 10_000
    units: tuple[UnitsChanged, ...] = (S21, H100)
    prices: Mapping[int, int] = field(default_factory=lambda: {0: 50})
    jobs: tuple[tuple[int, Job], ...] = ()
    later: tuple[tuple[int, Fact], ...] = ()
    terms: TermsBook = field(default_factory=lambda: paying(FREE_ENERGY))

    def configured(self, **changes: object) -> Configured:
        plain = Configured(
            power_cap_w=self.power_cap_w,
            feeder_caps_w={"f": self.feeder_cap_w},
            list_prices={"H100": 2 * USD, "A100": USD},
        )
        return replace(plain, **changes)  # type: ignore[arg-type]

    def parts(self, size: int) -> list[SiteHours]:
        """In parts of `size` hours."""
        facts = timed(
            [
                (0, self.configured()),
                *((0, change) for change in self.units),
                *self.later,
                *self.terms.changes(),
                *self.jobs,
            ]
        )
        return [
            SiteHours(
                end_ms=end * HOUR,
                facts=[fact for fact in facts if (end - size) * HOUR <= fact[0] < end * HOUR],
                power_prices=PriceSeries((at * HOUR, usd * USD) for at, usd in self.prices.items()),
                hash_prices=PriceSeries([(0, 48 * USD)]),
                terms=self.terms,
            )
            for end in range(size, self.hours + 1, size)
        ]


def paying(*terms: Terms) -> TermsBook:
    """Customers c0, c1, ... each on other terms."""
    return TermsBook({f"c{index}": ((0, one),) for index, one in enumerate(terms)})


def simulate(case: Case, policy: Policy) -> Outcome:
    """At once, and hour by hour: it must not matter."""
    at_once, by_the_hour = NaiveRun(policy, 0), NaiveRun(policy, 0)
    for part in case.parts(case.hours):
        at_once.advance(part)
    for part in case.parts(1):
        by_the_hour.advance(part)
    assert at_once.outcome() == by_the_hour.outcome()
    return at_once.outcome()


def job(
    name: str, *, at: float = 0, hours: float = 1, gpus: int = 1, **changes: object
) -> tuple[int, Job]:
    plain = Job(
        workload_id=name,
        customer_id="c0",
        gpu_model="H100",
        gpu_count=gpus,
        gpu_milli=1000,
        duration_ms=int(hours * HOUR),
    )
    return int(at * HOUR), replace(plain, **changes)  # type: ignore[arg-type]


def test_two_asics_mine_for_four_hours() -> None:
    # 0.4 PH/s for a sixth of a day at $48; 7 kW for 4 h at $50/MWh
    outcome = simulate(Case(), "ai_first")
    assert outcome == Outcome(mining_revenue=3_200_000, power_cost=1_400_000)
    assert outcome.profit == 1_800_000


def test_ai_runs_beside_mining_while_both_fit() -> None:
    # 2 GPUs for 3 h at $2; energy of the GPUs 1.4 kW for 3 h at $50
    outcome = simulate(Case(jobs=(job("a", hours=3, gpus=2),)), "ai_first")
    assert outcome.ai_revenue == 12 * USD
    assert outcome.mining_revenue == 3_200_000
    assert outcome.power_cost == 1_400_000 + 210_000


@pytest.mark.parametrize(
    ("policy", "ai", "mining", "cost"),
    [
        # 8 kW: mining takes 7, so one GPU of 0.7 at a time: three jobs of 1 h run one after another
        ("always_mine", 6 * USD, 3_200_000, 1_400_000 + 3 * 35_000),
        # all three at once for an hour (2.1 kW) leave room for one ASIC in that hour
        ("ai_first", 6 * USD, 2_800_000, 1_225_000 + 3 * 35_000),
    ],
)
def test_who_gives_way_on_a_tight_feeder(policy: Policy, ai: int, mining: int, cost: int) -> None:
    tight = Case(feeder_cap_w=8000, jobs=(job("a"), job("b"), job("c")))
    assert simulate(tight, policy) == Outcome(ai_revenue=ai, mining_revenue=mining, power_cost=cost)


def test_always_mine_starves_ai_that_does_not_fit() -> None:
    starved = Case(power_cap_w=7000, jobs=(job("a", hours=4),))
    assert simulate(starved, "always_mine").ai_revenue == 0
    assert simulate(starved, "ai_first").ai_revenue == 8 * USD


def test_the_strike_rule_stops_mining_but_not_ai() -> None:
    # above $80 from the second hour: mining stops 10 minutes into it and never comes back
    dear = {0: 50, 1: 100}
    outcome = simulate(Case(prices=dear, jobs=(job("a", hours=4),)), "strike_2_up_4_down")
    assert outcome.ai_revenue == 8 * USD
    assert outcome.mining_revenue == 933_333  # 70 minutes of $0.80 an hour
    # ASICs: 7 kWh at $50, then 7 kW for 10 minutes at $100; GPU: 0.7 kWh at $50 and 2.1 at $100
    assert outcome.power_cost == 350_000 + 116_667 + 35_000 + 210_000


def test_energy_that_is_passed_through_is_earned_back_with_its_adder() -> None:
    # 0.7 kW for 2 h at $50 + $10
    passed = paying(Terms(energy_adder=10 * USD))
    case = Case(units=(H100,), jobs=(job("a", hours=2),), terms=passed)
    outcome = simulate(case, "ai_first")
    assert outcome.ai_revenue == 4 * USD + 84_000
    assert outcome.power_cost == 70_000


def test_a_shared_gpu_draws_its_power_once_and_its_energy_is_shared() -> None:
    # half of one GPU each; only b pays energy: half of 0.7 kW for 1 h at $50
    jobs = (job("a", gpu_milli=500), job("b", gpu_milli=500, customer_id="c1"))
    terms = paying(FREE_ENERGY, Terms(energy_adder=0))
    outcome = simulate(Case(units=(H100,), jobs=jobs, terms=terms), "ai_first")
    assert outcome.ai_revenue == 2 * USD + 17_500
    assert outcome.power_cost == 35_000


def test_what_fits_passes_what_does_not() -> None:
    jobs = (job("big", gpus=5), job("small"))
    assert simulate(Case(jobs=jobs), "ai_first").ai_revenue == 2 * USD


def test_a_job_waits_for_gpus_and_is_cut_at_the_end_of_the_hours() -> None:
    # four GPUs until hour 3, then four for the hour that is left
    jobs = (job("a", hours=3, gpus=4), job("b", hours=3, gpus=4))
    assert simulate(Case(jobs=jobs), "ai_first").ai_revenue == 32 * USD


def test_a_cancelled_job_leaves_when_its_customer_left() -> None:
    jobs = (job("a", hours=4), job("b", hours=1, gpus=4))
    left = ((HOUR // 2, JobEnded("b", None)), (HOUR, JobEnded("a", None)))
    assert simulate(Case(jobs=jobs, later=left), "ai_first").ai_revenue == 2 * USD


def test_a_job_runs_as_long_as_it_ran_under_hcp_once_that_is_known() -> None:
    jobs = (job("a", hours=3), job("b", hours=1), job("c", at=1, hours=1))
    # HCP is done with a after an hour and a half, which it ran for one hour; with c after the hours
    known = ((3 * HOUR // 2, JobEnded("a", HOUR)), (4 * HOUR - 1, JobEnded("c", HOUR // 2)))
    assert simulate(Case(jobs=jobs, later=known), "ai_first").ai_revenue == (3 + 2 + 2) * USD
    waiting = (job("first", gpus=4, hours=2), job("a", hours=2))
    told = ((HOUR, JobEnded("a", HOUR)),)
    assert simulate(Case(jobs=waiting, later=told), "ai_first").ai_revenue == (16 + 2) * USD


def test_a_curtailment_takes_mining_first_and_the_newest_job_when_it_must() -> None:
    # 1 kW in the second hour: both ASICs off and one of two GPUs; job b starts again afterwards
    jobs = (job("a", hours=4), job("b", hours=2))
    outcome = simulate(
        Case(jobs=jobs, later=((HOUR, Curtailed(1000)), (2 * HOUR, Curtailed(None)))), "ai_first"
    )
    assert outcome.mining_revenue == 2_400_000
    assert outcome.ai_revenue == 8 * USD + 2 * USD + 4 * USD
    assert outcome.power_cost == 1_050_000 + 140_000 + 105_000


def test_any_model_takes_the_dearest_that_fits() -> None:
    jobs = (job("a", gpu_model=None), job("b", gpu_model=None))
    units = (A100, replace(H100, count=1))
    assert simulate(Case(units=units, jobs=jobs), "ai_first").ai_revenue == 3 * USD


def test_nobody_pays_more_than_the_most_it_said() -> None:
    jobs = (job("a", gpu_model=None, max_price=3 * USD // 2), job("b", max_price=USD))
    # the list price falls in the third hour: then b starts too
    cheaper = Case().configured(list_prices={"H100": USD, "A100": USD})
    case = Case(units=(A100, H100), jobs=jobs, later=((2 * HOUR, cheaper),))
    assert simulate(case, "ai_first").ai_revenue == 2 * USD


def test_units_earn_from_their_registration_on() -> None:
    # two S21 more for the last hour, and two H100 that only then can run the job
    more = ((3 * HOUR, replace(S21, count=2)), (3 * HOUR, replace(H100, count=2)))
    case = Case(
        power_cap_w=20_000, feeder_cap_w=20_000, jobs=(job("a", gpus=6, hours=2),), later=more
    )
    outcome = simulate(case, "always_mine")
    assert outcome.mining_revenue == 3_200_000 + 800_000
    assert outcome.ai_revenue == 12 * USD


def test_units_that_leave_while_they_are_busy_finish_their_job() -> None:
    gone = ((HOUR, replace(H100, count=-4)),)
    jobs = (job("a", gpus=4, hours=2), job("b", at=2))
    assert simulate(Case(jobs=jobs, later=gone), "ai_first").ai_revenue == 16 * USD


def test_a_limit_counts_from_when_it_was_set() -> None:
    # 7 kW in the third hour: always mining leaves nothing for AI, which starts again afterwards
    lower, back = Case().configured(power_cap_w=7000), Case().configured()
    later = ((2 * HOUR, lower), (3 * HOUR, back))
    outcome = simulate(Case(jobs=(job("a", hours=3),), later=later), "always_mine")
    assert outcome.mining_revenue == 3_200_000
    assert outcome.ai_revenue == (2 + 1) * 2 * USD


def test_work_is_paid_by_the_contract_in_force_when_it_is_done() -> None:
    signed = Terms(prices={"*": 3 * USD}, energy_adder=0)
    terms = TermsBook({"c0": ((0, FREE_ENERGY), (HOUR, signed))})
    # an hour at the list price; two at $3, in which 0.7 kW is paid for too
    outcome = simulate(Case(jobs=(job("a", hours=3),), terms=terms), "ai_first")
    assert outcome.ai_revenue == 2 * USD + 6 * USD + 70_000


def test_a_quoted_list_price_stays_while_the_job_runs() -> None:
    dearer = Case().configured(list_prices={"H100": 4 * USD})
    case = Case(jobs=(job("a", hours=2), job("b", at=1)), later=((HOUR, dearer),))
    assert simulate(case, "ai_first").ai_revenue == (4 + 4) * USD


def test_negative_prices_pay_for_drawing_power() -> None:
    outcome = simulate(Case(prices={0: -10}), "always_mine")
    assert outcome.power_cost == -280_000


def test_money_counts_from_when_it_is_told_to() -> None:
    first, *others = Case(jobs=(job("a", hours=2),)).parts(1)
    run = NaiveRun("ai_first", 0)
    run.advance(first)
    run.forget_money()
    for part in others:
        run.advance(part)
    outcome = run.outcome()
    assert outcome.ai_revenue == 2 * USD
    assert outcome.mining_revenue == 2_400_000
    assert outcome.power_cost == 1_050_000 + 35_000


def test_three_months_of_a_thousand_jobs_a_day_are_fast() -> None:
    """The bar is the whole report under 10 s; this is its largest part, with room for a slow CI."""
    days, number = 90, 90_000
    case = Case(
        hours=24 * days,
        feeder_cap_w=12_000,
        prices={step: step * 37 % 200 for step in range(24 * days)},
        jobs=tuple(
            job(
                f"w{index:05}",
                at=index * 24 * days / number,
                gpus=1 + index % 3,
                gpu_milli=1000 if index % 3 else 250 + index % 40 * 10,
                hours=0.05 * (1 + index % 7),
            )
            for index in range(number)
        ),
    )
    parts = case.parts(24 * days)
    started = time.process_time()
    outcomes = simulate_all(0, parts)
    assert time.process_time() - started < 15
    assert all(outcome.ai_revenue > 0 for outcome in outcomes.values())


def simulate_all(start_ms: int, hours: Iterable[SiteHours]) -> dict[Policy, Outcome]:
    """Every policy over the same hours."""
    runs = {policy: NaiveRun(policy, start_ms) for policy in POLICIES}
    for part in hours:
        for run in runs.values():
            run.advance(part)
    return {policy: run.outcome() for policy, run in runs.items()}
