"""Which times can be of a site, for every field in which a producer writes one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from streams.quantities import DAY_MS
from streams.site_inputs import INPUTS, MAX_JUMP_MS
from streams.site_times import MAX_AHEAD_MS, MAX_PAST_MS, time_among, time_refusal, times_of
from tests.streams.test_site_inputs import NOON, ORDINARY

HOUR_MS = 3_600_000
OWN_RULE = ("TimePassed", "ClockCorrected")
ASKED = ("WorkloadSubmitted", "WorkloadCancelled")
TIMED = [
    (event, time.name)
    for event in ORDINARY
    if type(event).__name__ not in OWN_RULE
    for time in times_of(type(event))
    if getattr(event, time.name) is not None
]
IDS = [f"{type(event).__name__}-{name}" for event, name in TIMED]


@pytest.mark.parametrize(("event", "name"), TIMED, ids=IDS)
def test_a_time_in_seconds_is_refused_with_its_field(event: Any, name: str) -> None:  # noqa: ANN401
    wrong = replace(event, **{name: NOON // 1000})
    for now, configured_at in ((NOON, NOON), (None, NOON), (NOON, None)):
        refusal = time_refusal(wrong, now, configured_at)
        assert refusal is not None
        assert refusal.reason == "bad_time"
        assert refusal.detail.startswith(f"{name} is 1970-01-20T17:21:50.400Z, ")


@pytest.mark.parametrize(("event", "name"), TIMED, ids=IDS)
def test_the_past_is_bounded_to_the_millisecond(event: Any, name: str) -> None:  # noqa: ANN401
    oldest = replace(event, **{name: NOON - MAX_PAST_MS})
    assert time_refusal(oldest, NOON, None) is None
    assert time_refusal(replace(oldest, **{name: NOON - MAX_PAST_MS - 1}), NOON, None) is not None


@pytest.mark.parametrize("event", ORDINARY, ids=lambda event: type(event).__name__)
def test_what_happened_cannot_lie_far_ahead(event: Any) -> None:  # noqa: ANN401
    ahead = replace(event, at=NOON + MAX_AHEAD_MS + 1)
    refused = time_refusal(ahead, NOON, None) is not None
    assert refused is (type(event).__name__ not in (*OWN_RULE, *ASKED))
    assert time_refusal(replace(event, at=NOON + MAX_AHEAD_MS), NOON, None) is None


def test_plans_of_people_may_be_for_any_later_year() -> None:
    submission = next(event for event in ORDINARY if hasattr(event, "deadline"))
    assert time_refusal(replace(submission, deadline=NOON + 900 * DAY_MS), NOON, None) is None


@pytest.mark.parametrize("event", ORDINARY, ids=lambda event: type(event).__name__)
def test_when_a_customer_asked_is_refused_to_nobody(event: Any) -> None:  # noqa: ANN401
    for at in (0, NOON // 1000, NOON + 900 * DAY_MS):
        refused = time_refusal(replace(event, at=at), NOON, None) is not None
        assert refused is (type(event).__name__ not in (*OWN_RULE, *ASKED))


@pytest.mark.parametrize(
    ("now", "at", "among"),
    [
        (NOON, NOON - MAX_JUMP_MS, NOON - MAX_JUMP_MS),
        (NOON, NOON + MAX_JUMP_MS, NOON + MAX_JUMP_MS),
        (NOON, NOON - MAX_JUMP_MS - 1, NOON),
        (NOON, NOON + MAX_JUMP_MS + 1, NOON),
        (NOON, NOON // 1000, NOON),
        (None, NOON // 1000, NOON // 1000),
        (None, -1, 0),
    ],
)
def test_a_time_far_from_the_clock_becomes_the_clocks(now: int | None, at: int, among: int) -> None:
    assert time_among(now, at) == among


@pytest.mark.parametrize("event", ORDINARY, ids=lambda event: type(event).__name__)
def test_where_nobody_can_tell_nothing_is_refused(event: Any) -> None:  # noqa: ANN401
    assert time_refusal(replace(event, at=0), None, None) is None


def test_the_clock_itself_may_go_as_far_as_a_report() -> None:
    assert MAX_AHEAD_MS == MAX_JUMP_MS
    assert {type(event) for event in ORDINARY if times_of(type(event))} <= INPUTS
