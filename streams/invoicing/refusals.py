"""Why an event of an account is refused: a code, and a sentence for people.

Usage: unknown_meter, wrong_unit, negative_quantity, negative_price, bad_interval, usage_too_late,
usage_recorded, unpriced_model, amount_too_large.
Tariff: bad_customer_id, bad_tariff_id, too_many_models, bad_model, tariff_id_taken, reserved_id,
unknown_currency, duplicate_model, negative_price, price_out_of_range, too_many_tariffs.
Contract: bad_customer_id, bad_contract_id, contract_id_taken, reserved_id, unknown_tariff,
tariff_not_effective, unknown_billing_period, bad_grace, contract_overlap, too_many_contracts.
Waiver: waived_already, waived_ahead, nothing_waits.
"""

from __future__ import annotations

from schemas.events.accounts import (
    CollectionWaived,
    ContractSigned,
    InputRejected,
    TariffPublished,
    UsageRecorded,
)
from streams.clock_text import utc
from streams.invoicing.contracts import (
    contract_of,
    on_demand,
    same_terms,
    tariff_of,
)
from streams.invoicing.periods import LATEST_MS, PERIODS
from streams.invoicing.state import (
    MAX_CONTRACTS,
    MAX_GRACE_S,
    MAX_HELD,
    MAX_SILENCE_MS,
    MAX_TARIFFS,
    State,
)
from streams.invoicing.usage import UNITS, recorded_until
from streams.refusal import Refusal
from streams.site_inputs import MAX_GPU_MODELS, MAX_PRICE_USD
from streams.site_names import hardware_refusal, id_refusal, shown

Judged = UsageRecorded | TariffPublished | ContractSigned | CollectionWaived


def refused(event: Judged, why: Refusal) -> InputRejected:
    return InputRejected(
        customer_id=event.customer_id,
        at=event.at,
        rejected_type=event.FULL_NAME,
        subject=_subject(event),
        reason=why.reason,
        detail=why.detail,
    )


def usage_refusal(state: State, usage: UsageRecorded) -> Refusal | None:
    """Whatever the tariff says."""
    watermark = state.watermarks.get(usage.site_id, 0)
    recorded = recorded_until(state, usage)
    return _first(
        (
            usage.meter not in UNITS,
            "unknown_meter",
            f"There is no meter {usage.meter!r}; there are {', '.join(UNITS)}.",
        ),
        (
            usage.unit != UNITS.get(usage.meter),
            "wrong_unit",
            f"The meter {usage.meter} does not count in {usage.unit!r}.",
        ),
        (
            usage.quantity < 0,
            "negative_quantity",
            f"Nobody can use {usage.quantity} {usage.unit}.",
        ),
        (
            (usage.list_price_usd_per_gpu_hour or 0) < 0,
            "negative_price",
            "A GPU-hour cannot cost less than nothing.",
        ),
        (
            not 0 <= usage.interval_start < usage.interval_end <= LATEST_MS,
            "bad_interval",
            "The interval must end after it starts, between 1970 and 9999.",
        ),
        (
            usage.interval_start < watermark,
            "usage_too_late",
            f"Site {usage.site_id} said that everything before {utc(watermark)} was recorded.",
        ),
        (
            usage.interval_start < recorded,
            "usage_recorded",
            f"{usage.meter} of {usage.placement_id} was recorded up to {utc(recorded)} before.",
        ),
    )


def tariff_refusal(state: State, event: TariffPublished) -> Refusal | None:
    """Of a tariff whose id is new or taken by other prices; one that is known is no refusal."""
    default, _ = on_demand(event.customer_id, at=event.at)
    return _tariff_bounds(event) or _first(
        (
            event.tariff_id in state.tariffs,
            "tariff_id_taken",
            "A tariff never changes: give new prices a new tariff_id.",
        ),
        (
            event.tariff_id == default.tariff_id and tariff_of(event) != tariff_of(default),
            "reserved_id",
            "This id belongs to the on-demand tariff, whose prices are others.",
        ),
        (
            event.currency != "USD",
            "unknown_currency",
            f"Invoices are in USD; {shown(event.currency)!r} cannot be billed.",
        ),
        (
            len({price.gpu_model for price in event.gpu_prices}) < len(event.gpu_prices),
            "duplicate_model",
            "A tariff names each GPU model once.",
        ),
        (
            any(price.price_usd_per_gpu_hour < 0 for price in event.gpu_prices),
            "negative_price",
            "A GPU-hour cannot cost less than nothing.",
        ),
        (
            not _are_prices(event),
            "price_out_of_range",
            f"A price is at most ${MAX_PRICE_USD}; an adder is that, or as much less than nothing.",
        ),
        (
            len(state.tariffs) >= MAX_TARIFFS and event.tariff_id != default.tariff_id,
            "too_many_tariffs",
            f"A customer has at most {MAX_TARIFFS} tariffs, the on-demand one aside.",
        ),
    )


