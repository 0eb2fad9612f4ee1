"""Every metric of an agent's worker, declared once with its meaning."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import Counter, Gauge, Histogram, start_http_server

from streams.errors import PortTaken
from streams.loop import Tally

_PLACE = ("agent", "partition")
_LATENCIES_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 600)
_CAPTURES_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1)
_DURATIONS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)

LAG = Gauge(
    "hcp_streams_lag_records",
    "Records of the log that the agent has not applied yet.",
    _PLACE,
)
UNSEARCHED = Gauge(
    "hcp_streams_unsearched_records",
    "Records that a start has still to look at for answers of earlier ones, before it goes on.",
    _PLACE,
)
POSITION = Gauge(
    "hcp_streams_position_offset",
    "Offset of the last record applied.",
    _PLACE,
)
INPUTS = Counter(
    "hcp_streams_inputs_total",
    "Records that the agent decided about; its rate is the throughput.",
    _PLACE,
)
ANSWERS = Counter(
    "hcp_streams_answers_total",
    "Events that the agent answered with.",
    _PLACE,
)
OWN = Counter(
    "hcp_streams_own_total",
    "The agent's own answers met in its log and skipped.",
    _PLACE,
)
REPEATS = Counter(
    "hcp_streams_repeats_dropped_total",
    "Records dropped because their cause was answered before: made again after a crash.",
    _PLACE,
)
REFUSED = Counter(
    "hcp_streams_refused_total",
    "Records that could not be understood; the dead letter of each is written by one reader.",
    _PLACE,
)
DECISION_LATENCY = Histogram(
    "hcp_streams_decision_latency_seconds",
    "From the broker's timestamp of a record to its answers being handed to the producer.",
    _PLACE,
    buckets=_LATENCIES_S,
)
CHECKPOINT = Histogram(
    "hcp_streams_checkpoint_seconds",
    "A checkpoint: flush, snapshot, until both are durable.",
    _PLACE,
    buckets=_DURATIONS_S,
)
CAPTURE = Histogram(
    "hcp_streams_capture_seconds",
    "Taking the state for a checkpoint: how long no decision could be made.",
    _PLACE,
    buckets=_CAPTURES_S,
)
RESTORE = Gauge(
    "hcp_streams_restore_seconds",
    "What the last start spent on reading its snapshot.",
    _PLACE,
)
LEFT_OUT = Gauge(
    "hcp_streams_left_out",
    "What the agent understood and left out of account since its log began; `what` says its unit.",
    (*_PLACE, "what"),
)
REGISTRY_WAITS = Counter(
    "hcp_streams_registry_waits_total",
    "Times a record had to wait because the schema registry did not answer.",
    _PLACE,
)
GARBAGE_PAUSES = Counter(
    "hcp_streams_garbage_pauses_total",
    "Times the agent paused because it understood none of many records in a row.",
    _PLACE,
)


class PartitionMetrics:
    """The metrics of one agent on one partition."""

    def __init__(self, agent: str, partition: int) -> None:
        labels = (agent, str(partition))
        self.lag = LAG.labels(*labels)
        self.position = POSITION.labels(*labels)
        self.unsearched = UNSEARCHED.labels(*labels)
        self.decision_latency = DECISION_LATENCY.labels(*labels)
        self.checkpoint = CHECKPOINT.labels(*labels)
        self.capture = CAPTURE.labels(*labels)
        self.restore = RESTORE.labels(*labels)
        self.garbage_pauses = GARBAGE_PAUSES.labels(*labels)
        self.registry_waits = REGISTRY_WAITS.labels(*labels)
        self._labels = labels
        self._counters = {
            "inputs": INPUTS.labels(*labels),
            "answers": ANSWERS.labels(*labels),
            "own": OWN.labels(*labels),
            "repeats": REPEATS.labels(*labels),
            "refused": REFUSED.labels(*labels),
        }
        self._told = dict.fromkeys(self._counters, 0)

    def tell(self, tally: Tally, left_out: Mapping[str, int]) -> None:
        """Add what became of the records since the last call; what was left out is a total."""
        for name, counter in self._counters.items():
            now = getattr(tally, name)
            counter.inc(now - self._told[name])
            self._told[name] = now
        for what, total in left_out.items():
            LEFT_OUT.labels(*self._labels, what).set(total)


def serve(host: str, port: int) -> None:
    """Serve /metrics from a thread of its own; 0 serves nothing. Raises PortTaken."""
    if not port:
        return
    try:
        start_http_server(port, addr=host)
    except OSError as error:
        raise PortTaken(f"HCP_METRICS_PORT={port}: {error.strerror}") from error
