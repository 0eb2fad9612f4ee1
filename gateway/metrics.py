"""Every metric of the gateway, declared once, with its meaning."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)

REQUESTS = Counter(
    "hcp_gateway_requests_total",
    "Requests answered, by method, route template and status code.",
    ["method", "route", "status"],
)
REQUEST_DURATION = Histogram(
    "hcp_gateway_request_duration_seconds",
    "From the first byte of a request to the last byte of its answer.",
    ["method", "route"],
    buckets=_SECONDS,
)
REQUESTS_IN_FLIGHT = Gauge(
    "hcp_gateway_in_flight_requests", "Requests that are being answered now."
)
REFUSALS = Counter(
    "hcp_gateway_refusals_total",
    "Requests turned away to protect the gateway: busy (too many at once), waiting (too many "
    "that wait for a position), timeout, slow_body or slow_headers (not here in time, or gave "
    "way to others), unread_answer (nothing of it was taken for a while).",
    ["reason"],
)
PUBLISHED = Counter(
    "hcp_gateway_published_events_total",
    "Events that the broker acknowledged, by event type.",
    ["type"],
)
PUBLISH_FAILURES = Counter(
    "hcp_gateway_publish_failures_total",
    "Events that were not acknowledged in time or could not be encoded, by event type.",
    ["type"],
)
PRODUCERS_LOST = Counter(
    "hcp_gateway_producers_lost_total",
    "Fatal errors of the producer, each of which cost it its life and made another take over.",
)
PUBLISH_DURATION = Histogram(
    "hcp_gateway_publish_duration_seconds",
    "From handing an event to the producer to the broker's acknowledgement.",
    buckets=_SECONDS,
)
STANDSTILL = Gauge(
    "hcp_gateway_standstill_seconds",
    "How long an open transaction has held this partition of a log back; absent when none does.",
    ["log", "partition"],
)
OPEN_ALERTS = Gauge(
    "hcp_gateway_open_alerts",
    "Alerts that stand, by kind and severity, up to 10,000 in all; absent when there is none.",
    ["kind", "severity"],
)
POSITION_WAIT = Histogram(
    "hcp_gateway_position_wait_seconds",
    "How long reads waited for a position to be applied, by outcome (applied, timeout, refused).",
    ["outcome"],
    buckets=_SECONDS,
)
