"""Other inputs that are refused, with the reason; and races that are simply ignored."""

from __future__ import annotations

import msgspec
import pytest

from schemas.events import sites
from schemas.events.sites import SitesEvent
from streams.definition import step
from streams.routing.agent import AGENT
from streams.routing.decider import retain
from streams.routing.state import State
from tests.streams.routing.site import (
    HOUR,
    MINUTE,
    NOON,
    SITE,
    SiteUnderTest,
    cancelled,
    completed,
    configured,
    curtailment,
    failed,
    gpu,
    hashprice,
    lifted,
    names,
    power_price,
    submitted,
    switched,
    the,
    time,
    unit,
)

OFF = {"off": (0, 0)}
DAY = 24 * HOUR


def keep_prices(patch: pytest.MonkeyPatch, most: int) -> None:
    patch.setattr("streams.site_rules.MAX_PRICES", most)
    patch.setattr("streams.site_memory.MAX_PRICES", most)


def energy(feeder_id: str = "fa", end: int = 1, unit_id: str = "g00", wh: int = 1) -> SitesEvent:
    return sites.EnergyMetered(
        site_id=SITE,
        at=NOON,
        feeder_id=feeder_id,
        interval_start=NOON,
        interval_end=NOON + end,
        readings=(sites.MeterReading(unit_id=unit_id, energy_wh=wh, work_th=0),),
    )


def report(power_w: int = 1, health: str = "ok", unit_id: str = "g00") -> SitesEvent:
    return sites.UnitReported(
        site_id=SITE, at=NOON, unit_id=unit_id, health=health, power_w=power_w
    )


def progress(ppm: int) -> SitesEvent:
    return sites.WorkloadProgressed(
        site_id=SITE, at=NOON, workload_id="w1", placement_id="w1/1", progress_ppm=ppm
    )


REFUSED: list[tuple[SitesEvent, str]] = [
    (time(NOON - 1), "clock_backwards"),
    (time(-5), "bad_time"),
    (completed("ghost"), "unknown_workload"),
    (cancelled("ghost"), "unknown_workload"),
    (completed("w1", attempt=2), "unknown_placement"),
    (
        sites.WorkloadCompleted(site_id=SITE, at=NOON, workload_id="w1", placement_id="other/1"),
        "unknown_placement",
    ),
    (progress(1_000_001), "bad_progress"),
    (progress(-1), "bad_progress"),
    (failed("ghost"), "unknown_unit"),
    (switched("ghost"), "unknown_unit"),
    (switched("g00", mode="warp"), "unknown_mode"),
    (report(power_w=-1), "negative_power"),
    (report(health="sleepy"), "bad_health"),
    (energy(end=0), "bad_interval"),
    (energy(wh=-1), "negative_energy"),
    (energy(unit_id="ghost"), "unknown_unit"),
    (power_price("9999999"), "price_out_of_range"),
    (power_price("NaN"), "price_out_of_range"),
    (hashprice("-1"), "price_out_of_range"),
    (curtailment(-1), "negative_power"),
    (curtailment(1, duration_s=0), "bad_duration"),
    (curtailment(1, duration_s=-9), "bad_duration"),
    (curtailment(1, starts_at=NOON - 2 * HOUR), "curtailment_over"),
    (curtailment(1, payment="-1"), "price_out_of_range"),
    (curtailment(1, curtailment_id=""), "bad_curtailment_id"),
    (lifted("ghost"), "unknown_curtailment"),
    (gpu("g9", "nowhere"), "unknown_feeder"),
    (gpu("g9", watts=-700), "negative_power"),
    (unit("x", "fa", "asic", "S21", {**OFF, "normal": (5, -1)}), "bad_hashrate"),
    (unit("x", "fa", "asic", "S21", {"normal": (5, 5)}), "bad_modes"),
    (unit("x", "fa", "asic", "S21", {"off": (15, 0)}), "bad_modes"),
    (unit("x", "fa", "asic", "S21", {}), "bad_modes"),
    (unit("x", "fa", "gpu", "H100", OFF), "bad_modes"),
    (unit("x", "fa", "tpu", "v5", OFF), "bad_kind"),
    (unit("", "fa", "asic", "S21", OFF), "bad_unit_id"),
    (configured(-1, fa=5), "negative_power"),
    (configured(5, fa=-5), "negative_power"),
    (configured(5), "bad_feeders"),
    (configured(5, {"H100": "-1"}, fa=5), "price_out_of_range"),
]


