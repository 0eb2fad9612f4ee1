"""What routing refused leaves no trace, and takes nothing with it that came after it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from projections.record import moment
from projections.sites import SLOTS
from schemas.events import sites
from schemas.topics import Event
from tests.projections.conftest import Stack
from tests.projections.story import START, Said

HOUR = 3_600_000


@dataclass
class Place:
    """A site of a test's own. batch: records in one transaction."""

    stack: Stack
    site_id: str
    batch: int

    def say(self, event: Event) -> Said:
        return self.stack.story.report(event)

    def refuse(self, said: Said) -> None:
        refused = sites.InputRejected(
            site_id=self.site_id,
            at=START,
            rejected_type=said.envelope.type,
            subject="s",
            reason="refused",
            detail="No.",
        )
        self.answer(said, refused)

    def answer(self, said: Said, event: Event) -> None:
        self.stack.story.answer("routing", said, event)

    def shown(self, columns: str, view: str) -> list[tuple[Any, ...]]:
        self.stack.publish()
        self.stack.project(batch=self.batch)
        return self.stack.query(f"SELECT {columns} FROM {view} WHERE site_id = '{self.site_id}'")


@pytest.fixture(params=[100, 1], ids=["together", "apart"])
def place(stack: Stack, request: pytest.FixtureRequest) -> Place:
    stack.project()
    return Place(stack, f"{request.node.originalname}-{request.param}", request.param)


def unit(place: Place, kind: str = "asic", feeder_id: str = "f1") -> sites.UnitRegistered:
    return sites.UnitRegistered(
        site_id=place.site_id,
        at=START,
        unit_id="u1",
        feeder_id=feeder_id,
        kind=kind,
        model="S21",
        modes=(sites.UnitMode(mode="off", power_w=0, hashrate_ths=0, tflops=0.0),),
    )


def metered(place: Place, unit_id: str, energy_wh: int) -> sites.EnergyMetered:
    return sites.EnergyMetered(
        site_id=place.site_id,
        at=START,
        feeder_id="f1",
        interval_start=START,
        interval_end=START + 900_000,
        readings=(sites.MeterReading(unit_id=unit_id, energy_wh=energy_wh, work_th=0),),
    )


def curtailed(place: Place, max_power_w: int = 5000) -> sites.CurtailmentRequested:
    return sites.CurtailmentRequested(
        site_id=place.site_id,
        at=START,
        curtailment_id="k1",
        max_power_w=max_power_w,
        starts_at=START,
        duration_s=900,
    )


def lifted(place: Place, at: int = START) -> sites.CurtailmentLifted:
    return sites.CurtailmentLifted(site_id=place.site_id, at=at, curtailment_id="k1")


def test_a_registration_before_a_good_one(place: Place) -> None:
    bad = place.say(unit(place, feeder_id="nowhere"))
    good = place.say(unit(place))
    place.refuse(bad)
    mined = sites.UnitModeAssigned(
        site_id=place.site_id,
        at=START,
        unit_id="u1",
        mode="mine",
        power_w=3500,
        reason="plan",
        decision_id="d",
    )
    place.answer(good, mined)
    assert place.shown("feeder_id, mode, power_w, state", "units") == [("f1", "mine", 3500, "ok")]


def test_a_registration_after_a_good_one(place: Place) -> None:
    place.say(unit(place))
    place.say(sites.UnitDrained(site_id=place.site_id, at=START, unit_id="u1", reason="dust"))
    place.refuse(place.say(unit(place, feeder_id="nowhere")))
    assert place.shown("feeder_id, state, detail", "units") == [("f1", "drained", "dust")]


def test_a_failure_before_the_first_accepted_registration(place: Place) -> None:
    place.refuse(place.say(unit(place, feeder_id="nowhere")))
    place.refuse(place.say(failed(place, "early")))
    place.say(unit(place))
    assert place.shown("state, detail", "units") == [("ok", "")]
    place.say(failed(place, "late"))
    assert place.shown("state, detail", "units") == [("failed", "late")]


def failed(place: Place, reason: str) -> sites.UnitFailed:
    return sites.UnitFailed(site_id=place.site_id, at=START, unit_id="u1", reason=reason)


def test_only_refused_registrations_are_no_unit(place: Place) -> None:
    place.refuse(place.say(unit(place)))
    assert place.shown("unit_id", "units") == []


