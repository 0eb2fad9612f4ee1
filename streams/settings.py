"""Where the broker and the registry are, and the loop's bounds."""

from __future__ import annotations

import os
import tempfile
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Read from the environment: HCP_KAFKA, HCP_SCHEMA_REGISTRY, ...

    kafka: bootstrap servers
    schema_registry: base of a Confluent-compatible API
    topic_prefix: in front of every topic and consumer group of this environment
    instance: tells the members of one consumer group apart, and must stay the same over a restart:
        so a worker that died gets its partitions back at once. Two running workers with the same
        one fence each other off
    metrics_port: for Prometheus, on loopback unless `metrics_host` says otherwise; 0 serves none
    checkpoint_interval_ms: the least time between two checkpoints. The real interval is also at
        least ten times the processor time of the last one: large states cost no more than a tenth
    checkpoint_records: a checkpoint is due at the latest after so many records
    patience_s: how long Kafka may be silent before the worker gives up and says so
    session_timeout_s: how long Kafka keeps the partitions of a silent worker for it
    """

    model_config = SettingsConfigDict(env_prefix="HCP_")

    kafka: str = "127.0.0.1:9092"
    schema_registry: str = "http://127.0.0.1:8081/apis/ccompat/v7"
    topic_prefix: str = ""
    instance: str = "0"
    metrics_port: Annotated[int, Field(ge=0, le=65535)] = 0
    metrics_host: str = "127.0.0.1"
    checkpoint_interval_ms: Annotated[int, Field(ge=10, le=600_000)] = 1000
    checkpoint_records: Annotated[int, Field(ge=1, le=1_000_000)] = 20_000
    patience_s: Annotated[float, Field(gt=0, le=3600)] = 60
    session_timeout_s: Annotated[float, Field(ge=6, le=1800)] = 60
    log_level: str = "INFO"

    @property
    def scratch_dir(self) -> str:
        """Faust makes directories for tables at every start, and there are no tables."""
        return f"{tempfile.gettempdir()}/hcp-faust-{os.getuid()}"
