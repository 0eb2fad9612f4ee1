"""What every agent that reads a site's log refuses of it without knowing the site.

An input that is refused here changes nothing anywhere: routing answers it with the code and the
sentence, optimization and metering leave it out of account. What depends on the site is
`streams.site_rules` where more than one agent knows it, and routing's own to judge where not.

Every number is bounded, so that no sum or product that the agents write comes near 2**63: a site of
`MAX_UNITS` units at every bound at once earns or costs less than 1e18 micro-dollars an hour.

The clock (`tick`) is one rule for all: see `Tick`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

from schemas.events.sites import (
    ClockCorrected,
    CurtailmentLifted,
    CurtailmentRequested,
    EnergyMetered,
    HashpricePublished,
    PowerPricePublished,
    SiteConfigured,
    SitesEvent,
    TimePassed,
    UnitDrained,
    UnitFailed,
    UnitRecovered,
    UnitRegistered,
    UnitReported,
    UnitSwitched,
    WorkloadCancelled,
    WorkloadCompleted,
    WorkloadFailed,
    WorkloadProgressed,
    WorkloadStarted,
    WorkloadSubmitted,
)
from streams.clock_text import utc
from streams.quantities import DAY_MS, HOUR_MS, WHOLE_MILLI
from streams.refusal import CLOCK_JUMP, Refusal
from streams.site_names import hardware_refusal, mode_refusal, name_refusal, shown

MAX_TIME_MS = 4_102_444_800_000
"""2100-01-01T00:00:00Z. No time is later, and none is before 1970."""
MAX_JUMP_MS = 31 * DAY_MS
"""The clock may stand still for so long and go on without being doubted."""

MAX_UNITS = 100_000
MAX_MODES = 16
MAX_FEEDERS = 1_000
MAX_GPU_MODELS = 1_000
MAX_CAP_W = 10**10
MAX_UNIT_W = 10**7
MAX_HASHRATE_THS = 10**6
MAX_THS_PER_W = 100
"""A thousand times what the best machine of 2025 gets from a watt. Bounds the value of a watt."""
MAX_MEMORY_GB = 10**5
MAX_TFLOPS = 10**6
MAX_PRICE_USD = 100_000
MAX_GPU_COUNT = 100_000
MAX_DURATION_S = 366 * 86_400
MAX_PRIORITY = 1_000_000
MAX_INTERVAL_MS = 366 * DAY_MS
MAX_SWITCH_MS = DAY_MS
MAX_DIFFICULTY = 10**18
MAX_FEES_SATS = 21 * 10**14
MAX_BTC_PRICE_USD = 10**9
KINDS = ("training", "inference", "batch", "interactive")

INPUTS: frozenset[type] = frozenset(
    (
        ClockCorrected,
        CurtailmentLifted,
        CurtailmentRequested,
        EnergyMetered,
        HashpricePublished,
        PowerPricePublished,
        SiteConfigured,
        TimePassed,
        UnitDrained,
        UnitFailed,
        UnitRecovered,
        UnitRegistered,
        UnitReported,
        UnitSwitched,
        WorkloadCancelled,
        WorkloadCompleted,
        WorkloadFailed,
        WorkloadProgressed,
        WorkloadStarted,
        WorkloadSubmitted,
    )
)
"""What comes from outside. The other events of the log are agents' own and are not judged."""


class Tick(NamedTuple):
    """What one `TimePassed` does to a site's clock.

    now: the clock after it; doubted: the refused time that a next tick can confirm; refusal: why
    the clock did not follow. Equal time is no refusal.

    The first tick is measured by when the site was configured, each later one by the clock. One
    that is more than `MAX_JUMP_MS` from it is refused (`clock_jump`), so that one wrong message
    cannot send a site into another time. A site that really stood still for longer goes on with the
    second tick: one that directly follows the refused one, later by at most `MAX_JUMP_MS`, confirms
    it. A believed tick ends the doubt. From a time that two wrong ticks agreed on, an operator
    brings a site back (`ClockCorrected`).
    """

    now: int | None
    doubted: int | None
    refusal: Refusal | None