def contract_refusal(state: State, event: ContractSigned) -> Refusal | None:
    """Of a contract whose id is new or taken by other terms; one that is known is no refusal."""
    _, default = on_demand(event.customer_id, at=event.at)
    is_default = event.contract_id == default.contract_id
    tariff = state.tariffs.get(event.tariff_id)
    return _names_of(event, "contract_id", event.contract_id) or _first(
        (
            event.contract_id in state.contracts,
            "contract_id_taken",
            "A contract never changes: give new terms a new contract_id.",
        ),
        (
            is_default and not same_terms(contract_of(event), contract_of(default)),
            "reserved_id",
            "This id belongs to the on-demand contract, whose terms are others.",
        ),
        (
            tariff is None,
            "unknown_tariff",
            f"No tariff {shown(event.tariff_id)!r} was published to this customer.",
        ),
        (
            tariff is not None and event.starts_at < tariff.effective_from,
            "tariff_not_effective",
            "The contract starts before its tariff is effective.",
        ),
        (
            event.billing_period not in PERIODS,
            "unknown_billing_period",
            f"There is no period {shown(event.billing_period)!r}; there are {', '.join(PERIODS)}.",
        ),
        (
            not 0 <= event.grace_s <= MAX_GRACE_S,
            "bad_grace",
            f"Grace is between 0 and {MAX_GRACE_S} seconds.",
        ),
        (
            not is_default and _overlaps(state, event, default.contract_id),
            "contract_overlap",
            "Another contract of this customer starts at the same moment.",
        ),
        (
            len(state.contracts) >= MAX_CONTRACTS and not is_default,
            "too_many_contracts",
            f"A customer has at most {MAX_CONTRACTS} contracts, the on-demand one aside.",
        ),
    )


def waiver_refusal(state: State, event: CollectionWaived) -> Refusal | None:
    """Of a waiver; one that says what was waived before would change nothing and is refused."""
    waited = state.waited_until().get(event.site_id, -1)
    return _first(
        (
            event.waived_until <= waited,
            "waived_already",
            f"Nothing waits for {event.site_id} up to {utc(waited)} any more.",
        ),
        (
            event.waived_until > min(event.at, LATEST_MS),
            "waived_ahead",
            "Only what is over can be waived: usage of later is still to come.",
        ),
        (
            state.awaits(event.site_id)
            and event.waived_until > state.last_word_of(event.site_id) + MAX_SILENCE_MS,
            "waived_ahead",
            f"The last word of {event.site_id} is of {utc(state.last_word_of(event.site_id))}, and "
            f"that it is {utc(event.waived_until)} there by now cannot be true.",
        ),
        (
            not state.awaits(event.site_id),
            "nothing_waits",
            f"No open period and no draft of this customer waits for {event.site_id}.",
        ),
    )


def is_known_tariff(state: State, event: TariffPublished) -> bool:
    return state.tariffs.get(event.tariff_id) == tariff_of(event)


def is_known_contract(state: State, event: ContractSigned) -> bool:
    known = state.contracts.get(event.contract_id)
    return known is not None and same_terms(known, contract_of(event))


def too_much_unpriced(usage: UsageRecorded) -> Refusal:
    told = f"Nobody has said a price for {usage.gpu_model!r}, and {MAX_HELD} pieces wait for one."
    return Refusal("unpriced_model", told)


def too_large(amount_usd_micros: int) -> Refusal:
    told = f"{amount_usd_micros} micro-dollars for one usage cannot be true."
    return Refusal("amount_too_large", told)


def _tariff_bounds(event: TariffPublished) -> Refusal | None:
    """What is remembered is bounded, in number and in size."""
    if len(event.gpu_prices) > MAX_GPU_MODELS:
        told = f"A tariff has prices of at most {MAX_GPU_MODELS} GPU models."
        return Refusal("too_many_models", told)
    models = (hardware_refusal("bad_model", "gpu_model", p.gpu_model) for p in event.gpu_prices)
    bad_model = next((refusal for refusal in models if refusal is not None), None)
    return _names_of(event, "tariff_id", event.tariff_id) or bad_model


def _names_of(event: TariffPublished | ContractSigned, name: str, value: str) -> Refusal | None:
    customer = id_refusal("bad_customer_id", "customer_id", event.customer_id)
    return customer or id_refusal(f"bad_{name}", name, value)


def _are_prices(event: TariffPublished) -> bool:
    prices = (price.price_usd_per_gpu_hour for price in event.gpu_prices)
    adder = event.energy_adder_usd_per_mwh
    return max(prices, default=0) <= MAX_PRICE_USD and abs(adder) <= MAX_PRICE_USD


def _overlaps(state: State, event: ContractSigned, default_id: str) -> bool:
    """The on-demand contract gives way to a signed one."""
    return any(
        contract.starts_at == event.starts_at and contract_id != default_id
        for contract_id, contract in state.contracts.items()
    )


def _first(*checks: tuple[bool, str, str]) -> Refusal | None:
    """The first that is broken, as (broken, reason, detail)."""
    return next((Refusal(reason, detail) for broken, reason, detail in checks if broken), None)


def _subject(event: Judged) -> str:
    match event:
        case UsageRecorded():
            return event.usage_id
        case TariffPublished():
            return shown(event.tariff_id)
        case ContractSigned():
            return shown(event.contract_id)
        case CollectionWaived():
            return event.site_id
