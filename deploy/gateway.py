"""The gateway's HTTP API, as far as the command line uses it; its errors become our sentences."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec

from deploy.errors import DeployError
from deploy.local.proxies import is_loopback

TIMEOUT_S = 30.0
OPTIONS = {"max_price_usd_per_gpu_hour": "--max-price"}  # not named like their field


class GatewayError(DeployError):
    """The gateway is away, or said no."""


class Money(msgspec.Struct, frozen=True):
    amount: str  # decimal
    currency: str


class Workloads(msgspec.Struct, frozen=True):
    submitted: int = 0
    placed: int = 0
    queued: int = 0
    switching: int = 0
    running: int = 0
    completed: int = 0
    cancelled: int = 0
    failed: int = 0
    rejected: int = 0


class FeederEnergy(msgspec.Struct, frozen=True):
    site_id: str
    feeder_id: str
    energy_mwh: str
    ai_energy_mwh: str
    mining_energy_mwh: str


class RefusedUsage(msgspec.Struct, frozen=True):
    site_id: str
    reason: str
    count: int


class BillingDifference(msgspec.Struct, frozen=True):
    site_id: str
    reason: str
    count: int
    energy_mwh: str
    difference: Money


class ReportedHours(msgspec.Struct, frozen=True):
    site_id: str
    begins: str = msgspec.field(name="from")
    ends: str = msgspec.field(name="to")
    compared_until: str | None = msgspec.field(name="compared_to")


class Profit(msgspec.Struct, frozen=True):
    ai_revenue: Money
    mining_revenue: Money
    power_cost: Money
    profit: Money


class PolicyProfit(Profit, frozen=True):
    policy: str = ""


class Invoices(msgspec.Struct, frozen=True):
    drafted: int
    finalized: int
    total: Money


class SiteClock(msgspec.Struct, frozen=True):
    site_id: str
    now: str | None


class Report(msgspec.Struct, frozen=True):
    workloads: Workloads
    energy: list[FeederEnergy]
    profit: Profit
    policies: list[PolicyProfit]
    invoices: Invoices
    clock: list[SiteClock]
    hours: list[ReportedHours]
    unbilled_ai_energy_mwh: str
    refused_usage: list[RefusedUsage]
    billing_differences: list[BillingDifference]
    begins: str | None = msgspec.field(name="from", default=None)
    ends: str | None = msgspec.field(name="to", default=None)


class Gateway:
    def __init__(self, url: str, timeout_s: float = TIMEOUT_S) -> None:
        self._url = url
        self._client = httpx.Client(timeout=timeout_s, trust_env=not is_loopback(url))

    def get(self, path: str, **parameters: str) -> dict[str, Any]:
        return self._answer("GET", path, query=parameters)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._answer("POST", path, body=body)

    def report(self, site_id: str | None = None) -> Report:
        answer = self.get("/report", **({"site_id": site_id} if site_id else {}))
        try:
            return msgspec.convert(answer, Report)
        except msgspec.ValidationError as error:
            raise GatewayError(f"The gateway's report is of another version: {error}.") from error

    def _answer(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        try:
            response = self._client.request(
                method, f"{self._url}/api/v1{path}", params=query, json=body
            )
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError) as error:
            raise GatewayError(
                f"{self._url} is not a URL: give --gateway or HCP_GATEWAY_URL one that begins with "
                "http:// or https://."
            ) from error
        except httpx.TimeoutException as error:
            raise GatewayError(f"The gateway at {self._url} did not answer in time.") from error
        except httpx.TransportError as error:
            raise GatewayError(
                f"No gateway answers at {self._url}: start the stack with `hcp up`, or see with "
                "`hcp status` how far its start has come."
            ) from error
        if response.is_success:
            try:
                answer: dict[str, Any] = response.json()
            except ValueError as error:
                raise GatewayError(f"What answers at {self._url} is no gateway of HCP.") from error
            return answer
        raise GatewayError(problem(response))


class Fault(msgspec.Struct, frozen=True):
    detail: str
    pointer: str | None = None  # into the body
    parameter: str | None = None


class Problem(msgspec.Struct, frozen=True):
    """RFC 9457, as the gateway writes it."""

    title: str
    detail: str | None = None
    errors: list[Fault] | None = None


def problem(response: httpx.Response) -> str:
    """One sentence, or each fault that the gateway names on a line of its own."""
    try:
        said = msgspec.json.decode(response.content, type=Problem)
    except msgspec.DecodeError:
        status = f"{response.status_code} {response.reason_phrase}"
        return f"What answers there is no gateway of HCP: it said {status}."
    faults = [f"{option(fault)}: {fault.detail}" for fault in said.errors or []]
    if not faults:
        return said.detail or said.title
    if len(faults) == 1:
        return faults[0]
    return "The gateway refuses this:" + "".join(f"\n  {fault}" for fault in faults)


def option(fault: Fault) -> str:
    """What a person typed: a field of the body as its option, anything else by its name."""
    if fault.pointer is None:
        return fault.parameter or "the request"
    field = fault.pointer.removeprefix("#/")
    return OPTIONS.get(field, f"--{field.replace('_', '-')}")