def refusal_of(event: SitesEvent) -> Refusal | None:
    """Why no site takes this input; None when only the site's state can tell, or for an agent's own
    event."""
    if type(event) not in INPUTS:
        return None
    if not 0 <= event.at <= MAX_TIME_MS:
        return Refusal("bad_time", f"at is {utc(event.at)}, no time of 1970 to 9999.")
    check = CHECKS.get(type(event))
    return name_refusal(event) or (None if check is None else check(event))


def tick(now: int | None, doubted: int | None, at: int, configured_at: int | None) -> Tick:
    """The clock after a `TimePassed` that `refusal_of` does not refuse; see `Tick`.

    configured_at: when the site was configured; None where that was not remembered
    """
    since = configured_at if now is None else now
    if since is None:
        return Tick(at, None, None)
    if now is not None and at < now:
        told = f"The site's clock stands at {utc(now)}; {utc(at)} is before."
        return Tick(now, doubted, Refusal("clock_backwards", told))
    confirmed = doubted is not None and doubted < at <= doubted + MAX_JUMP_MS
    if abs(at - since) <= MAX_JUMP_MS or confirmed:
        return Tick(at, None, None)
    stands = " was configured" if now is None else "'s clock stands"
    told = (
        f"The site{stands} at {utc(since)}; {utc(at)} is more than {MAX_JUMP_MS // DAY_MS} days "
        "from it. A second tick soon after it would confirm it."
    )
    return Tick(now, at, Refusal(CLOCK_JUMP, told))


def possible_time(at: int) -> int:
    """The time nearest to it that there is: for an answer to an input that has no better."""
    return min(max(at, 0), MAX_TIME_MS)


def _outside(reason: str, name: str, value: float | Decimal, low: int, high: int) -> Refusal | None:
    """Refuses a number that is not one, or not in [low, high]."""
    if math.isfinite(value) and low <= value <= high:
        return None
    return Refusal(reason, f"{name} is {value}; it must be {low} to {high}.")


def _first(refusals: Iterable[Refusal | None]) -> Refusal | None:
    return next((refusal for refusal in refusals if refusal is not None), None)


def _price(name: str, value: Decimal, low: int = 0) -> Refusal | None:
    return _outside("price_out_of_range", name, value, low, MAX_PRICE_USD)


def _power(name: str, value_w: int, most_w: int) -> Refusal | None:
    if value_w < 0:
        return Refusal("negative_power", f"{name} is {value_w}, below zero.")
    return _outside("bad_power", name, value_w, 0, most_w)


def _interval(what: str, start: int, end: int) -> Refusal | None:
    if end <= start:
        return Refusal("bad_interval", f"The {what}'s interval ends before it starts.")
    if start < 0 or end > MAX_TIME_MS or end - start > MAX_INTERVAL_MS:
        told = f"The {what}'s interval, {utc(start)} to {utc(end)}, is no time."
        return Refusal("bad_interval", told)
    return None


def _submission(event: WorkloadSubmitted) -> Refusal | None:
    price, deadline = event.max_price_usd_per_gpu_hour, event.deadline
    if event.kind not in KINDS:
        return Refusal("bad_kind", f"kind {shown(event.kind)!r} is not one of {', '.join(KINDS)}.")
    if event.gpu_count > 1 and event.gpu_milli < WHOLE_MILLI:
        told = f"A shared GPU is one GPU, but gpu_count is {event.gpu_count}."
        return Refusal("bad_gpu_milli", told)
    return (
        _outside("bad_gpu_count", "gpu_count", event.gpu_count, 1, MAX_GPU_COUNT)
        or _outside("bad_gpu_milli", "gpu_milli", event.gpu_milli, 1, WHOLE_MILLI)
        or _outside("bad_duration", "duration_s", event.duration_s, 1, MAX_DURATION_S)
        or _outside("bad_priority", "priority", event.priority, -MAX_PRIORITY, MAX_PRIORITY)
        or (
            None
            if deadline is None
            else _outside("bad_deadline", "deadline", deadline, 0, MAX_TIME_MS)
        )
        or (
            None
            if price is None
            else _outside("bad_max_price", "max_price_usd_per_gpu_hour", price, 0, MAX_PRICE_USD)
        )
    )


