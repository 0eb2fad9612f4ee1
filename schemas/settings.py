"""Where the registry and the broker are, and how topics are laid out there."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Read from the environment: HCP_KAFKA, HCP_SCHEMA_REGISTRY, ...

    kafka: bootstrap servers
    schema_registry: base of a Confluent-compatible API
    topic_prefix: in front of every topic of this environment
    partitions: of every log, chosen once
    replication: copies of every record
    """

    model_config = SettingsConfigDict(env_prefix="HCP_")

    kafka: str = "127.0.0.1:9092"
    schema_registry: str = "http://127.0.0.1:8081/apis/ccompat/v7"
    topic_prefix: str = ""
    partitions: Annotated[int, Field(ge=1, le=4096)] = 1
    replication: Annotated[int, Field(ge=1, le=9)] = 1
