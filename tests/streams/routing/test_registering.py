"""A submission that names a site which is still registering its GPUs."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from schemas.events import sites
from schemas.events.intake import SiteSummarized
from streams.routing.registering import PATIENCE_MS
from streams.routing.state import State
from tests.streams.routing.site import (
    MINUTE,
    NOON,
    SITE,
    SiteUnderTest,
    cancelled,
    configured,
    gpu,
    names,
    of,
    placed_on,
    submitted,
    the,
    time,
)

REGISTERING = "The site is still registering its GPUs. "


class NewSite(SiteUnderTest):
    """Configured, and no tick of its clock yet."""

    def __init__(self) -> None:
        super().__init__()
        self.state = State(SITE)
        self.given(configured(fa=50_000))


def rejected(answers: Sequence[Any]) -> list[tuple[str, str]]:
    return [
        (answer.workload_id, answer.reason)
        for answer in of(sites.WorkloadReleased, answers)
        if answer.outcome == "rejected"
    ]


WAITS: list[tuple[str, dict[str, Any], str]] = [
    ("no GPU yet", {"model": "A100"}, "Site s1 has no A100."),
    ("any model", {"model": None, "count": 2}, "Needs 2 GPUs of one model; the site has at most 1"),
    ("not enough yet", {"count": 4}, "Needs 4 GPUs of one model; the site has at most 1."),
]


@pytest.mark.parametrize(("why", "fields", "lacks"), WAITS, ids=[row[0] for row in WAITS])
def test_what_units_to_come_could_run_waits_and_says_so(
    why: str, fields: dict[str, Any], lacks: str
) -> None:
    site = NewSite().given(gpu("g00"))
    answers = site.when(submitted(**fields))
    assert names(answers) == ["WorkloadQueued", "DecisionExplained"], why
    for answer in answers:
        assert answer.reason.startswith(REGISTERING + lacks)


def test_it_is_placed_when_its_units_are_there() -> None:
    site = NewSite()
    site.given(submitted(count=2), gpu("g00"))
    assert placed_on(site.when(gpu("g01"))) == ["g00", "g01"]


def test_the_tick_that_ends_the_registration_judges_what_waited() -> None:
    site = NewSite().given(submitted("fits"), submitted("gang", count=3))
    site.given(gpu("g00"), gpu("g01"))
    answers = site.when(time(NOON))
    assert rejected(answers) == [("gang", "not_enough_gpus")]


FINAL: list[tuple[str, dict[str, Any], str]] = [
    ("a model that is not sold", {"model": "B200"}, "no_such_model"),
    ("a price below the list", {"max_price_usd_per_gpu_hour": Decimal(1)}, "price_too_low"),
    ("no sense", {"count": 0}, "bad_gpu_count"),
]


@pytest.mark.parametrize(("why", "fields", "code"), FINAL, ids=[row[0] for row in FINAL])
def test_what_no_unit_could_mend_is_rejected_at_once(
    why: str, fields: dict[str, Any], code: str
) -> None:
    assert the(sites.WorkloadRejected, NewSite().when(submitted(**fields))).reason == code, why


def test_what_was_rejected_so_is_judged_anew_when_it_is_sent_again() -> None:
    site = NewSite().given(submitted(count=2), gpu("g00"), time(NOON))
    assert not site.state.workloads
    site.given(gpu("g01"))
    assert placed_on(site.when(submitted(count=2))) == ["g00", "g01"]


def test_what_ran_and_lost_its_units_fails_instead() -> None:
    """Its unit comes back as another model, so that nothing is left that could run it."""
    site = NewSite().given(gpu("g00"), submitted(), gpu("g00", model="A100"))
    assert site.state.workloads["w1"].attempt == 1
    (released,) = of(sites.WorkloadReleased, site.when(time(NOON)))
    assert (released.outcome, released.reason) == ("failed", "no_such_model")


def test_it_can_be_cancelled_meanwhile() -> None:
    site = NewSite().given(submitted())
    assert the(sites.WorkloadReleased, site.when(cancelled())).outcome == "cancelled"


def test_a_clock_that_begins_before_the_first_gpu_gives_it_time() -> None:
    site = NewSite().given(time(NOON), submitted())
    assert not rejected(site.when(time(NOON + PATIENCE_MS - 1)))
    assert rejected(site.when(time(NOON + PATIENCE_MS))) == [("w1", "no_such_model")]
    assert the(sites.WorkloadRejected, site.when(submitted())).reason == "no_such_model"


def test_a_gpu_that_is_new_to_a_running_site_seldom_comes_alone() -> None:
    site = NewSite().given(gpu("g00"), time(NOON))
    assert the(sites.WorkloadRejected, site.when(submitted(count=3))).reason == "not_enough_gpus"
    site.given(gpu("g01"), submitted(count=3))
    assert "w1" in site.state.workloads
    site.given(time(NOON + MINUTE))
    assert placed_on(site.when(gpu("g02"))) == ["g00", "g01", "g02"]


def test_a_known_gpu_that_is_registered_again_is_nothing_new() -> None:
    site = NewSite().given(gpu("g00"), time(NOON), gpu("g00"))
    assert the(sites.WorkloadRejected, site.when(submitted(count=3))).reason == "not_enough_gpus"


def test_the_pool_is_told_when_the_site_begins_and_ends_to_register() -> None:
    site = NewSite().given(time(NOON))
    phases = [
        the(SiteSummarized, site.when(event)).phase
        for event in (gpu("g00"), time(NOON + 1), time(NOON + PATIENCE_MS))
    ]
    assert phases == ["preparing", "preparing", "open"]


def test_a_new_configuration_ends_what_its_units_could_not_run_any_more() -> None:
    site = NewSite().given(submitted())
    answers = site.when(configured(prices={"A100": "1.29"}, fa=50_000))
    released = the(sites.WorkloadReleased, answers)
    assert (released.outcome, released.reason) == ("failed", "no_such_model")


def test_the_queue_is_bounded_while_a_site_registers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.routing.admission.MAX_QUEUED", 2)
    site = NewSite().given(submitted("w1"), submitted("w2"))
    assert the(sites.WorkloadRejected, site.when(submitted("w3"))).reason == "queue_full"