def _progress(event: WorkloadProgressed) -> Refusal | None:
    return _outside("bad_progress", "progress_ppm", event.progress_ppm, 0, 1_000_000)


def _energy(event: EnergyMetered) -> Refusal | None:
    return _interval("meter", event.interval_start, event.interval_end) or _readings(
        event, event.interval_end - event.interval_start
    )


def _readings(event: EnergyMetered, length_ms: int) -> Refusal | None:
    """Each unit once: of two readings of one unit, readers could take the first, the last, both."""
    if len(event.readings) > MAX_UNITS:
        return Refusal("too_many_units", f"A meter reads at most {MAX_UNITS} units.")
    if _repeats([reading.unit_id for reading in event.readings]):
        return Refusal("repeated_unit", "A meter reads each unit once in an interval.")
    most_wh = MAX_UNIT_W * length_ms // HOUR_MS + 1
    most_th = MAX_HASHRATE_THS * length_ms // 1000 + MAX_HASHRATE_THS
    for reading in event.readings:
        unit_id = shown(reading.unit_id)
        if reading.energy_wh < 0 or reading.work_th < 0:
            return Refusal("negative_energy", f"The meter of {unit_id} runs backwards.")
        if reading.energy_wh > most_wh or reading.work_th > most_th:
            told = f"{reading.energy_wh} Wh and {reading.work_th} TH in {length_ms} ms"
            return Refusal("impossible_energy", f"The meter of {unit_id} claims {told}.")
    total_wh = sum(reading.energy_wh for reading in event.readings)
    if total_wh > MAX_CAP_W * length_ms // HOUR_MS + len(event.readings):
        told = f"The meters of {event.feeder_id} claim {total_wh} Wh in {length_ms} ms."
        return Refusal("impossible_energy", told)
    return None


def _power_price(event: PowerPricePublished) -> Refusal | None:
    return _interval("price", event.interval_start, event.interval_end) or _price(
        "price_usd_per_mwh", event.price_usd_per_mwh, -MAX_PRICE_USD
    )


def _hashprice(event: HashpricePublished) -> Refusal | None:
    return (
        _price("hashprice_usd_per_ph_day", event.hashprice_usd_per_ph_day)
        or _outside("bad_interval", "interval_start", event.interval_start, 0, MAX_TIME_MS)
        or _outside("bad_difficulty", "difficulty", event.difficulty, 0, MAX_DIFFICULTY)
        or _outside("bad_fees", "fees_sats", event.fees_sats, 0, MAX_FEES_SATS)
        or _outside(
            "price_out_of_range", "btc_price_usd", event.btc_price_usd, 0, MAX_BTC_PRICE_USD
        )
    )


def _report(event: UnitReported) -> Refusal | None:
    if event.health not in ("ok", "degraded"):
        return Refusal("bad_health", f"health {shown(event.health)!r} is neither ok nor degraded.")
    celsius = 0 if event.temperature_c is None else event.temperature_c
    return _power("power_w", event.power_w, MAX_UNIT_W) or _outside(
        "bad_temperature", "temperature_c", celsius, -273, 1_000
    )


def _switch(event: UnitSwitched) -> Refusal | None:
    phases = {
        "save_ms": event.save_ms,
        "clear_ms": event.clear_ms,
        "load_ms": event.load_ms,
        "initialise_ms": event.initialise_ms,
    }
    return _first(
        _outside("bad_duration", name, spent_ms, 0, MAX_SWITCH_MS)
        for name, spent_ms in phases.items()
    )


