"""The producer after an error from which librdkafka does not recover."""

from __future__ import annotations

import ctypes
from pathlib import Path

import confluent_kafka
import httpx2 as httpx
from confluent_kafka import Producer

from gateway.publisher import Publisher
from tests.integration.processes import wait_until

SUBMISSION = {
    "name": "n",
    "customer_id": "c",
    "kind": "batch",
    "gpu_count": 1,
    "duration_s": 1,
}


def test_writes_go_on_after_a_fatal_error(client: httpx.Client) -> None:
    assert client.post("/api/v1/workloads", json=SUBMISSION).status_code == 202
    publisher: Publisher = client.app.state.gateway.publisher  # type: ignore[attr-defined]
    dead = publisher._producer
    kill(dead)
    wait_until(lambda: publisher._producer is not dead, 10, "another producer takes over")
    answer = client.post("/api/v1/workloads", json=SUBMISSION)
    assert answer.status_code == 202, answer.text


def kill(producer: Producer) -> None:
    """By librdkafka's own way to test this, which the Python client does not pass on."""
    (library,) = (Path(confluent_kafka.__file__).parents[1]).glob(
        "confluent_kafka.libs/librdkafka*.so*"
    )
    librdkafka = ctypes.CDLL(str(library))
    handle = ctypes.c_void_p.from_address(id(producer) + object.__basicsize__)
    out_of_order = 45  # OUT_OF_ORDER_SEQUENCE_NUMBER
    assert librdkafka.rd_kafka_test_fatal_error(handle, out_of_order, b"a test") == 0
