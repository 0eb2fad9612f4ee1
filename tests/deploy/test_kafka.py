"""What Kafka is told before it starts."""

from __future__ import annotations

import uuid

import pytest

from deploy.local.kafka import cluster_id


@pytest.mark.parametrize("first_byte", range(256))
def test_a_cluster_id_never_reads_as_an_option(first_byte: int) -> None:
    name = cluster_id(uuid.UUID(bytes=bytes([first_byte, *range(15)])))
    assert name[0] not in "-_"
    assert len(name) == 22
