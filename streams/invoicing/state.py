"""What invoicing remembers of one customer.

Bounds: usage is held until its period is drafted; how far each placement was recorded, until its
site's watermark passes that; tariffs and contracts are limited in number; a draft is held until it
is final.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

MAX_TARIFFS = 1_000
MAX_CONTRACTS = 1_000
MAX_GRACE_S = 30 * 24 * 3600


@dataclass(slots=True, kw_only=True)
class Tariff:
    """Prices in micro-dollars.

    at_list_price: GPU time costs the list price that it was placed at, if that is known
    by_model: for a GPU-hour; "*" stands for every other model
    """

    at_list_price: bool
    effective_from: int
    by_model: dict[str, int]
    energy_pass_through: bool
    energy_adder: int


@dataclass(slots=True, kw_only=True)
class Contract:
    """billed_until: end of the newest period drafted; closing: the sites of that period."""

    tariff_id: str
    starts_at: int
    billing_period: str
    grace_s: int
    auto_finalize: bool
    billed_until: int = 0
    closing: dict[str, None] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Line:
    unit: str
    quantity: int = 0
    amount_usd_micros: int = 0
    usage_ids: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Part:
    """What one invoice will bill.

    lines: by workload, meter and what priced it (empty: the rating does not say)
    size_bytes: a generous estimate
    """

    lines: dict[str, dict[str, dict[str, Line]]] = field(default_factory=dict)
    total_usd_micros: int = 0
    size_bytes: int = 0


@dataclass(slots=True, kw_only=True)
class Period:
    """An open period. sites: those with usage in it; parts: filled one after the other."""

    ends_at: int
    sites: dict[str, None] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Draft:
    """sites: their watermarks must pass due_at before the draft becomes final."""

    number: str
    total_usd_micros: int
    due_at: int
    auto_finalize: bool
    sites: dict[str, None]


@dataclass(slots=True, kw_only=True)
class State:
    """A customer.

    periods: open ones, by contract and start
    drafts: by invoice
    watermarks: by site
    recorded: the end of the newest usage rated, by site, meter and placement; see `usage`
    """

    customer_id: str
    tariffs: dict[str, Tariff] = field(default_factory=dict)
    contracts: dict[str, Contract] = field(default_factory=dict)
    periods: dict[str, dict[int, Period]] = field(default_factory=dict)
    drafts: dict[str, Draft] = field(default_factory=dict)
    watermarks: dict[str, int] = field(default_factory=dict)
    recorded: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)


def upcast_2(state: dict[str, Any]) -> dict[str, Any]:
    """Lines did not say yet what had priced them, and ratings not what they rated."""
    state.pop("heard", None)
    for by_start in state["periods"].values():
        for period in by_start.values():
            for part in period["parts"]:
                for by_meter in part["lines"].values():
                    for meter, line in by_meter.items():
                        by_meter[meter] = {"": line}
    return state
