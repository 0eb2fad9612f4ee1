"""What invoicing remembers of one customer.

Bounds: rated usage is kept until its period is drafted; usage without a price until a tariff has
one, MAX_HELD pieces; how far each placement was recorded, until its site's watermark passes that;
tariffs and contracts are limited in number; a draft is kept until it is final.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from schemas.events.accounts import UsageCollected
from streams.quantities import DAY_MS

MAX_TARIFFS = 1_000
MAX_CONTRACTS = 1_000
MAX_HELD = 10_000
"""Pieces of usage that wait for a price; one more is refused."""

MAX_GRACE_S = 30 * 24 * 3600

MAX_SILENCE_MS = 366 * DAY_MS
"""How long after its last word a site may be waived at once: as far as its times may lie apart.
The account log has no clock of a silent site; further is a clock of another time."""


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
    """billed_until: end of the newest period drafted; closing: the sites of that period; reopened:
    how often a site's clock was set back behind it, and periods came once more."""

    tariff_id: str
    starts_at: int
    billing_period: str
    grace_s: int
    auto_finalize: bool
    billed_until: int = 0
    reopened: int = 0
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
class Held:
    """A piece of usage that nobody has said a price for."""

    site_id: str
    workload_id: str
    placement_id: str
    meter: str
    gpu_model: str
    ends_at: int
    contract_id: str
    quantity: int
    unit: str


@dataclass(slots=True, kw_only=True)
class State:
    """A customer.

    periods: open ones, by contract and start
    held: what waits for a price, by usage and start
    drafts: by invoice
    watermarks: by site
    waived: by site, up to when it is not waited for; ahead of its watermark, and gone with the next
    recorded: the end of the newest usage rated, by site, meter and placement; see `usage`
    """

    customer_id: str
    tariffs: dict[str, Tariff] = field(default_factory=dict)
    contracts: dict[str, Contract] = field(default_factory=dict)
    periods: dict[str, dict[int, Period]] = field(default_factory=dict)
    held: dict[str, dict[int, Held]] = field(default_factory=dict)
    drafts: dict[str, Draft] = field(default_factory=dict)
    watermarks: dict[str, int] = field(default_factory=dict)
    waived: dict[str, int] = field(default_factory=dict)
    recorded: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)

    def is_news(self, event: UsageCollected) -> bool:
        return event.corrected or event.collected_until > self.watermarks.get(event.site_id, -1)

    def waited_until(self) -> dict[str, int]:
        """By site, up to when nothing more of it holds up a period."""
        return {**self.watermarks, **self.waived}

    def last_word_of(self, site_id: str) -> int:
        """Up to when a site has told anything of this customer, ms."""
        by_meter = self.recorded.get(site_id, {}).values()
        ends = [ends_at for by_placement in by_meter for ends_at in by_placement.values()]
        return max([self.watermarks.get(site_id, 0), *ends])

    def awaits(self, site_id: str) -> bool:
        """Whether a period or a draft waits, or will wait, for a site."""
        waited = [draft.sites for draft in self.drafts.values()]
        waited += [p.sites for by_start in self.periods.values() for p in by_start.values()]
        return any(site_id in sites for sites in waited)


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