@pytest.mark.parametrize(
    ("event", "reason"), REFUSED, ids=[f"{type(e).__name__}-{r}" for e, r in REFUSED]
)
def test_bad_input_is_refused_and_changes_nothing(event: SitesEvent, reason: str) -> None:
    site = SiteUnderTest()
    site.gpus(1)
    site.given(submitted())
    before = msgspec.msgpack.encode(site.state, order="deterministic")
    rejection = the(sites.InputRejected, answers := site.when(event))
    assert (rejection.reason, len(answers)) == (reason, 1)
    assert rejection.rejected_type == event.FULL_NAME
    assert rejection.at == NOON, "the site's clock"
    assert rejection.detail.endswith(".")
    assert msgspec.msgpack.encode(site.state, order="deterministic") == before


def test_the_last_meter_of_a_feeder_that_was_removed_is_taken() -> None:
    site = SiteUnderTest()
    site.gpus(1)
    site.given(configured(100_000, fb=50_000))
    assert site.when(energy("fa")) == []


@pytest.mark.parametrize("event", [time(NOON), completed(), failed("g00"), configured(-1, fa=5)])
def test_events_of_an_unknown_site_are_refused(event: SitesEvent) -> None:
    state = State(SITE)
    state, answers = step(AGENT, state, event)
    rejection = the(sites.InputRejected, answers)
    expected = "negative_power" if isinstance(event, sites.SiteConfigured) else "unknown_site"
    assert rejection.reason == expected
    assert not retain(state)
    assert state == State(SITE)


def test_the_same_time_again_is_nothing() -> None:
    site = SiteUnderTest()
    assert site.when(time(NOON)) == []


def test_a_late_word_about_an_ended_placement_is_ignored() -> None:
    # Given w1, requeued from its first placement and running in its second
    site = SiteUnderTest()
    site.gpus(2)
    site.given(submitted(), failed("g00"))
    assert site.state.workloads["w1"].placement_id == "w1/2"
    # When the first is said to have completed, or w1 is cancelled after its end
    assert site.when(completed("w1", attempt=1)) == []
    site.given(completed("w1", attempt=2))
    assert site.when(completed("w1", attempt=2)) == []
    assert site.when(cancelled("w1")) == []


def test_a_curtailment_id_means_one_request() -> None:
    site = SiteUnderTest()
    site.given(curtailment(90_000))
    assert site.when(curtailment(90_000)) == []
    refused = the(sites.InputRejected, site.when(curtailment(80_000)))
    assert refused.reason == "curtailment_id_taken"


@pytest.mark.parametrize("series", [power_price, hashprice])
def test_prices_of_the_future_are_bounded(series: object, monkeypatch: pytest.MonkeyPatch) -> None:
    assert callable(series)
    keep_prices(monkeypatch, 3)
    site = SiteUnderTest()
    site.given(series("20", NOON + MINUTE), series("30", NOON + 2 * MINUTE))
    refused = the(sites.InputRejected, site.when(series("40", NOON + 3 * MINUTE)))
    assert refused.reason == "too_many_prices"


