"""Where Kafka and the registry are, and how far the clock may run ahead of routing."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Read from the environment: HCP_KAFKA, HCP_SCHEMA_REGISTRY, ...

    metrics_port: serves /metrics beside the one on the HTTP port; 0: only there
    simulator_pace: `routing`: event time waits for routing and brokering; `free`: it does not (to
        fill a log that no agent reads)
    simulator_lead_s: how many wall seconds' worth of event time, at full speed, the clock may be
        ahead of what routing is known to have read; routing tells each second at best
    simulator_settle_s: after a new price event time waits for the optimizer's plan, so that it
        takes effect in the interval it was made for; but so many wall seconds, because often there
        is nothing to change and nobody says so, and up to eight times as many on a machine where
        plans take longer
    simulator_stall_s: how long Kafka may take nothing before the process ends
    """

    model_config = SettingsConfigDict(env_prefix="HCP_")

    kafka: str = "127.0.0.1:9092"
    schema_registry: str = "http://127.0.0.1:8081/apis/ccompat/v7"
    topic_prefix: str = ""
    metrics_port: Annotated[int, Field(ge=0, le=65_535)] = 0
    simulator_pace: Literal["routing", "free"] = "routing"
    simulator_lead_s: Annotated[float, Field(ge=1, le=60)] = 4.0
    simulator_settle_s: Annotated[float, Field(ge=0, le=10)] = 0.25
    simulator_stall_s: Annotated[float, Field(ge=1, le=600)] = 30.0
