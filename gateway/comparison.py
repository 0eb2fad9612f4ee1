"""The naive policies over the settled hours of each site, kept and gone on from.

A simulation is never begun again for hours that it has passed, unless what it was told of them is
no longer so: a contract that begins in the past, a price that was corrected. It runs in one thread
of its own, whoever asks; who asks waits for it as long as he likes and takes what there is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gateway import report_queries as queries
from gateway.database import Database, Row
from gateway.naive_policies import NaiveRun
from gateway.price_series import PriceSeries
from gateway.site_facts import hash_series, job_facts, power_series, site_facts, terms_book
from gateway.site_hours import (
    POLICIES,
    WHEN,
    Job,
    Outcome,
    Policy,
    SiteHours,
    TermsBook,
    TermsChanged,
    Timed,
    timed,
)
from gateway.values import to_ms

PART = timedelta(days=2)
HOUR = timedelta(hours=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Outcomes of so many hours are kept: a report may cover fewer hours than one before it did.
MAX_KEPT_HOURS = 1000

Outcomes = Mapping[Policy, Outcome]


@dataclass(frozen=True, slots=True)
class Span:
    """came_up: start of the hour in which the site came up, which runs but is not counted."""

    site_id: str
    came_up: datetime
    start: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Compared:
    """What the policies came to from the span's start until there."""

    until: datetime
    outcomes: Outcomes


@dataclass(frozen=True, slots=True)
class Told:
    """What the site was and may, over all time."""

    facts: list[Timed]
    terms: TermsBook

    def agrees(self, other: Told, until_ms: int, customers: Iterable[str]) -> bool:
        """About everything before that moment that mattered."""
        return _of_site(self.facts, until_ms) == _of_site(other.facts, until_ms) and all(
            self.terms.until(customer, until_ms) == other.terms.until(customer, until_ms)
            for customer in customers
        )


class Followed:
    """One site: its three runs, and what they came to at the end of each hour."""

    def __init__(self, span: Span, told: Told) -> None:
        self.came_up, self.until = span.came_up, span.came_up
        self.told = told
        self.prices: Row | None = None
        self.outcomes: dict[datetime, Outcomes] = {}
        self.customers: set[str] = set()
        self._runs = {policy: NaiveRun(policy, to_ms(span.came_up)) for policy in POLICIES}

    def advance(
        self, until: datetime, jobs: list[Timed], power: PriceSeries, hashes: PriceSeries
    ) -> None:
        """Hour by hour. jobs: of these hours."""
        self.customers |= {fact.customer_id for *_, fact in jobs if isinstance(fact, Job)}
        start_ms = 0 if self.until == self.came_up else to_ms(self.until)
        facts = sorted(
            [*jobs, *(f for f in self.told.facts if start_ms <= f[0] < to_ms(until))], key=WHEN
        )
        index = 0
        while self.until < until:
            end = self.until + HOUR
            end_ms, first = to_ms(end), index
            while index < len(facts) and facts[index][0] < end_ms:
                index += 1
            hours = SiteHours(
                end_ms=end_ms,
                facts=facts[first:index],
                power_prices=power,
                hash_prices=hashes,
                terms=self.told.terms,
            )
            for run in self._runs.values():
                run.advance(hours)
                if self.until == self.came_up:
                    run.forget_money()
            self.until = end
            self.outcomes[end] = {policy: run.outcome() for policy, run in self._runs.items()}
            if len(self.outcomes) > MAX_KEPT_HOURS:
                del self.outcomes[next(iter(self.outcomes))]


class Comparisons:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="naive-policies")
        self._followed: dict[str, Followed] = {}
        self._wanted: dict[str, Span] = {}
        self._working: asyncio.Task[None] | None = None

    async def compare(self, spans: Iterable[Span], patience_s: float) -> dict[str, Compared]:
        """By site, as far as the simulation has come in that time. Sites without any: left out.

        Raises what the database raises.
        """
        spans = list(spans)
        self._wanted |= {span.site_id: span for span in spans}
        if self._wanted:
            if self._working is None or self._working.done():
                self._working = asyncio.create_task(self._work(), name="naive-policies")
                self._working.add_done_callback(
                    lambda done: done.cancelled() or done.exception()  # seen, if nobody waits
                )
            await asyncio.wait({self._working}, timeout=patience_s)
            if self._working.done():
                self._working.result()
        found = {span.site_id: self._compared(span) for span in spans}
        return {site_id: compared for site_id, compared in found.items() if compared}

    def followed(self, site_id: str) -> Followed | None:
        return self._followed.get(site_id)

    async def close(self) -> None:
        if self._working is not None:
            self._working.cancel()
            await asyncio.wait({self._working})
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _compared(self, span: Span) -> Compared | None:
        followed = self._followed.get(span.site_id)
        if followed is None or followed.came_up != span.came_up:
            return None
        until = min(span.until, followed.until)
        outcomes = followed.outcomes.get(until)
        return Compared(until, outcomes) if outcomes is not None and until > span.start else None

    async def _work(self) -> None:
        """Until every site is where somebody wants it."""
        while self._wanted:
            site_id, span = next(iter(self._wanted.items()))
            try:
                await self._follow(span)
            finally:
                if self._wanted.get(site_id) == span:
                    del self._wanted[site_id]

    async def _follow(self, span: Span) -> None:
        database, site_id = self._database, span.site_id
        if not await queries.read_models_agree(database):
            return
        told = await self._told(site_id)
        followed = self._followed.get(site_id)
        if followed is None or not await self._still_so(followed, span, told):
            followed = self._followed[site_id] = Followed(span, told)
        followed.told = told
        while followed.until < span.until:
            await self._advance(site_id, followed, min(followed.until + PART, span.until))
            followed.prices = await queries.prices_digest(database, site_id, followed.until)

    async def _still_so(self, followed: Followed, span: Span, told: Told) -> bool:
        until_ms = to_ms(followed.until)
        return (
            followed.came_up == span.came_up
            and min(span.until, followed.until) in followed.outcomes
            and told.agrees(followed.told, until_ms, followed.customers)
            and followed.prices
            == await queries.prices_digest(self._database, span.site_id, followed.until)
        )

    async def _told(self, site_id: str) -> Told:
        database = self._database
        facts = site_facts(
            await queries.configurations(database, site_id),
            await queries.unit_changes(database, site_id),
            await queries.curtailment_spans(database, site_id),
        )
        terms = terms_book(await queries.contracts(database))
        return Told(sorted([*facts, *timed(terms.changes())], key=WHEN), terms)

    async def _advance(self, site_id: str, followed: Followed, until: datetime) -> None:
        span = (self._database, site_id, followed.until, until)
        since = EPOCH if followed.until == followed.came_up else followed.until
        queued = await queries.queued_jobs(self._database, site_id, since, followed.until, until)
        ended = await queries.ended_jobs(*span)
        power = await queries.power_price_steps(*span)
        hashes = await queries.hash_price_steps(*span)

        def work() -> None:
            jobs = job_facts(queued, ended)
            followed.advance(until, jobs, power_series(power), hash_series(hashes))

        # Never left half done: a run that nobody waits for any more is still gone on from later.
        await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, work))


def _of_site(facts: list[Timed], until_ms: int) -> list[Timed]:
    return [fact for fact in facts if fact[0] < until_ms and not isinstance(fact[2], TermsChanged)]