@pytest.mark.parametrize("series", [power_price, hashprice])
def test_the_furthest_price_gives_way_to_a_nearer_one(
    series: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a site that keeps three prices, and has one in force and two for later
    assert callable(series)
    keep_prices(monkeypatch, 3)
    site = SiteUnderTest()
    site.given(series("20", NOON + MINUTE), series("30", NOON + 9 * MINUTE))
    # When a nearer one comes, then it is taken, and so is one that has begun
    assert site.when(series("40", NOON + 2 * MINUTE)) == []
    kept = site.state.power_prices if series is power_price else site.state.hashprices
    assert [price.start - NOON for price in kept] == [0, MINUTE, 2 * MINUTE]
    site.given(time(NOON + 2 * MINUTE), series("50", NOON + 3 * MINUTE))
    kept = site.state.power_prices if series is power_price else site.state.hashprices
    assert [price.start - NOON for price in kept] == [2 * MINUTE, 3 * MINUTE]


def test_prices_of_a_far_future_lock_no_site_out() -> None:
    site = SiteUnderTest()
    far = 4_000_000_000_000
    refused = the(sites.InputRejected, site.when(power_price("20", far)))
    assert refused.reason == "price_too_far_ahead"
    assert site.when(power_price("20", NOON + 8 * DAY)) == []
    refused = the(sites.InputRejected, site.when(hashprice("40", NOON + 8 * DAY + 1)))
    assert refused.reason == "price_too_far_ahead"


def test_far_prices_from_before_the_first_tick_give_way_to_nearer_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a site that has no clock yet, full of prices of a far future
    keep_prices(monkeypatch, 2)
    state = State(SITE)
    far = 4_000_000_000_000
    for event in (configured(fa=5), power_price("1", far), power_price("2", far + 1)):
        state, answers = step(AGENT, state, event)
        assert "InputRejected" not in names(answers)
    # When its clock starts and today's prices come
    for event in (time(NOON), power_price("3"), power_price("4", NOON + MINUTE)):
        state, answers = step(AGENT, state, event)
        assert "InputRejected" not in names(answers)
    # Then they are what it keeps
    assert [price.start for price in state.power_prices] == [NOON, NOON + MINUTE]


def test_five_minute_prices_over_the_whole_horizon_fit() -> None:
    site = SiteUnderTest()
    for number in range(1, 8 * 24 * 12 + 1):
        assert site.when(power_price("20", NOON + number * 5 * MINUTE)) == []


def test_curtailments_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.site_rules.MAX_CURTAILMENTS", 1)
    site = SiteUnderTest()
    site.given(curtailment(90_000))
    refused = the(sites.InputRejected, site.when(curtailment(90_000, "k2")))
    assert refused.reason == "too_many_curtailments"


def test_a_lifted_curtailment_takes_no_place_and_does_not_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streams.site_rules.MAX_CURTAILMENTS", 1)
    site = SiteUnderTest()
    site.given(curtailment(0), lifted())
    assert site.when(curtailment(0)) == [], "sent again after it was lifted"
    assert site.state.index.limit_w == 100_000
    site.given(curtailment(90_000, "k2"))
    assert site.state.index.limit_w == 90_000


def test_lifted_curtailments_are_remembered_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.routing.evolution.MAX_LIFTED", 2)
    site = SiteUnderTest()
    for number in range(4):
        site.given(curtailment(90_000, f"k{number}", duration_s=600 + number), lifted(f"k{number}"))
    assert sorted(site.state.curtailments) == ["k2", "k3"]


def test_a_price_for_a_known_start_is_corrected_though_no_more_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keep_prices(monkeypatch, 2)
    site = SiteUnderTest()
    site.given(power_price("20", NOON + MINUTE))
    assert site.when(power_price("21", NOON + MINUTE)) == []
    assert site.state.power_prices[-1].micros == 21_000_000


def test_a_jump_of_the_clock_is_refused_and_changes_only_what_confirms_it() -> None:
    site = SiteUnderTest()
    refused = the(sites.InputRejected, site.when(time(NOON + 1_000 * DAY)))
    assert (refused.reason, refused.at) == ("clock_jump", NOON)
    assert "HourClosed" not in names(site.when(time(NOON + MINUTE)))
    assert site.state.now == NOON + MINUTE


def test_a_site_that_was_down_for_long_goes_on_with_the_second_tick() -> None:
    site = SiteUnderTest()
    site.given(time(NOON + 90 * DAY))
    assert "HourClosed" in names(site.when(time(NOON + 90 * DAY + MINUTE)))
    assert site.state.now == NOON + 90 * DAY + MINUTE


def test_a_unit_keeps_its_kind() -> None:
    site = SiteUnderTest()
    site.gpus(1)
    refused = the(sites.InputRejected, site.when(unit("g00", "fa", "asic", "S21", OFF)))
    assert refused.reason == "kind_changed"


def test_finished_workloads_are_remembered_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.routing.lifecycle.MAX_FINISHED", 2)
    site = SiteUnderTest()
    site.gpus(1)
    for workload_id in ("w1", "w2", "w3"):
        site.given(submitted(workload_id), completed(workload_id))
    assert site.when(submitted("w2")) == []
    assert site.when(submitted("w3")) == []
    site.oracle.ended_placements.discard("w1/1")  # its ids come again, which state.py says
    assert "WorkloadPlaced" in names(site.when(submitted("w1"))), "the oldest is forgotten"
