"""The gateway's settings: environment variables with the prefix HCP_."""

from __future__ import annotations

import ipaddress

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class RefusedAddress(ValueError):
    """HCP_GATEWAY_HOST would let other machines in. The process must not start."""


class Settings(BaseSettings):
    """Connections are named as everywhere in HCP; the rest is HCP_GATEWAY_*."""

    model_config = SettingsConfigDict(env_prefix="HCP_", extra="ignore")

    kafka: str = "127.0.0.1:9092"
    schema_registry: str = "http://127.0.0.1:8081/apis/ccompat/v7"
    database: str = "postgresql://hcp@127.0.0.1:5432/hcp"
    topic_prefix: str = ""

    gateway_host: str = "127.0.0.1"
    gateway_port: int = Field(default=8080, ge=1, le=65535)
    # Names beside those of the loopback interface under which it may be asked, separated by commas.
    gateway_hosts: str = ""
    gateway_database_connections: int = Field(default=8, ge=2, le=100)
    gateway_max_body_bytes: int = Field(default=1_000_000, ge=1)
    # A body has so long to arrive, and of so many on their way the oldest gives way to a new one.
    gateway_body_timeout_s: float = Field(default=10.0, gt=0)
    gateway_max_coming_bodies: int = Field(default=100, ge=1)
    # A connection has so long for a request's headers; of so many without a request, those that
    # were answered and stay open among them, the oldest is closed.
    gateway_header_timeout_s: float = Field(default=10.0, gt=0)
    gateway_max_waiting_connections: int = Field(default=400, ge=1)
    # An answer of which a client takes nothing for so long ends the connection.
    gateway_unread_timeout_s: float = Field(default=20.0, gt=0)
    gateway_max_concurrent_requests: int = Field(default=200, ge=1)
    # Reads that wait for a position; they are not among the concurrent requests meanwhile.
    gateway_max_waiting_reads: int = Field(default=500, ge=1)
    gateway_request_timeout_s: float = Field(default=20.0, gt=0)
    gateway_query_timeout_s: float = Field(default=10.0, gt=0)
    gateway_publish_timeout_s: float = Field(default=5.0, gt=0)
    gateway_position_wait_s: float = Field(default=5.0, gt=0)
    # The pool that takes submissions which name no site.
    gateway_default_pool: str = "default"

    @property
    def hosts(self) -> list[str]:
        return [name for part in self.gateway_hosts.split(",") if (name := part.strip())]


def require_loopback(host: str) -> None:
    """Refuse any address that another machine could reach.

    Raises RefusedAddress with one sentence for the person who started the process.
    """
    if not is_loopback(host):
        raise RefusedAddress(
            f"HCP_GATEWAY_HOST is {host}, but the gateway does not yet know who is asking, so it "
            "listens only on this machine: use 127.0.0.1, ::1 or localhost."
        )


def is_loopback(host: str) -> bool:
    """A name or address of this machine alone."""
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
