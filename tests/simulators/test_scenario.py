from __future__ import annotations

from datetime import UTC, datetime

import pytest

from simulators import scenario as scenarios
from simulators.errors import ScenarioInvalid
from simulators.scenario import Period, Scenario, period_end_ms

GOOD = (scenarios.SCENARIOS_DIR / "seed.toml").read_text(encoding="utf-8")


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


def test_the_scenarios_are_valid() -> None:
    assert scenarios.names() == ["ercot-2024", "fleet", "seed"]
    for name in scenarios.names():
        assert scenarios.load(name).name == name


def units(scenario: Scenario) -> dict[str, int]:
    found: dict[str, int] = {}
    for site in scenario.sites:
        for feeder in site.feeders:
            for group in feeder.units:
                found[group.model] = found.get(group.model, 0) + group.count
    return found


def test_seed_is_the_site_of_the_design() -> None:
    assert units(scenarios.load("seed")) == {"H100": 7, "A100": 3, "S21": 20}


def test_fleet_has_ten_thousand_units_on_three_sites() -> None:
    fleet = scenarios.load("fleet")
    assert sum(units(fleet).values()) == 10_000
    assert len(fleet.sites) == 3
    assert all(len(site.feeders) > 1 for site in fleet.sites)


def test_power_binds_wherever_ai_and_mining_share() -> None:
    watts = {"H100": 700, "A100": 400, "S21": 3500}
    for name in scenarios.names():
        for site in scenarios.load(name).sites:
            total = sum(
                watts[group.model] * group.count
                for feeder in site.feeders
                for group in feeder.units
            )
            assert total > site.power_cap_w


def test_ercot_covers_the_scarcity_of_may_2024() -> None:
    ercot = scenarios.load("ercot-2024")
    assert ercot.starts_ms <= at("2024-05-08T00:00") < at("2024-05-09T01:00") < ercot.ends_ms
    assert 25.5 * 3600 / ercot.speed <= 180, "a daily invoice is final within three minutes"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("seed = 1\n", ""), "seed: Field required"),
        (("speed = 300", "speed = 0"), "speed: Input should be greater than or equal to 1"),
        (("speed = 300", "sped = 300"), "sped: Extra inputs are not permitted"),
        (('model = "S21"', 'model = "S22"'), "no hardware model 'S22'; there are: H100, A100, S21"),
        (("00:00:00Z\nends", "00:00:00+02:00\nends"), "starts_at: give the time in UTC"),
        (("2024-05-10T", "2024-05-01T"), "ends_at must come after starts_at"),
        (("T00:00:00Z\nends", "T00:10:00Z\nends"), "starts_at must be a full hour"),
        (
            ("meter_interval_s = 900", "meter_interval_s = 700"),
            "meter_interval_s must divide an hour",
        ),
        (
            ("gpu_prices = { H100 = 2.35, A100 = 1.29 }\n", "gpu_prices = { H100 = 2 }\n"),
            "has A100s",
        ),
        (("count = 7", "count = 0"), "sites[0].feeders[0].units[0].count: Input should be greater"),
        (('"feeder-a"', '"Feeder A"'), "sites[0].feeders[0].feeder_id: String should match"),
        (('billing_period = "hour"', 'billing_period = "year"'), "billing_period: Input should be"),
        (("title =", "title = ="), "is not valid TOML"),
    ],
)
def test_what_is_wrong_is_said(change: tuple[str, str], sentence: str) -> None:
    assert change[0] in GOOD
    with pytest.raises(ScenarioInvalid) as refused:
        scenarios.parse("seed", GOOD.replace(*change, 1))
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_every_fault_is_named() -> None:
    text = GOOD.replace("speed = 300", "speed = 0").replace("count = 7", "count = 0")
    with pytest.raises(ScenarioInvalid, match=r"speed.*count|count.*speed"):
        scenarios.parse("seed", text)


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(ScenarioInvalid, match="no scenario 'sed'; there are: ercot-2024"):
        scenarios.load("sed")
    with pytest.raises(ScenarioInvalid, match="no scenario"):
        scenarios.load("../scenarios/seed")


@pytest.mark.parametrize(
    ("period", "moment", "end"),
    [
        ("hour", "2024-05-10T00:00", "2024-05-10T00:00"),
        ("hour", "2024-05-10T00:01", "2024-05-10T01:00"),
        ("day", "2024-05-10T00:00", "2024-05-10T00:00"),
        ("day", "2024-05-10T13:00", "2024-05-11T00:00"),
        ("week", "2024-05-10T00:00", "2024-05-13T00:00"),
        ("week", "2024-05-13T00:00", "2024-05-13T00:00"),
        ("month", "2024-05-10T00:00", "2024-06-01T00:00"),
        ("month", "2024-12-10T00:00", "2025-01-01T00:00"),
        ("month", "2024-06-01T00:00", "2024-06-01T00:00"),
    ],
)
def test_period_ends(period: Period, moment: str, end: str) -> None:
    assert period_end_ms(period, at(moment)) == at(end)


def test_the_clock_outlives_the_last_billing_period() -> None:
    ercot = scenarios.load("ercot-2024")
    assert ercot.closes_ms == ercot.ends_ms + 3 * 3_600_000
