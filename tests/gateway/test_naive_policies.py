"""Small cases worked out by hand. Prices in whole dollars, times in hours."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from gateway.naive_policies import simulate, simulate_all
from gateway.price_series import PriceSeries
from gateway.site_hours import AsicGroup, GpuGroup, Job, Outcome, Policy, SiteHours

USD = 1_000_000
HOUR = 3_600_000


def site(**changes: object) -> SiteHours:
    """One feeder of 10 kW, two S21 of 3.5 kW, four H100 of 0.7 kW; $50/MWh, $48/PH/day; 4 hours."""
    plain = SiteHours(
        start_ms=0,
        counts_from_ms=0,
        end_ms=4 * HOUR,
        power_cap_w=10_000,
        feeder_caps_w={"f": 10_000},
        asics=(AsicGroup(feeder_id="f", count=2, power_w=3500, hashrate_ths=200),),
        gpus=(GpuGroup(feeder_id="f", model="H100", count=4, power_w=700),),
        power_prices=PriceSeries([(0, 50 * USD)]),
        hash_prices=PriceSeries([(0, 48 * USD)]),
        jobs=(),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def job(name: str, *, at: int = 0, hours: int = 1, gpus: int = 1, **changes: object) -> Job:
    """$2 a GPU-hour; energy is not passed through."""
    plain = Job(
        workload_id=name,
        submitted_ms=at * HOUR,
        gpu_count=gpus,
        gpu_milli=1000,
        duration_ms=hours * HOUR,
        prices={"H100": 2 * USD},
        energy_adder_usd_micros_per_mwh=None,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def test_two_asics_mine_for_four_hours() -> None:
    # 0.4 PH/s for a sixth of a day at $48; 7 kW for 4 h at $50/MWh
    outcome = simulate(site(), "ai_first")
    assert outcome == Outcome(mining_revenue=3_200_000, power_cost=1_400_000)
    assert outcome.profit == 1_800_000


def test_ai_runs_beside_mining_while_both_fit() -> None:
    # 2 GPUs for 3 h at $2; energy of the GPUs 1.4 kW for 3 h at $50
    outcome = simulate(site(jobs=(job("a", hours=3, gpus=2),)), "ai_first")
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
    tight = site(feeder_caps_w={"f": 8000}, jobs=(job("a"), job("b"), job("c")))
    assert simulate(tight, policy) == Outcome(ai_revenue=ai, mining_revenue=mining, power_cost=cost)


def test_always_mine_starves_ai_that_does_not_fit() -> None:
    starved = site(power_cap_w=7000, jobs=(job("a", hours=4),))
    assert simulate(starved, "always_mine").ai_revenue == 0
    assert simulate(starved, "ai_first").ai_revenue == 8 * USD


def test_the_strike_rule_stops_mining_but_not_ai() -> None:
    # above $80 from the second hour: mining stops 10 minutes into it and never comes back
    dear = PriceSeries([(0, 50 * USD), (HOUR, 100 * USD)])
    outcome = simulate(site(power_prices=dear, jobs=(job("a", hours=4),)), "strike_2_up_4_down")
    assert outcome.ai_revenue == 8 * USD
    assert outcome.mining_revenue == 933_333  # 70 minutes of $0.80 an hour
    # ASICs: 7 kWh at $50, then 7 kW for 10 minutes at $100; GPU: 0.7 kWh at $50 and 2.1 at $100
    assert outcome.power_cost == 350_000 + 116_667 + 35_000 + 210_000


def test_energy_that_is_passed_through_is_earned_back_with_its_adder() -> None:
    # 0.7 kW for 2 h at $50 + $10
    passed = job("a", hours=2, energy_adder_usd_micros_per_mwh=10 * USD)
    outcome = simulate(site(asics=(), jobs=(passed,)), "ai_first")
    assert outcome.ai_revenue == 4 * USD + 84_000
    assert outcome.power_cost == 70_000


def test_a_shared_gpu_draws_its_power_once_and_its_energy_is_shared() -> None:
    # half of one GPU each; only b pays energy: half of 0.7 kW for 1 h at $50
    half = replace(job("a"), gpu_milli=500)
    paying = replace(half, workload_id="b", energy_adder_usd_micros_per_mwh=0)
    outcome = simulate(site(asics=(), jobs=(half, paying)), "ai_first")
    assert outcome.ai_revenue == 2 * USD + 17_500
    assert outcome.power_cost == 35_000


def test_what_fits_passes_what_does_not() -> None:
    jobs = (job("big", gpus=5), job("small"))
    assert simulate(site(jobs=jobs), "ai_first").ai_revenue == 2 * USD


def test_a_job_waits_for_gpus_and_is_cut_at_the_end_of_the_hours() -> None:
    # four GPUs until hour 3, then four for the hour that is left
    jobs = (job("a", hours=3, gpus=4), job("b", hours=3, gpus=4))
    assert simulate(site(jobs=jobs), "ai_first").ai_revenue == 32 * USD


def test_a_cancelled_job_leaves_when_its_customer_left() -> None:
    running = job("a", hours=4, leaves_ms=HOUR)
    waiting = job("b", hours=1, gpus=4, leaves_ms=HOUR // 2)
    assert simulate(site(jobs=(running, waiting)), "ai_first").ai_revenue == 2 * USD


def test_a_curtailment_takes_mining_first_and_the_newest_job_when_it_must() -> None:
    # 1 kW in the second hour: both ASICs off and one of two GPUs; job b starts again afterwards
    jobs = (job("a", hours=4), job("b", hours=2))
    outcome = simulate(site(jobs=jobs, curtailments=((HOUR, 2 * HOUR, 1000),)), "ai_first")
    assert outcome.mining_revenue == 2_400_000
    assert outcome.ai_revenue == 8 * USD + 2 * USD + 4 * USD
    assert outcome.power_cost == 1_050_000 + 140_000 + 105_000


def test_any_model_takes_the_dearest_that_fits() -> None:
    gpus = (
        GpuGroup(feeder_id="f", model="A100", count=1, power_w=400),
        GpuGroup(feeder_id="f", model="H100", count=1, power_w=700),
    )
    anything = job("a", prices={"A100": USD, "H100": 2 * USD})
    jobs = (anything, replace(anything, workload_id="b"))
    assert simulate(site(gpus=gpus, jobs=jobs), "ai_first").ai_revenue == 3 * USD


def test_negative_prices_pay_for_drawing_power() -> None:
    outcome = simulate(site(power_prices=PriceSeries([(0, -10 * USD)])), "always_mine")
    assert outcome.power_cost == -280_000


def test_the_hour_in_which_a_site_came_up_runs_but_is_not_counted() -> None:
    outcome = simulate(site(counts_from_ms=HOUR, jobs=(job("a", hours=2),)), "ai_first")
    assert outcome.ai_revenue == 2 * USD
    assert outcome.mining_revenue == 2_400_000
    assert outcome.power_cost == 1_050_000 + 35_000


def test_sites_add_up() -> None:
    both = simulate_all([site(), site()])
    assert both["always_mine"] == Outcome(mining_revenue=6_400_000, power_cost=2_800_000)


def test_a_month_of_thousands_of_jobs_is_fast() -> None:
    """The bar is the whole report under 2 s; this is its largest part, with room for a slow CI."""
    quarter = 15 * 60_000
    month = 30 * 24 * HOUR
    jobs = tuple(
        Job(
            workload_id=f"w{number:05}",
            submitted_ms=number * (month // 6000),
            gpu_count=1 + number % 3,
            gpu_milli=1000 if number % 3 else 250 + number % 4 * 250,
            duration_ms=HOUR * (1 + number % 7),
            prices={"H100": 2 * USD},
        )
        for number in range(6000)
    )
    prices = PriceSeries((step * quarter, step * 37 % 200 * USD) for step in range(2976))
    started = time.process_time()
    outcomes = simulate_all(
        [site(end_ms=month, feeder_caps_w={"f": 12_000}, power_prices=prices, jobs=jobs)]
    )
    assert time.process_time() - started < 5
    assert all(outcome.ai_revenue > 0 for outcome in outcomes.values())