def test_a_reading_before_a_good_one(place: Place) -> None:
    place.say(unit(place))
    bad = place.say(metered(place, "ghost", 5))
    place.say(metered(place, "u1", 7))
    place.say(metered(place, "u1", 8))  # sent twice: the first counts
    place.refuse(bad)
    assert place.shown("energy_wh, mining_energy_wh", "site_pnl_hourly") == [(7, 7)]
    assert place.shown("unit_id, energy_wh", "meter_readings") == [("u1", 7)]


def test_a_registration_of_another_kind_before_the_meter(place: Place) -> None:
    place.refuse(place.say(unit(place, kind="gpu")))
    place.say(unit(place))
    place.say(metered(place, "u1", 7))
    assert place.shown("mining_energy_wh", "feeder_energy_hourly") == [(7,)]


def test_a_curtailment_is_of_its_site(place: Place) -> None:
    other = replace(place, site_id=f"{place.site_id}-other")
    asked = place.say(curtailed(place))
    other.say(curtailed(other, max_power_w=9))
    met = sites.CurtailmentMet(
        site_id=place.site_id, at=START, curtailment_id="k1", power_w=1, max_power_w=5000
    )
    place.answer(asked, met)
    assert place.shown("max_power_w, state, met_power_w", "curtailments") == [(5000, "met", 1)]
    assert other.shown("max_power_w, state, met_power_w", "curtailments") == [
        (9, "requested", None)
    ]


def test_a_lifted_curtailment_stays_lifted(place: Place) -> None:
    place.refuse(place.say(lifted(place)))  # there is none yet
    place.say(curtailed(place))
    assert place.shown("max_power_w, state", "curtailments") == [(5000, "requested")]
    place.say(lifted(place))
    place.say(curtailed(place))
    place.refuse(place.say(curtailed(place, max_power_w=1)))
    place.refuse(place.say(lifted(place, at=START + HOUR)))
    assert place.shown("max_power_w, state, lifted_at - starts_at", "curtailments") == [
        (5000, "lifted", place.stack.query("SELECT interval '0'")[0][0])
    ]


def test_a_refused_tick_does_not_move_the_clock(place: Place) -> None:
    def tick(at: int) -> Said:
        return place.say(sites.TimePassed(site_id=place.site_id, at=at))

    def now() -> list[tuple[Any, ...]]:
        return place.shown("now", "site_clocks")

    place.refuse(tick(START + HOUR))  # before its site was configured, say
    assert now() == []
    tick(START)
    far = tick(START + 10_000 * HOUR)
    tick(START + 1)
    place.refuse(far)
    assert now() == [(moment(START + 1),)]
    for at in range(2, 100):
        tick(START + at)
    assert now() == [(moment(START + 99),)]
    assert len(place.shown("slot", "site_ticks")) <= SLOTS


def test_an_id_used_again_after_its_curtailment_is_another_one(place: Place) -> None:
    asked = place.say(curtailed(place))
    met = sites.CurtailmentMet(
        site_id=place.site_id, at=START, curtailment_id="k1", power_w=1, max_power_w=5000
    )
    place.answer(asked, met)
    place.say(replace(curtailed(place, max_power_w=7), at=START + HOUR, starts_at=START + HOUR))
    assert sorted(place.shown("max_power_w, state, met_power_w", "curtailments")) == [
        (7, "requested", None),
        (5000, "met", 1),
    ]
    place.answer(asked, replace(met, power_w=2))  # late: still the first one's
    place.say(lifted(place, at=START + HOUR))
    place.say(replace(curtailed(place, max_power_w=7), at=START + HOUR, starts_at=START + HOUR))
    assert sorted(place.shown("max_power_w, state, met_power_w", "curtailments")) == [
        (7, "lifted", None),
        (5000, "met", 1),
    ]


def test_a_refused_curtailment_is_none_and_frees_its_id(place: Place) -> None:
    bad = place.say(curtailed(place, max_power_w=-1))
    place.refuse(bad)
    assert place.shown("curtailment_id", "curtailments") == []
    place.say(curtailed(place))
    place.refuse(place.say(lifted(place)))
    assert place.shown("max_power_w, state", "curtailments") == [(5000, "requested")]
