"""Every metric of the simulators, once, with its meaning."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

PUBLISHED = Counter("hcp_simulators_events_published_total", "Events written to the logs", ["type"])
EVENT_TIME = Gauge(
    "hcp_simulators_event_time_seconds", "Event time of a site, seconds since 1970", ["site_id"]
)
HELD = Counter(
    "hcp_simulators_held_seconds_total",
    "Wall time in which event time waited for routing or brokering",
)
LATE = Gauge(
    "hcp_simulators_late_plans",
    "Power plans for a price that event time had given up waiting for, since the start: each took "
    "effect later than on a quick machine, and moves the results",
)
SKIPPED = Counter(
    "hcp_simulators_records_skipped_total", "Records of the logs that could not be read", ["reason"]
)
SWITCHES = Counter(
    "hcp_simulators_switches_total", "Switches that ended", ["unit_kind", "succeeded"]
)
SWITCH_SECONDS = Histogram(
    "hcp_simulators_switch_seconds",
    "Event time that a switch took, by phase and in total",
    ["phase"],
    buckets=(0.05, 0.075, 0.1, 0.125, 0.15, 0.175, 0.2, 0.3, 0.35, 0.375, 0.4, 0.425, 0.45, 0.48),
)
PLACEMENTS = Gauge("hcp_simulators_placements", "Placements on the hardware", ["site_id"])
