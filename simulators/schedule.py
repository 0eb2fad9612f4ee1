"""What a scenario publishes on its own account, whatever anyone answers: in order, with fixed ids.

The same scenario gives the same events and the same ids, byte for byte. Sites and units come first,
then the first prices, then the clock starts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import count

from schemas.envelope import Envelope, produced
from schemas.events import accounts, intake, sites
from schemas.topics import Event
from simulators import seeded
from simulators.hardware import CATALOGUE
from simulators.market import HOUR_MS, INTERVAL_MS, hashprice_walk, power_prices
from simulators.scenario import Customer, Scenario, Site
from simulators.workloads import Arrival, arrivals


@dataclass(frozen=True, slots=True)
class Planned:
    """An event and its envelope, ready to be published when event time reaches `at`."""

    event: Event
    envelope: Envelope

    @property
    def at(self) -> int:
        return self.event.at


def source_of(scenario: Scenario) -> str:
    return f"/hcp/simulators/{scenario.name}"


def planned(scenario: Scenario, owner: str, event: Event, *names: str | int) -> Planned:
    """names: what tells this event from others of its type and owner (a site, customer or pool)."""
    kind = event.FULL_NAME.rpartition(".")[2]
    identity = seeded.event_id(scenario.name, owner, kind, *names)
    return Planned(event, produced(event, source=source_of(scenario), id=identity))


def customer_events(scenario: Scenario) -> Iterator[Planned]:
    """Each customer with a tariff and a contract, from the scenario's start."""
    for customer in scenario.customers:
        for event in _agreements(customer, scenario.starts_ms):
            yield planned(scenario, customer.customer_id, event)


def site_setup(scenario: Scenario, site: Site) -> Iterator[Planned]:
    """The site, then its units by feeder."""
    yield planned(scenario, site.site_id, _configured(site, scenario.starts_ms))
    for event in _units(site, scenario.starts_ms):
        yield planned(scenario, site.site_id, event, event.unit_id)


def site_feed(scenario: Scenario, site: Site) -> list[Planned]:
    """Prices until the scenario ends, and arrivals that go straight to the site; by time."""
    events: list[Planned] = [*_hashprices(scenario, site), *_power_prices(scenario, site)]
    if scenario.workloads.through == "site":
        events += [_to_site(scenario, site.site_id, arrival) for arrival in arrivals(scenario)]
    return sorted(events, key=lambda planned: planned.at)  # stable: prices before arrivals


def held_prices(scenario: Scenario, site: Site) -> Iterator[Planned]:
    """The last prices once more, in each interval after the last of the feed; without end."""
    feed = site_feed(scenario, site)
    power = next(e for p in reversed(feed) if isinstance(e := p.event, sites.PowerPricePublished))
    hashing = next(e for p in reversed(feed) if isinstance(e := p.event, sites.HashpricePublished))
    for at in count(power.interval_end, INTERVAL_MS):
        if at >= hashing.interval_start + HOUR_MS:
            hashing = replace(hashing, at=at, interval_start=at)
            yield planned(scenario, site.site_id, hashing, at)
        power = replace(power, at=at, interval_start=at, interval_end=at + INTERVAL_MS)
        yield planned(scenario, site.site_id, power, at)


def intake_feed(scenario: Scenario) -> list[Planned]:
    """Arrivals for which brokering chooses the site; by time. The pool is the first site's."""
    if scenario.workloads.through != "intake":
        return []
    pool = scenario.sites[0].pool
    return [
        planned(
            scenario,
            pool,
            intake.WorkloadSubmitted(pool=pool, **asdict(arrival)),
            arrival.workload_id,
        )
        for arrival in arrivals(scenario)
    ]


def _configured(site: Site, at: int) -> sites.SiteConfigured:
    return sites.SiteConfigured(
        site_id=site.site_id,
        at=at,
        name=site.name,
        pool=site.pool,
        power_cap_w=site.power_cap_w,
        feeders=tuple(
            sites.Feeder(feeder_id=feeder.feeder_id, power_cap_w=feeder.power_cap_w)
            for feeder in site.feeders
        ),
        gpu_prices=tuple(
            sites.GpuPrice(gpu_model=model, price_usd_per_gpu_hour=price)
            for model, price in sorted(site.gpu_prices.items())
        ),
    )


def _units(site: Site, at: int) -> Iterator[sites.UnitRegistered]:
    """Numbered by model across the site's feeders: h100-0001, …"""
    counts: dict[str, int] = {}
    for feeder in site.feeders:
        for group in feeder.units:
            model = CATALOGUE[group.model]
            for _ in range(group.count):
                counts[model.name] = counts.get(model.name, 0) + 1
                yield sites.UnitRegistered(
                    site_id=site.site_id,
                    at=at,
                    unit_id=f"{model.name.lower()}-{counts[model.name]:04d}",
                    feeder_id=feeder.feeder_id,
                    kind=model.kind,
                    model=model.name,
                    memory_gb=model.memory_gb,
                    modes=model.modes,
                )


def _hashprices(scenario: Scenario, site: Site) -> Iterator[Planned]:
    walk = hashprice_walk(scenario.market.hashprice, scenario.starts_ms, scenario.closes_ms)
    for point in walk:
        event = sites.HashpricePublished(
            site_id=site.site_id,
            at=point.interval_start,
            interval_start=point.interval_start,
            hashprice_usd_per_ph_day=point.hashprice_usd_per_ph_day,
            difficulty=point.difficulty,
            fees_sats=point.fees_sats,
            btc_price_usd=point.btc_price_usd,
        )
        yield planned(scenario, site.site_id, event, point.interval_start)


def _power_prices(scenario: Scenario, site: Site) -> Iterator[Planned]:
    market = scenario.market
    for price in power_prices(
        market.power_prices, market.settlement_point, scenario.starts_ms, scenario.closes_ms
    ):
        event = sites.PowerPricePublished(
            site_id=site.site_id,
            at=price.interval_start,
            settlement_point=price.settlement_point,
            interval_start=price.interval_start,
            interval_end=price.interval_start + INTERVAL_MS,
            price_usd_per_mwh=price.price_usd_per_mwh,
        )
        yield planned(scenario, site.site_id, event, price.interval_start)


def _to_site(scenario: Scenario, site_id: str, arrival: Arrival) -> Planned:
    event = sites.WorkloadSubmitted(site_id=site_id, **asdict(arrival))
    return planned(scenario, site_id, event, arrival.workload_id)


def _agreements(customer: Customer, at: int) -> Iterator[Event]:
    customer_id = customer.customer_id
    tariff_id = f"{customer_id}-tariff-1"
    yield accounts.CustomerEnrolled(customer_id=customer_id, at=at, name=customer.name)
    yield accounts.TariffPublished(
        customer_id=customer_id,
        at=at,
        tariff_id=tariff_id,
        effective_from=at,
        gpu_prices=tuple(
            accounts.GpuPrice(gpu_model=model, price_usd_per_gpu_hour=price)
            for model, price in sorted(customer.tariff.gpu_prices.items())
        ),
        energy_pass_through=customer.tariff.energy_pass_through,
        energy_adder_usd_per_mwh=customer.tariff.energy_adder_usd_per_mwh,
    )
    yield accounts.ContractSigned(
        customer_id=customer_id,
        at=at,
        contract_id=f"{customer_id}-contract-1",
        tariff_id=tariff_id,
        starts_at=at,
        billing_period=customer.contract.billing_period,
        grace_s=customer.contract.grace_s,
        auto_finalize=customer.contract.auto_finalize,
    )
