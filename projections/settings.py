"""Settings from HCP_ environment variables."""

from __future__ import annotations

from pydantic import Field, PositiveInt
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """kafka: bootstrap servers. schema_registry: base URL of its Confluent-compatible API.

    database: PostgreSQL DSN. topic_prefix: in front of every topic, for several environments on one
    cluster. metrics_port: 0 for none. projections_batch: most records in one transaction.
    projections_dead_letter_limit: most undecodable records of a partition in one batch. How fast a
    partition of them is read is bounded besides (`schemas/pace.py`), and the others do not wait.
    """

    model_config = SettingsConfigDict(env_prefix="HCP_", extra="ignore")

    kafka: str
    schema_registry: str
    database: str
    topic_prefix: str = ""
    metrics_port: int = Field(default=0, ge=0, le=65535)
    projections_batch: PositiveInt = 2000
    projections_dead_letter_limit: PositiveInt = 100


class DatabaseSettings(BaseSettings):
    """For commands that need nothing but the database."""

    model_config = SettingsConfigDict(env_prefix="HCP_", extra="ignore")

    database: str
