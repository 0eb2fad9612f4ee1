"""What metering remembers of each event of a site.

Nothing is judged here: what routing refused comes as `RefusedInput`. What is left out of account
for metering's own reasons follows from its state and from the bounds of what that state holds.
"""

from __future__ import annotations

from schemas.events import sites
from schemas.events.sites import SitesEvent
from streams.metering import clock
from streams.metering.collection import collectable_until, forget, hear_length
from streams.metering.differences import (
    bill,
    forget_prices,
    is_told,
    is_too_old,
    late_price,
    reprice,
)
from streams.metering.intervals import beyond_jump_ms, floor_to
from streams.metering.readings import read
from streams.metering.state import MAX_WAITING_PRICES, Customer, Placement, State, Unit
from streams.metering.usage import energy
from streams.prices import inserted, power_price, without_past
from streams.quantities import HOUR_MS, counted
from streams.refusal import CLOCK_JUMP, RefusedInput
from streams.site_memory import with_price

COUNTED = (
    sites.ClockCorrected,
    sites.EnergyMetered,
    sites.PowerPricePublished,
    sites.SiteConfigured,
    sites.TimePassed,
    sites.UnitRegistered,
)
"""Inputs that metering takes into account, unless they are refused."""


def evolve(  # noqa: PLR0912 - one row a type
    state: State, event: SitesEvent | RefusedInput[SitesEvent]
) -> State:
    if isinstance(event, RefusedInput):
        _refuse(state, event)
        return state
    match event:
        case sites.SiteConfigured():
            state.feeders = dict.fromkeys(feeder.feeder_id for feeder in event.feeders)
            state.configured_at = event.at
        case sites.UnitRegistered():
            state.units[event.unit_id] = Unit(event.kind, event.feeder_id)
        case sites.TimePassed():
            _advance(state, event)
        case sites.ClockCorrected():
            clock.correct(state, event.now)
        case sites.HourClosed() if state.now is not None:
            _closed(state, event.closed_until, state.now)
        case sites.PowerPricePublished():
            _price(state, event)
        case sites.EnergyMetered():
            read(state, event)
        case sites.WorkloadQueued():
            customer = state.customers.setdefault(event.customer_id, Customer())
            customer.admitted += 1
            customer.active_at = max(customer.active_at, clocked(state, event.at))
        case sites.WorkloadPlaced():
            _place(state, event)
        case sites.WorkloadRequeued():
            _stop(state, event)
        case sites.WorkloadReleased():
            _stop(state, event)
            customer = state.customers.setdefault(event.customer_id, Customer())
            customer.admitted = max(0, customer.admitted - 1)
            customer.active_at = max(customer.active_at, clocked(state, event.at))
        case _:  # nothing that is billed
            pass
    return state


def is_failed_switch(event: sites.WorkloadReleased | sites.WorkloadRequeued) -> bool:
    """In routing's word: `reason` is its code, whatever a producer says is in `detail`."""
    return event.reason == "switch_failed"


def _refuse(state: State, refused: RefusedInput[SitesEvent]) -> None:
    """A clock that jumped may yet be confirmed by the next tick."""
    state.refused += 1
    if refused.reason == CLOCK_JUMP:
        state.doubted = refused.input.at


def _advance(state: State, event: sites.TimePassed) -> None:
    is_first = state.now is None
    state.now, state.doubted = event.at, None
    state.kept_prices = without_past(state.kept_prices, state.now)
    if not is_first:
        _move_on(state, event.at)
        return
    state.closed_until = state.collected_until = floor_to(event.at, HOUR_MS)
    for placement in state.placements.values():
        placement.starts_at = event.at


def _closed(state: State, until: int, now: int) -> None:
    for placement in state.placements.values():
        if placement.ends_at is None:
            _leave_out(state, placement, until)
    state.closed_until = max(state.closed_until, until)
    _move_on(state, now)


def _move_on(state: State, now: int) -> None:
    """Move on to where the answers to the same event said that everything is collected."""
    until = collectable_until(state, now, state.closed_until)
    if until == state.collected_until:
        return
    for hour in range(state.collected_until, until, HOUR_MS):
        bill(state, energy(state, hour, at=now))
    state.collected_until = until
    forget(state)


def _price(state: State, event: sites.PowerPricePublished) -> None:
    price = power_price(event)
    hear_length(state, price)
    state.kept_prices = with_price(state.kept_prices, price, state.now)
    if is_told(state, price):
        return
    if is_too_old(state, price):
        _leave_out_price(state, "too_old")
        return
    state.refused += bool(late_price(state, event))
    reprice(state, price)
    known = inserted(state.prices, price)
    if len(known) > MAX_WAITING_PRICES:
        _leave_out_price(state, "too_many")
        return
    state.prices = known
    if price.start < state.collected_until:
        forget_prices(state)


def _leave_out_price(state: State, reason: str) -> None:
    state.refused += 1
    state.left_out_prices[reason] = state.left_out_prices.get(reason, 0) + 1


def _place(state: State, event: sites.WorkloadPlaced) -> None:
    if event.placement_id in state.placements:
        return
    units = {share.unit_id: share.gpu_milli for share in event.units}
    known = (state.units.get(unit_id) for unit_id in units)
    state.placements[event.placement_id] = Placement(
        workload_id=event.workload_id,
        customer_id=event.customer_id,
        gpu_model=event.gpu_model,
        units=units,
        feeders=dict.fromkeys(unit.feeder_id for unit in known if unit is not None),
        list_price=event.price_usd_per_gpu_hour,
        starts_at=max(clocked(state, event.at), state.closed_until),
    )
    customer = state.customers.setdefault(event.customer_id, Customer())
    customer.active_at = max(customer.active_at, clocked(state, event.at))


def _stop(state: State, event: sites.WorkloadReleased | sites.WorkloadRequeued) -> None:
    placement = state.placements.get(event.placement_id or "")
    if placement is not None and placement.ends_at is None:
        placement.ends_at = max(clocked(state, event.at), placement.starts_at)
        placement.billed = not is_failed_switch(event)
        if placement.billed:
            _leave_out(state, placement, placement.ends_at)


def _leave_out(state: State, placement: Placement, until: int) -> None:
    """What `gpu_time` does not record of it when the clock jumped too far."""
    beyond_ms = beyond_jump_ms(max(placement.starts_at, state.closed_until), until)
    state.left_out_gpu_us = counted(state.left_out_gpu_us, placement.gpu_milli * beyond_ms)


def clocked(state: State, at: int) -> int:
    """Routing's word for when, as far as the clock has come.

    Routing writes the site's clock, which the log told us before. Until its first tick it has only
    a producer's word, which may be any time: what is placed then runs from that tick.
    """
    return 0 if state.now is None else min(at, state.now)
