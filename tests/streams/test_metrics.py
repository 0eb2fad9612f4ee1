"""Every metric is declared once, named by the rule and explained."""

from __future__ import annotations

import re

from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

from streams import metrics
from streams.loop import Tally
from streams.metrics import PartitionMetrics

DECLARED = [value for value in vars(metrics).values() if isinstance(value, MetricWrapperBase)]


def test_names_follow_the_rule_and_say_what_they_mean() -> None:
    assert len(DECLARED) >= 10
    for metric in DECLARED:
        (described,) = metric.describe()
        assert re.fullmatch(r"hcp_streams_[a-z_]+", described.name)
        assert described.documentation.endswith(".")


def test_a_tally_is_told_once() -> None:
    told = PartitionMetrics("test-agent", 3)
    tally = Tally(inputs=5, repeats=2)
    told.tell(tally, {"late_wh": 40})
    told.tell(tally, {"late_wh": 40})
    tally.inputs = 7
    told.tell(tally, {"late_wh": 50})
    labels = {"agent": "test-agent", "partition": "3"}
    assert REGISTRY.get_sample_value("hcp_streams_inputs_total", labels) == 7
    assert REGISTRY.get_sample_value("hcp_streams_repeats_dropped_total", labels) == 2
    what = {**labels, "what": "late_wh"}
    assert REGISTRY.get_sample_value("hcp_streams_left_out", what) == 50
