"""Some hours of one site, as the naive policies are told them: facts, each at its moment.

Everything is said when it became so, and nothing earlier: units when they were registered, limits
and prices when they began to hold, what a job really took when it was over. So what is simulated up
to an hour never depends on what came later, and can be kept and gone on from.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Literal, get_args

from gateway.price_series import PriceSeries

Policy = Literal["always_mine", "ai_first", "strike_2_up_4_down"]
POLICIES: tuple[Policy, ...] = get_args(Policy)
ANY_MODEL = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitsChanged:
    """So many units more of one kind on one feeder, or fewer where count is negative."""

    feeder_id: str
    kind: str
    model: str
    power_w: int
    hashrate_ths: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """list_prices: micro-dollars a GPU-hour, by model"""

    power_cap_w: int
    feeder_caps_w: Mapping[str, int]
    list_prices: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Curtailed:
    """The lowest level asked for from now on; None: none."""

    max_power_w: int | None


@dataclass(frozen=True, slots=True)
class MiningSwitched:
    """By the strike rule."""

    on: bool


@dataclass(frozen=True, slots=True)
class TermsChanged:
    """Another contract of this customer begins."""

    customer_id: str


@dataclass(frozen=True, slots=True)
class JobEnded:
    """HCP is done with it. ran_ms: how long it ran; None: its customer cancelled it."""

    workload_id: str
    ran_ms: int | None


@dataclass(slots=True, kw_only=True)
class Job:
    """A submission as HCP queued it.

    gpu_model: None: any
    duration_ms: what its customer expects
    max_price: micro-dollars a GPU-hour; None: any price
    """

    workload_id: str
    customer_id: str
    gpu_model: str | None
    gpu_count: int
    gpu_milli: int
    duration_ms: int
    max_price: int | None = None


Fact = UnitsChanged | Configured | Curtailed | MiningSwitched | TermsChanged | JobEnded | Job
# What happens at one moment happens in this order: room is made before it is used.
RANKS: dict[type, int] = {
    kind: rank
    for rank, kind in enumerate(
        (Configured, UnitsChanged, Curtailed, MiningSwitched, TermsChanged, Job, JobEnded)
    )
}
Timed = tuple[int, int, Fact]
WHEN = itemgetter(0, 1)


def timed(facts: Iterable[tuple[int, Fact]]) -> list[Timed]:
    """In the order in which they happen; of one moment and rank, in the order given."""
    return sorted(((at, RANKS[type(fact)], fact) for at, fact in facts), key=WHEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a customer pays.

    prices: micro-dollars a GPU-hour, by model or for any other; None: the list price
    energy_adder: micro-dollars a MWh on the power price; None: energy is not passed through
    """

    prices: Mapping[str, int] | None = None
    energy_adder: int | None = 0

    def price(self, model: str, list_prices: Mapping[str, int]) -> int:
        """The list price where a tariff has none, as invoicing prices it; zero if there is none."""
        listed = list_prices.get(model, 0)
        if self.prices is None:
            return listed
        return self.prices.get(model, self.prices.get(ANY_MODEL, listed))


ON_DEMAND = Terms()


@dataclass(frozen=True, slots=True)
class TermsBook:
    """By customer, its terms and the moments they begin, in order, from on demand in 1970."""

    by_customer: Mapping[str, tuple[tuple[int, Terms], ...]] = field(default_factory=dict)

    def at(self, customer_id: str, moment_ms: int) -> Terms:
        terms = self.by_customer.get(customer_id)
        if not terms:
            return ON_DEMAND
        return terms[max(0, bisect_right(terms, moment_ms, key=itemgetter(0)) - 1)][1]

    def until(self, customer_id: str, moment_ms: int) -> tuple[tuple[int, Terms], ...]:
        """What has begun by then, and what holds before anything has."""
        first, *later = self.by_customer.get(customer_id) or ((0, ON_DEMAND),)
        return (0, first[1]), *(terms for terms in later if terms[0] < moment_ms)

    def changes(self) -> list[tuple[int, TermsChanged]]:
        return [
            (begins, TermsChanged(customer_id))
            for customer_id, terms in self.by_customer.items()
            for begins, _ in terms[1:]
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteHours:
    """What happened on one site until end_ms. facts: in order; one from before counts at once."""

    end_ms: int
    facts: list[Timed]
    power_prices: PriceSeries
    hash_prices: PriceSeries
    terms: TermsBook = field(default_factory=TermsBook)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Micro-dollars."""

    ai_revenue: int = 0
    mining_revenue: int = 0
    power_cost: int = 0

    @property
    def profit(self) -> int:
        return self.ai_revenue + self.mining_revenue - self.power_cost

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(
            ai_revenue=self.ai_revenue + other.ai_revenue,
            mining_revenue=self.mining_revenue + other.mining_revenue,
            power_cost=self.power_cost + other.power_cost,
        )
