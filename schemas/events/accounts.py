"""Events of hcp.accounts.v1. Generated from `schemas/avro/accounts`: do not edit."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

Record = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceLine:
    """One line of an invoice, with the usage it bills.

    line_id: Position in the invoice, from 1
    workload_id: The workload
    meter: gpu_time or energy
    description: What the line bills, for people
    quantity: Sum of the usage
    unit: gpu_us (GPU-microseconds) or wh (watt-hours)
    amount_usd_micros: Micro-dollars; the sum of what was rated of usage_ids for this period
    usage_ids: The usage this line bills, in whole or in part, in ascending order
    priced_by: tariff or list_price, as rated; null where the rating did not say
    """

    line_id: str
    workload_id: str
    meter: str
    description: str
    quantity: int
    unit: str
    amount_usd_micros: int
    usage_ids: tuple[str, ...]
    priced_by: str | None = None

    def to_record(self) -> Record:
        return {
            "line_id": self.line_id,
            "workload_id": self.workload_id,
            "meter": self.meter,
            "description": self.description,
            "quantity": self.quantity,
            "unit": self.unit,
            "amount_usd_micros": self.amount_usd_micros,
            "usage_ids": list(self.usage_ids),
            "priced_by": self.priced_by,
        }

    @classmethod
    def from_record(cls, record: Record) -> InvoiceLine:
        return cls(
            line_id=record["line_id"],
            workload_id=record["workload_id"],
            meter=record["meter"],
            description=record["description"],
            quantity=record["quantity"],
            unit=record["unit"],
            amount_usd_micros=record["amount_usd_micros"],
            usage_ids=tuple(record["usage_ids"]),
            priced_by=record["priced_by"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuPrice:
    """The list price of one GPU model.

    gpu_model: Model, for example H100
    price_usd_per_gpu_hour: Dollars for one whole GPU for one hour
    """

    gpu_model: str
    price_usd_per_gpu_hour: Decimal

    def to_record(self) -> Record:
        return {
            "gpu_model": self.gpu_model,
            "price_usd_per_gpu_hour": self.price_usd_per_gpu_hour,
        }

    @classmethod
    def from_record(cls, record: Record) -> GpuPrice:
        return cls(
            gpu_model=record["gpu_model"],
            price_usd_per_gpu_hour=record["price_usd_per_gpu_hour"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingPeriodClosed:
    """Every site has collected the customer's usage of a billing period.

    customer_id: The customer
    at: When it happened; metering writes the site's clock
    contract_id: The contract
    period_start: From
    period_end: To, not included
    """

    FULL_NAME: ClassVar[str] = "hcp.accounts.v1.BillingPeriodClosed"

    customer_id: str
    at: int
    contract_id: str
    period_start: int
    period_end: int

    def to_record(self) -> Record:
        return {
            "customer_id": self.customer_id,
            "at": self.at,
            "contract_id": self.contract_id,
            "period_start": self.period_start,
            "period_end": self.period_end,
        }

    @classmethod
    def from_record(cls, record: Record) -> BillingPeriodClosed:
        return cls(
            customer_id=record["customer_id"],
            at=record["at"],
            contract_id=record["contract_id"],
            period_start=record["period_start"],
            period_end=record["period_end"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionWaived:
    """An operator's act: billing periods of this customer need not wait for a site up to a moment.
    What the site records of that time later is billed in the next open period.

    customer_id: The customer
    at: When it happened
    site_id: The site that is not waited for
    waived_until: Not included; no later than at
    waived_by: Who did it
    reason: Why
    """

    FULL_NAME: ClassVar[str] = "hcp.accounts.v1.CollectionWaived"

    customer_id: str
    at: int
    site_id: str
    waived_until: int
    waived_by: str
    reason: str = ''

    def to_record(self) -> Record:
        return {
            "customer_id": self.customer_id,
            "at": self.at,
            "site_id": self.site_id,
            "waived_until": self.waived_until,
            "waived_by": self.waived_by,
            "reason": self.reason,
        }

    @classmethod
    def from_record(cls, record: Record) -> CollectionWaived:
        return cls(
            customer_id=record["customer_id"],
            at=record["at"],
            site_id=record["site_id"],
            waived_until=record["waived_until"],
            waived_by=record["waived_by"],
            reason=record["reason"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractSigned:
    """Which tariff rates the customer's usage, and when it is billed.

    customer_id: The customer
    at: When it happened; metering writes the site's clock
    contract_id: The contract
    tariff_id: The tariff
    starts_at: From
    billing_period: hour, day, week (from Monday) or month, in UTC
    grace_s: How long after the end of the period a draft waits for late usage
    auto_finalize: False: an admin finalizes
    """

    FULL_NAME: ClassVar[str] = "hcp.accounts.v1.ContractSigned"

    customer_id: str
    at: int
    contract_id: str
    tariff_id: str
    starts_at: int
    billing_period: str
    grace_s: int
    auto_finalize: bool = True

    def to_record(self) -> Record:
        return {
            "customer_id": self.customer_id,
            "at": self.at,
            "contract_id": self.contract_id,
            "tariff_id": self.tariff_id,
            "starts_at": self.starts_at,
            "billing_period": self.billing_period,
            "grace_s": self.grace_s,
            "auto_finalize": self.auto_finalize,
        }

    @classmethod
    def from_record(cls, record: Record) -> ContractSigned:
        return cls(
            customer_id=record["customer_id"],
            at=record["at"],
            contract_id=record["contract_id"],
            tariff_id=record["tariff_id"],
            starts_at=record["starts_at"],
            billing_period=record["billing_period"],
            grace_s=record["grace_s"],
            auto_finalize=record["auto_finalize"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerEnrolled:
    """A customer came into being.

    customer_id: The customer
    at: When it happened; metering writes the site's clock
    name: Shown to people
    """

    FULL_NAME: ClassVar[str] = "hcp.accounts.v1.CustomerEnrolled"

    customer_id: str
    at: int
    name: str

    def to_record(self) -> Record:
        return {
            "customer_id": self.customer_id,
            "at": self.at,
            "name": self.name,
        }

    @classmethod
    def from_record(cls, record: Record) -> CustomerEnrolled:
        return cls(
            customer_id=record["customer_id"],
            at=record["at"],
            name=record["name"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class InputRejected:
    """An event was understood and refused; nothing else changed.

    customer_id: The customer
    at: When it happened; metering writes the site's clock
    rejected_type: Its type
    subject: What it was about
    reason: A code
    detail: A sentence for people
    """

    FULL_NAME: ClassVar[str] = "hcp.accounts.v1.InputRejected"

    customer_id: str
    at: int
    rejected_type: str
    subject: str
    reason: str
    detail: str

    def to_record(self) -> Record:
        return {
            "customer_id": self.customer_id,
            "at": self.at,
            "rejected_type": self.rejected_type,
            "subject": self.subject,
            "reason": self.reason,
            "detail": self.detail,
        }

    @classmethod
    def from_record(cls, record: Record) -> InputRejected:
        return cls(
            customer_id=record["customer_id"],
            at=record["at"],
            rejected_type=record["rejected_type"],
            subject=record["subject"],
            reason=record["reason"],
            detail=record["detail"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceDrafted:
    """An invoice in full, still open to an admin's eye.

    customer_id: The customer
    at: When it happened; metering writes the site's clock
    invoice_id: uuid5 of contract and period
    number: For people: customer and period
    contract_id: The contract
    period_start: From
    period_end: To, not included
    currency: ISO 4217
    lines: By workload, meter and priced_by, in ascending order
    total_usd_micros: The sum of the lines, exactly
    """

    FULL_NAME: ClassVar[str] = "hcp.accounts.v1.InvoiceDrafted"

    customer_id: str
    at: int
    invoice_id: str
    number: str
    contract_id: str
    period_start: int
    period_end: int
    currency: str = 'USD'
    lines: tuple[InvoiceLine, ...]
    total_usd_micros: int

    def to_record(self) -> Record:
        return {
            "customer_id": self.customer_id,
            "at": self.at,
            "invoice_id": self.invoice_id,
            "number": self.number,
            "contract_id": self.contract_id,
            "period_start": self.period_start,
            "period_end": self.period_end,
            "currency": self.currency,
            "lines": [item.to_record() for item in self.lines],
            "total_usd_micros": self.total_usd_micros,
        }

    @classmethod
    def from_record(cls, record: Record) -> InvoiceDrafted:
        return cls(
            customer_id=record["customer_id"],
            at=record["at"],
            invoice_id=record["invoice_id"],
            number=record["number"],
            contract_id=record["contract_id"],
            period_start=record["period_start"],
            period_end=record["period_end"],
            currency=record["currency"],
            lines=tuple(InvoiceLine.from_record(item) for item in record["lines"]),
            total_usd_micros=record["total_usd_micros"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceFinalized:
    """The invoice is owed; from now on it can only be credited.

    customer_id: The customer
    at: When it happened; metering writes the site's clock
    invoice_id: The invoice
    number: As drafted
    total_usd_micros: As drafted
    finalized_by: grace or an admin
    """

    FULL_NAME: ClassVar[str] = "hcp.accounts.v1.InvoiceFinalized"

    customer_id: str
    at: int
    invoice_id: str
    number: str
    total_usd_micros: int
    finalized_by: str

    def to_record(self) -> Record:
        return {
            "customer_id": self.customer_id,
            "at": self.at,
            "invoice_id": self.invoice_id,
            "number": self.number,
            "total_usd_micros": self.total_usd_micros,
            "finalized_by": self.finalized_by,
        }

    @classmethod
    def from_record(cls, record: Record) -> InvoiceFinalized:
        return cls(
            customer_id=record["customer_id"],
            at=record["at"],
            invoice_id=record["invoice_id"],
            number=record["number"],
            total_usd_micros=record["total_usd_micros"],
            finalized_by=record["finalized_by"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffPublished:
    """Prices for a customer. A tariff never changes: new prices are a new tariff_id.

    customer_id: The customer
    at: When it happened; metering writes the site's clock
    tariff_id: The tariff
    effective_from: From
    currency: ISO 4217
    gpu_prices: By model
    energy_pass_through: Whether energy is billed at the power price
    energy_adder_usd_per_mwh: Added to the power price
    """

    FULL_NAME: ClassVar[str] = "hcp.accounts.v1.TariffPublished"

    customer_id: str
    at: int
    tariff_id: str
    effective_from: int
    currency: str = 'USD'
    gpu_prices: tuple[GpuPrice, ...]
    energy_pass_through: bool
    energy_adder_usd_per_mwh: Decimal

    def to_record(self) -> Record:
        return {
            "customer_id": self.customer_id,
            "at": self.at,
            "tariff_id": self.tariff_id,
            "effective_from": self.effective_from,
            "currency": self.currency,
            "gpu_prices": [item.to_record() for item in self.gpu_prices],
            "energy_pass_through": self.energy_pass_through,
            "energy_adder_usd_per_mwh": self.energy_adder_usd_per_mwh,
        }

    @classmethod
    def from_record(cls, record: Record) -> TariffPublished:
        return cls(
            customer_id=record["customer_id"],
            at=record["at"],
            tariff_id=record["tariff_id"],
            effective_from=record["effective_from"],
            currency=record["currency"],
            gpu_prices=tuple(GpuPrice.from_record(item) for item in record["gpu_prices"]),
            energy_pass_through=record["energy_pass_through"],
            energy_adder_usd_per_mwh=record["energy_adder_usd_per_mwh"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageCollected:
    """All usage of this customer on this site up to a moment is recorded: the watermark that
    closes billing periods.

    customer_id: The customer
    at: When it happened; metering writes the site's clock
    site_id: The site
    collected_until: Not included
    corrected: An operator set the site's clock back: hours from here on come once more
    """

    FULL_NAME: ClassVar[str] = "hcp.accounts.v1.UsageCollected"

    customer_id: str
    at: int
    site_id: str
    collected_until: int
    corrected: bool = False

    def to_record(self) -> Record:
        return {
            "customer_id": self.customer_id,
            "at": self.at,
            "site_id": self.site_id,
            "collected_until": self.collected_until,
            "corrected": self.corrected,
        }

    @classmethod
    def from_record(cls, record: Record) -> UsageCollected:
        return cls(
            customer_id=record["customer_id"],
            at=record["at"],
            site_id=record["site_id"],
            collected_until=record["collected_until"],
            corrected=record["corrected"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageHeld:
    """A recorded usage, or a piece of it, that nobody has said a price for. It is kept, and rated
    when a tariff that has its model is published.

    customer_id: The customer
    at: When it happened; metering writes the site's clock
    usage_id: The usage
    site_id: Where
    workload_id: The workload
    placement_id: The placement
    meter: gpu_time
    gpu_model: The model without a price
    interval_start: From; with usage_id it names the piece
    interval_end: To, not included
    contract_id: The contract in force
    tariff_id: Its tariff, which lacks the model
    quantity: The piece's share by time
    unit: As recorded
    reason: A code: unpriced_model
    """

    FULL_NAME: ClassVar[str] = "hcp.accounts.v1.UsageHeld"

    customer_id: str
    at: int
    usage_id: str
    site_id: str
    workload_id: str
    placement_id: str
    meter: str
    gpu_model: str
    interval_start: int
    interval_end: int
    contract_id: str
    tariff_id: str
    quantity: int
    unit: str
    reason: str

    def to_record(self) -> Record:
        return {
            "customer_id": self.customer_id,
            "at": self.at,
            "usage_id": self.usage_id,
            "site_id": self.site_id,
            "workload_id": self.workload_id,
            "placement_id": self.placement_id,
            "meter": self.meter,
            "gpu_model": self.gpu_model,
            "interval_start": self.interval_start,
            "interval_end": self.interval_end,
            "contract_id": self.contract_id,
            "tariff_id": self.tariff_id,
            "quantity": self.quantity,
            "unit": self.unit,
            "reason": self.reason,
        }

    @classmethod
    def from_record(cls, record: Record) -> UsageHeld:
        return cls(
            customer_id=record["customer_id"],
            at=record["at"],
            usage_id=record["usage_id"],
            site_id=record["site_id"],
            workload_id=record["workload_id"],
            placement_id=record["placement_id"],
            meter=record["meter"],
            gpu_model=record["gpu_model"],
            interval_start=record["interval_start"],
            interval_end=record["interval_end"],
            contract_id=record["contract_id"],
            tariff_id=record["tariff_id"],
            quantity=record["quantity"],
            unit=record["unit"],
            reason=record["reason"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRated:
    """What a recorded usage, or a piece of it, costs under the contract in force.

    customer_id: The customer
    at: When it happened; metering writes the site's clock
    usage_id: The usage
    site_id: Where
    workload_id: The workload
    meter: gpu_time or energy
    interval_start: From; with usage_id it names the piece: a usage is cut where its price or
        its billing period changes
    contract_id: The contract
    tariff_id: The tariff
    quantity: The piece's share by time; the pieces of a usage add up to what was recorded
    unit: As recorded
    amount_usd_micros: Micro-dollars, rounded half up once, here
    placement_id: The placement; null in events from before this field
    interval_end: To, not included; null in events from before this field: to the end of the
        usage
    period_start: Start of the billing period that bills it: the one it was used in, or the
        oldest open one if that was closed; null in events from before this field
    priced_by: tariff, or list_price: the list price quoted when the workload was placed; null
        in events from before this field
    """

    FULL_NAME: ClassVar[str] = "hcp.accounts.v1.UsageRated"

    customer_id: str
    at: int
    usage_id: str
    site_id: str
    workload_id: str
    meter: str
    interval_start: int
    contract_id: str
    tariff_id: str
    quantity: int
    unit: str
    amount_usd_micros: int
    placement_id: str | None = None
    interval_end: int | None = None
    period_start: int | None = None
    priced_by: str | None = None

    def to_record(self) -> Record:
        return {
            "customer_id": self.customer_id,
            "at": self.at,
            "usage_id": self.usage_id,
            "site_id": self.site_id,
            "workload_id": self.workload_id,
            "meter": self.meter,
            "interval_start": self.interval_start,
            "contract_id": self.contract_id,
            "tariff_id": self.tariff_id,
            "quantity": self.quantity,
            "unit": self.unit,
            "amount_usd_micros": self.amount_usd_micros,
            "placement_id": self.placement_id,
            "interval_end": self.interval_end,
            "period_start": self.period_start,
            "priced_by": self.priced_by,
        }

    @classmethod
    def from_record(cls, record: Record) -> UsageRated:
        return cls(
            customer_id=record["customer_id"],
            at=record["at"],
            usage_id=record["usage_id"],
            site_id=record["site_id"],
            workload_id=record["workload_id"],
            meter=record["meter"],
            interval_start=record["interval_start"],
            contract_id=record["contract_id"],
            tariff_id=record["tariff_id"],
            quantity=record["quantity"],
            unit=record["unit"],
            amount_usd_micros=record["amount_usd_micros"],
            placement_id=record["placement_id"],
            interval_end=record["interval_end"],
            period_start=record["period_start"],
            priced_by=record["priced_by"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRecorded:
    """What a workload used in one interval, by one meter.

    customer_id: The customer
    at: When it happened; metering writes the site's clock
    usage_id: uuid5 of site, customer, workload, placement, meter and interval start: recorded
        twice it is the same
    site_id: Where
    workload_id: The workload
    placement_id: The placement
    meter: gpu_time or energy
    gpu_model: The model
    interval_start: From
    interval_end: To, not included
    quantity: How much
    unit: gpu_us (GPU-microseconds) or wh (watt-hours)
    price_usd_per_mwh: Energy only: the power price in force; null when none was known in time
    list_price_usd_per_gpu_hour: GPU time only: the site's list price when the workload was
        placed
    """

    FULL_NAME: ClassVar[str] = "hcp.accounts.v1.UsageRecorded"

    customer_id: str
    at: int
    usage_id: str
    site_id: str
    workload_id: str
    placement_id: str
    meter: str
    gpu_model: str
    interval_start: int
    interval_end: int
    quantity: int
    unit: str
    price_usd_per_mwh: Decimal | None = None
    list_price_usd_per_gpu_hour: Decimal | None = None

    def to_record(self) -> Record:
        return {
            "customer_id": self.customer_id,
            "at": self.at,
            "usage_id": self.usage_id,
            "site_id": self.site_id,
            "workload_id": self.workload_id,
            "placement_id": self.placement_id,
            "meter": self.meter,
            "gpu_model": self.gpu_model,
            "interval_start": self.interval_start,
            "interval_end": self.interval_end,
            "quantity": self.quantity,
            "unit": self.unit,
            "price_usd_per_mwh": self.price_usd_per_mwh,
            "list_price_usd_per_gpu_hour": self.list_price_usd_per_gpu_hour,
        }

    @classmethod
    def from_record(cls, record: Record) -> UsageRecorded:
        return cls(
            customer_id=record["customer_id"],
            at=record["at"],
            usage_id=record["usage_id"],
            site_id=record["site_id"],
            workload_id=record["workload_id"],
            placement_id=record["placement_id"],
            meter=record["meter"],
            gpu_model=record["gpu_model"],
            interval_start=record["interval_start"],
            interval_end=record["interval_end"],
            quantity=record["quantity"],
            unit=record["unit"],
            price_usd_per_mwh=record["price_usd_per_mwh"],
            list_price_usd_per_gpu_hour=record["list_price_usd_per_gpu_hour"],
        )


AccountsEvent = (
    BillingPeriodClosed
    | CollectionWaived
    | ContractSigned
    | CustomerEnrolled
    | InputRejected
    | InvoiceDrafted
    | InvoiceFinalized
    | TariffPublished
    | UsageCollected
    | UsageHeld
    | UsageRated
    | UsageRecorded
)

EVENTS: tuple[type[AccountsEvent], ...] = (
    BillingPeriodClosed,
    CollectionWaived,
    ContractSigned,
    CustomerEnrolled,
    InputRejected,
    InvoiceDrafted,
    InvoiceFinalized,
    TariffPublished,
    UsageCollected,
    UsageHeld,
    UsageRated,
    UsageRecorded,
)