def _registration(event: UnitRegistered) -> Refusal | None:
    if event.kind not in ("gpu", "asic"):
        return Refusal("bad_kind", f"kind {shown(event.kind)!r} is neither gpu nor asic.")
    return _outside("bad_memory", "memory_gb", event.memory_gb, 0, MAX_MEMORY_GB) or _modes(event)


def _modes(event: UnitRegistered) -> Refusal | None:
    modes = {mode.mode: mode for mode in event.modes}
    if not 0 < len(event.modes) <= MAX_MODES or len(modes) < len(event.modes):
        return Refusal("bad_modes", f"{event.unit_id} needs 1 to {MAX_MODES} modes, each once.")
    for mode in event.modes:
        bad = (
            mode_refusal("bad_modes", "mode", mode.mode)
            or _power(f"power_w of {mode.mode}", mode.power_w, MAX_UNIT_W)
            or _outside(
                "bad_hashrate",
                f"hashrate_ths of {mode.mode}",
                mode.hashrate_ths,
                0,
                min(MAX_HASHRATE_THS, MAX_THS_PER_W * mode.power_w),
            )
            or _outside("bad_tflops", f"tflops of {mode.mode}", mode.tflops, 0, MAX_TFLOPS)
        )
        if bad is not None:
            return bad
    if "off" not in modes or modes["off"].power_w:
        return Refusal("bad_modes", f"{event.unit_id} needs a mode off that draws 0 W.")
    if event.kind == "asic" and any(not modes[name].power_w for name in modes if name != "off"):
        return Refusal("bad_modes", f"Only the mode off of ASIC {event.unit_id} draws 0 W.")
    if event.kind == "gpu" and "compute" not in modes:
        return Refusal("bad_modes", f"GPU {event.unit_id} needs a mode compute.")
    return None


def _curtailment(event: CurtailmentRequested) -> Refusal | None:
    payment = event.payment_usd_per_mwh
    return (
        _power("max_power_w", event.max_power_w, MAX_CAP_W)
        or _outside("bad_duration", "duration_s", event.duration_s, 1, MAX_DURATION_S)
        or _outside("bad_time", "starts_at", event.starts_at, 0, MAX_TIME_MS)
        or (None if payment is None else _price("payment_usd_per_mwh", payment))
    )


def _correction(event: ClockCorrected) -> Refusal | None:
    return _outside("bad_time", "now", event.now, 0, MAX_TIME_MS)


def _configuration(event: SiteConfigured) -> Refusal | None:
    if not 0 < len(event.feeders) <= MAX_FEEDERS or _repeats(
        [feeder.feeder_id for feeder in event.feeders]
    ):
        return Refusal("bad_feeders", f"A site needs 1 to {MAX_FEEDERS} feeders, each once.")
    models = [price.gpu_model for price in event.gpu_prices]
    if len(models) > MAX_GPU_MODELS or _repeats(models):
        return Refusal("bad_prices", f"At most {MAX_GPU_MODELS} GPU models have one price each.")
    return (
        _power("power_cap_w", event.power_cap_w, MAX_CAP_W)
        or _first(
            hardware_refusal("bad_feeders", "feeder_id", feeder.feeder_id)
            or _power(f"power_cap_w of {feeder.feeder_id}", feeder.power_cap_w, MAX_CAP_W)
            for feeder in event.feeders
        )
        or _first(hardware_refusal("bad_prices", "gpu_model", model) for model in models)
        or _first(
            _price(f"price of {price.gpu_model}", price.price_usd_per_gpu_hour)
            for price in event.gpu_prices
        )
    )


def _repeats(names: Sequence[str]) -> bool:
    return len(set(names)) < len(names)


CHECKS: dict[type, Callable[..., Refusal | None]] = {
    ClockCorrected: _correction,
    CurtailmentRequested: _curtailment,
    EnergyMetered: _energy,
    HashpricePublished: _hashprice,
    PowerPricePublished: _power_price,
    SiteConfigured: _configuration,
    UnitRegistered: _registration,
    UnitReported: _report,
    UnitSwitched: _switch,
    WorkloadProgressed: _progress,
    WorkloadSubmitted: _submission,
}
