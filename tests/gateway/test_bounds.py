"""What the gateway takes, a site takes too: no refusal of its numbers follows a 202."""

from __future__ import annotations

from gateway import commands
from streams import site_inputs, site_names


def test_bounds_are_those_of_the_sites() -> None:
    ours = (
        *(commands.MAX_GPUS, commands.MAX_DURATION_S, commands.MAX_POWER_W, commands.MAX_PRIORITY),
        *(commands.MAX_PRICE_USD, commands.LAST_MS),
    )
    theirs = (
        *(site_inputs.MAX_GPU_COUNT, site_inputs.MAX_DURATION_S, site_inputs.MAX_CAP_W),
        *(site_inputs.MAX_PRIORITY, site_inputs.MAX_PRICE_USD, site_inputs.MAX_TIME_MS),
    )
    assert ours == theirs


def test_ids_and_names_are_within_theirs() -> None:
    spec = commands.WorkloadSubmission.model_json_schema()["properties"]
    for name in ("name", "customer_id"):
        assert spec[name]["maxLength"] <= site_names.MAX_ID_LENGTH, name
