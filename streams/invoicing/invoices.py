"""Periods filled with rated usage, and the invoices drafted from them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from uuid import NAMESPACE_OID, uuid5

from schemas.events.accounts import InvoiceDrafted, InvoiceLine, UsageRated
from streams.invoicing.periods import label, period_at
from streams.invoicing.rating.gpu_time import GPU_US_PER_GPU_HOUR
from streams.invoicing.state import Contract, Line, Part, Period, State
from streams.quantities import MAX_LONG

INVOICE = uuid5(NAMESPACE_OID, "hcp.accounts.v1.InvoiceDrafted")

MAX_PART_BYTES = 4 * 1024 * 1024
"""Half of what a record may hold: about 100,000 usages; the next usage starts another part."""

TARIFF = "tariff"
LIST_PRICE = "list_price"
"""What prices a usage: the tariff, or the list price quoted when its workload was placed."""

LINE_BYTES = 200  # everything in a line but its ids


def add(state: State, usage: UsageRated) -> None:
    """Put a usage into the period that will bill it."""
    contract = state.contracts.get(usage.contract_id)
    if contract is None:
        return
    if usage.period_start is None:  # rated before ratings said so
        start, end = billing_period(contract, usage.interval_start)
    else:
        start, end = period_at(contract.billing_period, usage.period_start)
    by_start = state.periods.setdefault(usage.contract_id, {})
    period = by_start.setdefault(start, Period(ends_at=end))
    period.sites[usage.site_id] = None
    if not period.parts or not _fits(period.parts[-1], usage):
        period.parts.append(Part())
    _add_to(period.parts[-1], usage)


def billing_period(contract: Contract, at: int) -> tuple[int, int]:
    """Start and end of the period that bills what was used at a moment: the one that holds it, or
    the oldest open one if that is closed."""
    start, end = period_at(contract.billing_period, at)
    if end <= contract.billed_until:
        return period_at(contract.billing_period, contract.billed_until)
    return start, end


def invoices(
    state: State, contract_id: str, start: int, period: Period, *, at: int
) -> Iterator[InvoiceDrafted]:
    """One for each part."""
    contract = state.contracts[contract_id]
    for index, part in enumerate(period.parts, 1):
        invoice_id = _invoice_id(state.customer_id, contract_id, contract, start, index)
        yield InvoiceDrafted(
            customer_id=state.customer_id,
            at=at,
            invoice_id=invoice_id,
            number=_number(state.customer_id, contract, start, invoice_id),
            contract_id=contract_id,
            period_start=start,
            period_end=period.ends_at,
            lines=tuple(_lines(part)),
            total_usd_micros=part.total_usd_micros,
        )


def _invoice_id(
    customer_id: str, contract_id: str, contract: Contract, start: int, part: int
) -> str:
    """Customers name their contracts themselves, so a contract_id alone says nothing. A period that
    was reopened has invoices of its own.

    As JSON: no separator is safe inside ids that people choose.
    """
    again = [contract.reopened] if contract.reopened else []
    return str(uuid5(INVOICE, json.dumps([customer_id, contract_id, start, part, *again])))


def _number(customer_id: str, contract: Contract, start: int, invoice_id: str) -> str:
    return f"{customer_id}-{label(contract.billing_period, start)}-{invoice_id[:6]}"


def _line(part: Part, usage: UsageRated) -> Line | None:
    by_meter = part.lines.get(usage.workload_id, {})
    return by_meter.get(usage.meter, {}).get(usage.priced_by or "")


def _size_bytes(part: Part, usage: UsageRated) -> int:
    size = len(usage.usage_id) + 2
    if _line(part, usage) is None:
        size += LINE_BYTES + 4 * len(usage.workload_id)  # UTF-8: up to 4 bytes a character
    return size


def _fits(part: Part, usage: UsageRated) -> bool:
    line = _line(part, usage) or Line(unit=usage.unit)
    return (
        part.size_bytes + _size_bytes(part, usage) <= MAX_PART_BYTES
        and abs(part.total_usd_micros + usage.amount_usd_micros) <= MAX_LONG
        and abs(line.amount_usd_micros + usage.amount_usd_micros) <= MAX_LONG
        and line.quantity + usage.quantity <= MAX_LONG
    )


def _add_to(part: Part, usage: UsageRated) -> None:
    part.size_bytes += _size_bytes(part, usage)
    part.total_usd_micros += usage.amount_usd_micros
    by_meter = part.lines.setdefault(usage.workload_id, {})
    by_price = by_meter.setdefault(usage.meter, {})
    line = by_price.setdefault(usage.priced_by or "", Line(unit=usage.unit))
    line.quantity += usage.quantity
    line.amount_usd_micros += usage.amount_usd_micros
    line.usage_ids.append(usage.usage_id)


def _lines(part: Part) -> Iterator[InvoiceLine]:
    ordered = [
        (workload_id, meter, priced_by, line)
        for workload_id, by_meter in sorted(part.lines.items())
        for meter, by_price in sorted(by_meter.items())
        for priced_by, line in sorted(by_price.items())
    ]
    for position, (workload_id, meter, priced_by, line) in enumerate(ordered, 1):
        yield InvoiceLine(
            line_id=str(position),
            workload_id=workload_id,
            meter=meter,
            description=_description(meter, priced_by, line.quantity),
            quantity=line.quantity,
            unit=line.unit,
            amount_usd_micros=line.amount_usd_micros,
            usage_ids=tuple(sorted(dict.fromkeys(line.usage_ids))),
            priced_by=priced_by or None,
        )


def _description(meter: str, priced_by: str, quantity: int) -> str:
    """Rounded down to thousandths; `quantity` has it exactly."""
    per_unit, unit = (GPU_US_PER_GPU_HOUR, "GPU-hours") if meter == "gpu_time" else (1000, "kWh")
    thousandths = quantity * 1000 // per_unit
    what = "GPU time" if meter == "gpu_time" else "Energy"
    at = " at the list price quoted" if priced_by == LIST_PRICE else ""
    return f"{what}, {thousandths // 1000}.{thousandths % 1000:03} {unit}{at}"
