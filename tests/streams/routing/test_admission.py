"""Submissions: what is admitted, and what is rejected with which code."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from schemas.events import sites
from schemas.events.sites import SitesEvent
from streams.definition import step
from streams.routing.agent import AGENT
from streams.routing.decider import retain
from streams.routing.registering import PATIENCE_MS
from streams.routing.state import State
from tests.streams.routing.site import (
    HOUR,
    NOON,
    SiteUnderTest,
    cancelled,
    completed,
    configured,
    failed,
    gpu,
    names,
    of,
    submitted,
    the,
    time,
)

NEVER: list[tuple[str, dict[str, Any], str]] = [
    ("no GPUs", {"count": 0}, "bad_gpu_count"),
    ("a negative number of GPUs", {"count": -2}, "bad_gpu_count"),
    ("no share", {"milli": 0}, "bad_gpu_milli"),
    ("more than a whole GPU", {"milli": 1001}, "bad_gpu_milli"),
    ("a share of two GPUs", {"count": 2, "milli": 500}, "bad_gpu_milli"),
    ("no duration", {"duration_s": 0}, "bad_duration"),
    ("a negative duration", {"duration_s": -60}, "bad_duration"),
    ("a thousand years", {"duration_s": 1000 * 366 * 86_400}, "bad_duration"),
    ("an unknown kind", {"kind": "gaming"}, "bad_kind"),
    ("no id", {"workload_id": ""}, "bad_workload_id"),
    ("no customer", {"customer_id": ""}, "bad_customer_id"),
    ("a negative price", {"max_price_usd_per_gpu_hour": Decimal(-1)}, "bad_max_price"),
    ("a model that is not there", {"model": "B200"}, "no_such_model"),
    ("a model that is sold but not there", {"model": "A100"}, "no_such_model"),
    ("more GPUs than the site has", {"count": 5}, "not_enough_gpus"),
    ("a price below the list", {"max_price_usd_per_gpu_hour": Decimal(2)}, "price_too_low"),
    (
        "any model below the list",
        {"model": None, "max_price_usd_per_gpu_hour": Decimal(1)},
        "price_too_low",
    ),
    ("power that never fits", {"count": 4}, "power_never_fits"),
    ("a deadline before it can end", {"deadline": NOON + HOUR - 1}, "deadline_impossible"),
]


@pytest.mark.parametrize(("why", "fields", "code"), NEVER, ids=[row[0] for row in NEVER])
def test_a_workload_that_could_never_run_is_rejected(
    why: str, fields: dict[str, Any], code: str
) -> None:
    # Given four H100s of which the feeder can power three
    site = SiteUnderTest(fa_w=2_100)
    site.gpus(4)
    site.given(time(NOON + PATIENCE_MS))
    # When, then
    answers = site.when(submitted(**fields))
    rejection = the(sites.WorkloadRejected, answers)
    assert (rejection.reason, len(answers)) == (code, 1), why
    assert rejection.detail.endswith("."), "people read a sentence"
    assert not site.state.workloads


def test_a_unit_that_failed_still_counts_for_admission() -> None:
    site = SiteUnderTest()
    site.gpus(1)
    site.given(failed("g00"))
    answers = site.when(submitted())
    queued = the(sites.WorkloadQueued, answers)
    assert queued.reason == "Needs 1 free H100; 0 of 0 healthy ones are free."


def test_a_gpu_that_earns_nothing_is_not_sold() -> None:
    """Nothing would ever pay for its power, so it would wait without end."""
    site = SiteUnderTest()
    site.given(configured(prices={"H100": "0", "A100": "0.000001"}, fa=50_000))
    site.gpus(1)
    site.gpus(1, model="A100")
    for fields in ({"model": "H100"}, {"model": "A100", "milli": 999}, {"model": None, "milli": 1}):
        rejection = the(sites.WorkloadRejected, site.when(submitted(**fields)))
        assert rejection.reason == "earns_nothing"


RECONFIGURED: list[tuple[str, SitesEvent, list[str], str]] = [
    (
        "a model that is no longer sold",
        configured(prices={"A100": "1.29"}, fa=50_000),
        ["small", "gang"],
        "no_such_model",
    ),
    ("a feeder that is gone", configured(fb=50_000), ["small", "gang"], "power_never_fits"),
    ("a cap that came down", configured(fa=2_100), ["gang"], "power_never_fits"),
    (
        "a price above what it pays",
        configured(prices={"H100": "2.60"}, fa=50_000),
        ["small"],
        "price_too_low",
    ),
    ("nothing that matters", configured(90_000, fa=50_000), [], ""),
]


@pytest.mark.parametrize(
    ("why", "event", "released", "code"), RECONFIGURED, ids=[row[0] for row in RECONFIGURED]
)
def test_a_new_configuration_releases_what_became_impossible(
    why: str, event: SitesEvent, released: list[str], code: str
) -> None:
    # Given four H100 that run something, and two workloads that wait
    site = SiteUnderTest()
    site.gpus(4)
    site.given(time(NOON + PATIENCE_MS))
    site.given(submitted("running", count=4))
    site.given(submitted("small", max_price_usd_per_gpu_hour=Decimal("2.5")))
    site.given(submitted("gang", count=4))
    # When the site is configured again
    answers = site.when(event)
    # Then
    told = [
        (answer.workload_id, answer.outcome, answer.reason)
        for answer in of(sites.WorkloadReleased, answers)
        if answer.workload_id != "running"
    ]
    assert told == [(workload_id, "failed", code) for workload_id in released], why


def test_the_latest_deadline_that_can_be_met_is_admitted() -> None:
    site = SiteUnderTest()
    site.gpus(1)
    answers = site.when(submitted(deadline=NOON + HOUR))
    assert "WorkloadPlaced" in names(answers)


def test_what_was_queued_carries_what_was_asked() -> None:
    site = SiteUnderTest()
    site.gpus(1)
    event = submitted(priority=3, preemptible=True, max_price_usd_per_gpu_hour=Decimal("2.5"))
    queued = the(sites.WorkloadQueued, site.when(event))
    told, asked = queued.to_record(), event.to_record()
    assert told.pop("submitted_at") == asked["at"]
    assert told.pop("reason") == "Its units follow at once."
    assert told == {**asked, "at": NOON}


def test_power_may_span_feeders_that_could_not_carry_it_alone() -> None:
    site = SiteUnderTest(fa_w=1_400, fb_w=1_400)
    site.gpus(2)
    site.gpus(2, "fb")
    assert "WorkloadPlaced" in names(site.when(submitted(count=4)))


def test_the_same_submission_again_is_answered_with_nothing() -> None:
    site = SiteUnderTest()
    site.gpus(2)
    site.given(submitted())
    assert site.when(submitted(at=NOON + 5)) == [], "while it runs"
    site.given(completed())
    assert site.when(submitted()) == [], "after it ended"


@pytest.mark.parametrize("ended", [False, True])
def test_another_submission_under_the_same_id_is_refused(ended: bool) -> None:
    site = SiteUnderTest()
    site.gpus(4)
    site.given(submitted())
    if ended:
        site.given(cancelled())
    refused = the(sites.InputRejected, site.when(submitted(count=2)))
    assert (refused.reason, refused.subject) == ("workload_id_taken", "w1")


def test_a_rejected_submission_is_judged_again() -> None:
    site = SiteUnderTest()
    site.given(time(NOON + PATIENCE_MS))
    the(sites.WorkloadRejected, site.when(submitted()))
    site.given(gpu("g00"))
    assert "WorkloadPlaced" in names(site.when(submitted()))


def test_a_full_queue_rejects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.routing.admission.MAX_QUEUED", 2)
    site = SiteUnderTest()
    site.gpus(1)
    site.given(submitted("w1"), submitted("w2"), submitted("w3"))
    assert the(sites.WorkloadRejected, site.when(submitted("w4"))).reason == "queue_full"


def test_an_unknown_site_rejects_and_keeps_nothing() -> None:
    state = State("nowhere")
    state, answers = step(AGENT, state, submitted())
    assert the(sites.WorkloadRejected, answers).reason == "unknown_site"
    assert not retain(state)
    assert state == State("nowhere")
