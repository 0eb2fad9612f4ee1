"""Every metric of the projections, with its meaning."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

RECORDS = Counter("hcp_projections_records", "Records consumed", ("topic",))
REPEATS = Counter("hcp_projections_repeats", "Records dropped because they repeat another")
ROWS = Counter("hcp_projections_rows", "Rows written and added")
BATCH_SECONDS = Histogram(
    "hcp_projections_batch_seconds",
    "Time of one batch's transaction",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)
LAG_RECORDS = Gauge(
    "hcp_projections_lag_records", "Records not applied yet, when scraped", ("topic", "partition")
)
LAG_SECONDS = Gauge(
    "hcp_projections_lag_seconds",
    "Age of the newest applied record while others wait, and 0 while none does; when scraped",
    ("topic",),
)
REFUSED = Counter(
    "hcp_projections_refused",
    "Records that could not be understood or stored; the dead letter of each is written once",
    ("topic", "reason"),
)
PAUSES = Counter(
    "hcp_projections_pauses",
    "Rests of a partition whose dead letters come too fast: look at them, then at the deploy",
)
RETRIES = Counter(
    "hcp_projections_retries", "Tries that failed and are made again", ("dependency",)
)
BEHIND = Gauge("hcp_projections_behind_read_models", "Read models before the runner's position")
