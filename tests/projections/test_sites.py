"""A site's events and what they do to its tables."""

from __future__ import annotations

from datetime import timedelta

import pytest

from projections.operations import Insert, Operation, Put, Update
from projections.record import LogRecord
from projections.sites import CONFIGURATIONS, CORRECTIONS, HOURS, SLOTS, TICKS, operations
from schemas.events import sites
from tests.projections.given import MIDNIGHT, T0, record

CONFIGURED = sites.SiteConfigured(
    site_id="alpha",
    at=T0,
    name="Alpha",
    pool="default",
    power_cap_w=1000,
    feeders=(sites.Feeder(feeder_id="f1", power_cap_w=900),),
    gpu_prices=(),
)
ROW = {
    "partition": 0,
    "offset": 7,
    "site_id": "alpha",
    "configured_at": MIDNIGHT,
    "name": "Alpha",
    "pool": "default",
    "power_cap_w": 1000,
    "feeders": [{"feeder_id": "f1", "power_cap_w": 900}],
    "gpu_prices": [],
    "rejected": False,
}
REFUSED = sites.InputRejected(
    site_id="alpha",
    at=T0,
    rejected_type="hcp.sites.v1.SiteConfigured",
    subject="alpha",
    reason="negative_power",
    detail="No.",
)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(record(CONFIGURED), [Put(CONFIGURATIONS, ROW)], id="configured"),
        pytest.param(
            record(sites.TimePassed(site_id="alpha", at=T0 + 1500), offset=SLOTS + 3),
            [
                Put(
                    TICKS,
                    {
                        "site_id": "alpha",
                        "slot": 3,
                        "partition": 0,
                        "offset": SLOTS + 3,
                        "at": MIDNIGHT + timedelta(milliseconds=1500),
                        "heard_at": MIDNIGHT,
                        "rejected": False,
                    },
                )
            ],
            id="clock",
        ),
        pytest.param(
            record(
                sites.ClockCorrected(
                    site_id="alpha", at=T0 + 1500, now=T0, corrected_by="olga", reason="a bad feed"
                )
            ),
            [
                Put(
                    CORRECTIONS,
                    {
                        "partition": 0,
                        "offset": 7,
                        "site_id": "alpha",
                        "corrected_at": MIDNIGHT + timedelta(milliseconds=1500),
                        "now": MIDNIGHT,
                        "corrected_by": "olga",
                        "reason": "a bad feed",
                        "rejected": False,
                    },
                )
            ],
            id="clock corrected",
        ),
        pytest.param(
            record(sites.HourClosed(site_id="alpha", at=T0 + 1500, closed_until=T0)),
            [
                Insert(
                    HOURS,
                    {"site_id": "alpha", "closed_until": MIDNIGHT, "partition": 0, "offset": 7},
                )
            ],
            id="hour closed",
        ),
        pytest.param(
            record(REFUSED, offset=9, answers=7),
            [
                Update(CONFIGURATIONS, (0, 7), {"rejected": True}),
                Update(CORRECTIONS, (0, 7), {"rejected": True}),
                Update(
                    TICKS,
                    ("alpha", 7),
                    {"rejected": True},
                    where={"partition": (0,), "offset": (7,)},
                ),
            ],
            id="refused",
        ),
    ],
)
def test_operations(given: LogRecord, expected: list[Operation]) -> None:
    assert operations(given) == expected
