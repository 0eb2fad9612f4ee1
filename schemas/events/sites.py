"""Events of hcp.sites.v1. Generated from `schemas/avro/sites`: do not edit."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

Record = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterReading:
    """What one unit's meter counted in the interval.

    unit_id: The unit
    energy_wh: Energy drawn
    work_th: Terahashes computed (hashrate times seconds); 0 for a GPU
    """

    unit_id: str
    energy_wh: int
    work_th: int

    def to_record(self) -> Record:
        return {
            "unit_id": self.unit_id,
            "energy_wh": self.energy_wh,
            "work_th": self.work_th,
        }

    @classmethod
    def from_record(cls, record: Record) -> MeterReading:
        return cls(
            unit_id=record["unit_id"],
            energy_wh=record["energy_wh"],
            work_th=record["work_th"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanAssignment:
    """The units that a plan wants in one mode.

    mode: The mode
    unit_ids: The units, in ascending order
    """

    mode: str
    unit_ids: tuple[str, ...]

    def to_record(self) -> Record:
        return {
            "mode": self.mode,
            "unit_ids": list(self.unit_ids),
        }

    @classmethod
    def from_record(cls, record: Record) -> PlanAssignment:
        return cls(
            mode=record["mode"],
            unit_ids=tuple(record["unit_ids"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FeederHeadroom:
    """What a plan leaves for AI on one feeder.

    feeder_id: The feeder
    ai_headroom_w: Power under the cap that the plan does not give to mining
    shadow_price_usd_per_mwh: What one more megawatt-hour through this feeder would earn
    """

    feeder_id: str
    ai_headroom_w: int
    shadow_price_usd_per_mwh: Decimal

    def to_record(self) -> Record:
        return {
            "feeder_id": self.feeder_id,
            "ai_headroom_w": self.ai_headroom_w,
            "shadow_price_usd_per_mwh": self.shadow_price_usd_per_mwh,
        }

    @classmethod
    def from_record(cls, record: Record) -> FeederHeadroom:
        return cls(
            feeder_id=record["feeder_id"],
            ai_headroom_w=record["ai_headroom_w"],
            shadow_price_usd_per_mwh=record["shadow_price_usd_per_mwh"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Feeder:
    """An electrical feeder of the site and the power it may carry.

    feeder_id: Its name on the site
    power_cap_w: Most power that may be planned on it
    """

    feeder_id: str
    power_cap_w: int

    def to_record(self) -> Record:
        return {
            "feeder_id": self.feeder_id,
            "power_cap_w": self.power_cap_w,
        }

    @classmethod
    def from_record(cls, record: Record) -> Feeder:
        return cls(
            feeder_id=record["feeder_id"],
            power_cap_w=record["power_cap_w"],
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
class UnitMode:
    """One way a unit can run.

    mode: off, compute (GPU), or a mining mode such as normal or eco (ASIC)
    power_w: Power drawn at the feeder in this mode
    hashrate_ths: Terahashes a second; 0 for a GPU
    tflops: Dense BF16 teraflops; 0 for an ASIC. Shown to people, never decided on
    """

    mode: str
    power_w: int
    hashrate_ths: int
    tflops: float

    def to_record(self) -> Record:
        return {
            "mode": self.mode,
            "power_w": self.power_w,
            "hashrate_ths": self.hashrate_ths,
            "tflops": self.tflops,
        }

    @classmethod
    def from_record(cls, record: Record) -> UnitMode:
        return cls(
            mode=record["mode"],
            power_w=record["power_w"],
            hashrate_ths=record["hashrate_ths"],
            tflops=record["tflops"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitShare:
    """A unit, or a part of one, given to a workload.

    unit_id: The unit
    gpu_milli: Thousandths of the GPU
    power_w: Power the unit draws while it computes
    """

    unit_id: str
    gpu_milli: int
    power_w: int

    def to_record(self) -> Record:
        return {
            "unit_id": self.unit_id,
            "gpu_milli": self.gpu_milli,
            "power_w": self.power_w,
        }

    @classmethod
    def from_record(cls, record: Record) -> UnitShare:
        return cls(
            unit_id=record["unit_id"],
            gpu_milli=record["gpu_milli"],
            power_w=record["power_w"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertCleared:
    """What an alert said is over.

    site_id: The site
    at: When it happened, in the producer's time; an agent writes the site's clock
    alert_id: The alert
    reason: Why
    """

    FULL_NAME: ClassVar[str] = "hcp.sites.v1.AlertCleared"

    site_id: str
    at: int
    alert_id: str
    reason: str = ''

    def to_record(self) -> Record:
        return {
            "site_id": self.site_id,
            "at": self.at,
            "alert_id": self.alert_id,
            "reason": self.reason,
        }

    @classmethod
    def from_record(cls, record: Record) -> AlertCleared:
        return cls(
            site_id=record["site_id"],
            at=record["at"],
            alert_id=record["alert_id"],
            reason=record["reason"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRaised:
    """Something needs a person.

    site_id: The site
    at: When it happened, in the producer's time; an agent writes the site's clock
    alert_id: The alert
    kind: A code, for example unit_failed
    severity: warning or critical
    unit_id: The unit it is about
    detail: A sentence for people
    workload_id: The workload it is about
    """

    FULL_NAME: ClassVar[str] = "hcp.sites.v1.AlertRaised"

    site_id: str
    at: int
    alert_id: str
    kind: str
    severity: str
    unit_id: str | None = None
    detail: str
    workload_id: str | None = None

    def to_record(self) -> Record:
        return {
            "site_id": self.site_id,
            "at": self.at,
            "alert_id": self.alert_id,
            "kind": self.kind,
            "severity": self.severity,
            "unit_id": self.unit_id,
            "detail": self.detail,
            "workload_id": self.workload_id,
        }

    @classmethod
    def from_record(cls, record: Record) -> AlertRaised:
        return cls(
            site_id=record["site_id"],
            at=record["at"],
            alert_id=record["alert_id"],
            kind=record["kind"],
            severity=record["severity"],
            unit_id=record["unit_id"],
            detail=record["detail"],
            workload_id=record["workload_id"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingDifferenceFound:
    """What was billed is not what was metered, or not at the price that is known now: a price or a
    meter came after its hour was collected, or a meter contradicts another. What was billed
    stands.

    site_id: The site
    at: When it happened; metering writes the site's clock
    reason: late_price; or of metered energy that is on no bill: late (its hour was collected
        without it, or it repeats what was: the two cannot be told apart), contradicted,
        no_clock, too_far_ahead, too_long, too_many, unknown_unit
    feeder_id: Where it was metered; null for a price
    interval_start: From: of the usage that was billed, or of the meter
    interval_end: To, not included
    energy_wh: Billed at another price, or left out; null: it was collected too long ago to tell
    price_usd_per_mwh: The late price; null for a meter
    billed_price_usd_per_mwh: The mean price that was billed, or told by the difference before
        this one; null where there was none
    difference_usd_micros: What the energy costs more at the late price, micro-dollars; null for
        a meter, or where that cannot be told
    """

    FULL_NAME: ClassVar[str] = "hcp.sites.v1.BillingDifferenceFound"

    site_id: str
    at: int
    reason: str
    feeder_id: str | None = None
    interval_start: int
    interval_end: int
    energy_wh: int | None = None
    price_usd_per_mwh: Decimal | None = None
    billed_price_usd_per_mwh: Decimal | None = None
    difference_usd_micros: int | None = None

    def to_record(self) -> Record:
        return {
            "site_id": self.site_id,
            "at": self.at,
            "reason": self.reason,
            "feeder_id": self.feeder_id,
            "interval_start": self.interval_start,
            "interval_end": self.interval_end,
            "energy_wh": self.energy_wh,
            "price_usd_per_mwh": self.price_usd_per_mwh,
            "billed_price_usd_per_mwh": self.billed_price_usd_per_mwh,
            "difference_usd_micros": self.difference_usd_micros,
        }

    @classmethod
    def from_record(cls, record: Record) -> BillingDifferenceFound:
        return cls(
            site_id=record["site_id"],
            at=record["at"],
            reason=record["reason"],
            feeder_id=record["feeder_id"],
            interval_start=record["interval_start"],
            interval_end=record["interval_end"],
            energy_wh=record["energy_wh"],
            price_usd_per_mwh=record["price_usd_per_mwh"],
            billed_price_usd_per_mwh=record["billed_price_usd_per_mwh"],
            difference_usd_micros=record["difference_usd_micros"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockCorrected:
    """An operator set a site's clock, which wrong ticks had moved. From here on the site's time is
    `now`.

    site_id: The site
    at: When it happened, in the producer's time
    now: What the site's clock is set to, forwards or back
    corrected_by: Who did it
    reason: Why, in words
    """

    FULL_NAME: ClassVar[str] = "hcp.sites.v1.ClockCorrected"

    site_id: str
    at: int
    now: int
    corrected_by: str
    reason: str = ''

    def to_record(self) -> Record:
        return {
            "site_id": self.site_id,
            "at": self.at,
            "now": self.now,
            "corrected_by": self.corrected_by,
            "reason": self.reason,
        }

    @classmethod
    def from_record(cls, record: Record) -> ClockCorrected:
        return cls(
            site_id=record["site_id"],
            at=record["at"],
            now=record["now"],
            corrected_by=record["corrected_by"],
            reason=record["reason"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CurtailmentLifted:
    """A curtailment ended before its time.

    site_id: The site
    at: When it happened, in the producer's time; an agent writes the site's clock
    curtailment_id: The request
    reason: Why
    """

    FULL_NAME: ClassVar[str] = "hcp.sites.v1.CurtailmentLifted"

    site_id: str
    at: int
    curtailment_id: str
    reason: str = ''

    def to_record(self) -> Record:
        return {
            "site_id": self.site_id,
            "at": self.at,
            "curtailment_id": self.curtailment_id,
            "reason": self.reason,
        }

    @classmethod
    def from_record(cls, record: Record) -> CurtailmentLifted:
        return cls(
            site_id=record["site_id"],
            at=record["at"],
            curtailment_id=record["curtailment_id"],
            reason=record["reason"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CurtailmentMet:
    """The site's planned power is at or below the curtailment's level.

    site_id: The site
    at: When it happened, in the producer's time; an agent writes the site's clock
    curtailment_id: The request
    power_w: Planned power of the site
    max_power_w: The level
    """

    FULL_NAME: ClassVar[str] = "hcp.sites.v1.CurtailmentMet"

    site_id: str
    at: int
    curtailment_id: str
    power_w: int
    max_power_w: int

    def to_record(self) -> Record:
        return {
            "site_id": self.site_id,
            "at": self.at,
            "curtailment_id": self.curtailment_id,
            "power_w": self.power_w,
            "max_power_w": self.max_power_w,
        }

    @classmethod
    def from_record(cls, record: Record) -> CurtailmentMet:
        return cls(
            site_id=record["site_id"],
            at=record["at"],
            curtailment_id=record["curtailment_id"],
            power_w=record["power_w"],
            max_power_w=record["max_power_w"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CurtailmentRequested:
    """The grid, or an operator, asks the site to stay at or below a level for a time.

    site_id: The site
    at: When it happened, in the producer's time; an agent writes the site's clock
    curtailment_id: The request
    max_power_w: The level
    starts_at: From
    duration_s: For how long
    reason: Why
    payment_usd_per_mwh: Paid for energy not used
    """

    FULL_NAME: ClassVar[str] = "hcp.sites.v1.CurtailmentRequested"

    site_id: str
    at: int
    curtailment_id: str
    max_power_w: int
    starts_at: int
    duration_s: int
    reason: str = ''
    payment_usd_per_mwh: Decimal | None = None

    def to_record(self) -> Record:
        return {
            "site_id": self.site_id,
            "at": self.at,
            "curtailment_id": self.curtailment_id,
            "max_power_w": self.max_power_w,
            "starts_at": self.starts_at,
            "duration_s": self.duration_s,
            "reason": self.reason,
            "payment_usd_per_mwh": self.payment_usd_per_mwh,
        }

    @classmethod
    def from_record(cls, record: Record) -> CurtailmentRequested:
        return cls(
            site_id=record["site_id"],
            at=record["at"],
            curtailment_id=record["curtailment_id"],
            max_power_w=record["max_power_w"],
            starts_at=record["starts_at"],
            duration_s=record["duration_s"],
            reason=record["reason"],
            payment_usd_per_mwh=record["payment_usd_per_mwh"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyMetered:
    """The meters of a feeder's units over one interval.

    site_id: The site
    at: When it happened, in the producer's time; an agent writes the site's clock
    feeder_id: The feeder
    interval_start: From
    interval_end: To, not included
    readings: Units that drew energy or computed, in ascending order
    """

    FULL_NAME: ClassVar[str] = "hcp.sites.v1.EnergyMetered"

    site_id: str
    at: int
    feeder_id: str
    interval_start: int
    interval_end: int
    readings: tuple[MeterReading, ...]

    def to_record(self) -> Record:
        return {
            "site_id": self.site_id,
            "at": self.at,
            "feeder_id": self.feeder_id,
            "interval_start": self.interval_start,
            "interval_end": self.interval_end,
            "readings": [item.to_record() for item in self.readings],
        }

    @classmethod
    def from_record(cls, record: Record) -> EnergyMetered:
        return cls(
            site_id=record["site_id"],
            at=record["at"],
            feeder_id=record["feeder_id"],
            interval_start=record["interval_start"],
            interval_end=record["interval_end"],
            readings=tuple(MeterReading.from_record(item) for item in record["readings"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HashpricePublished:
    """What a petahash a second earns in a day.

    site_id: The site
    at: When it happened, in the producer's time; an agent writes the site's clock
    interval_start: From then until the next
    hashprice_usd_per_ph_day: 8.64e19 / (difficulty * 2^32) * (3.125 + fees) * btc price
    difficulty: Network difficulty
    fees_sats: Fees in a block
    btc_price_usd: Dollars for a bitcoin
    """

    FULL_NAME: ClassVar[str] = "hcp.sites.v1.HashpricePublished"

    site_id: str
    at: int
    interval_start: int
    hashprice_usd_per_ph_day: Decimal
    difficulty: int
    fees_sats: int
    btc_price_usd: Decimal

    def to_record(self) -> Record:
        return {
            "site_id": self.site_id,
            "at": self.at,
            "interval_start": self.interval_start,
            "hashprice_usd_per_ph_day": self.hashprice_usd_per_ph_day,
            "difficulty": self.difficulty,
            "fees_sats": self.fees_sats,
            "btc_price_usd": self.btc_price_usd,
        }

    @classmethod
    def from_record(cls, record: Record) -> HashpricePublished:
        return cls(
            site_id=record["site_id"],
            at=record["at"],
            interval_start=record["interval_start"],
            hashprice_usd_per_ph_day=record["hashprice_usd_per_ph_day"],
            difficulty=record["difficulty"],
            fees_sats=record["fees_sats"],
            btc_price_usd=record["btc_price_usd"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HourClosed:
    """Routing has answered everything before an hour's end: whatever it says after this happened
    later. Metering bills by it, so a slow router can never make a bill wrong.

    site_id: The site
    at: The site's clock, at or after closed_until
    closed_until: The end of the newest whole UTC hour that has passed, not included
    """

    FULL_NAME: ClassVar[str] = "hcp.sites.v1.HourClosed"

    site_id: str
    at: int
    closed_until: int

    def to_record(self) -> Record:
        return {
            "site_id": self.site_id,
            "at": self.at,
            "closed_until": self.closed_until,
        }

    @classmethod
    def from_record(cls, record: Record) -> HourClosed:
        return cls(
            site_id=record["site_id"],
            at=record["at"],
            closed_until=record["closed_until"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class InputRejected:
    """An event was understood and refused; nothing else changed.

    site_id: The site
    at: When it happened, in the producer's time; an agent writes the site's clock
    rejected_type: Its type
    subject: What it was about
    reason: A code, for example unknown_site
    detail: A sentence for people
    """

    FULL_NAME: ClassVar[str] = "hcp.sites.v1.InputRejected"

    site_id: str
    at: int
    rejected_type: str
    subject: str
    reason: str
    detail: str

    def to_record(self) -> Record:
        return {
            "site_id": self.site_id,
            "at": self.at,
            "rejected_type": self.rejected_type,
            "subject": self.subject,
            "reason": self.reason,
            "detail": self.detail,
        }

    @classmethod
    def from_record(cls, record: Record) -> InputRejected:
        return cls(
            site_id=record["site_id"],
            at=record["at"],
            rejected_type=record["rejected_type"],
            subject=record["subject"],
            reason=record["reason"],
            detail=record["detail"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerPlanApplied:
    """Routing checked a plan against the present state and carried out what still fits.

    site_id: The site
    at: When it happened, in the producer's time; an agent writes the site's clock
    plan_id: The plan
    applied: Units that changed mode
    skipped: Units left as they were because the plan no longer fits
    reason: Why units were skipped
    """

    FULL_NAME: ClassVar[str] = "hcp.sites.v1.PowerPlanApplied"

    site_id: str
    at: int
    plan_id: str
    applied: int
    skipped: int
    reason: str = ''

    def to_record(self) -> Record:
        return {
            "site_id": self.site_id,
            "at": self.at,
            "plan_id": self.plan_id,
            "applied": self.applied,
            "skipped": self.skipped,
            "reason": self.reason,
        }

    @classmethod
    def from_record(cls, record: Record) -> PowerPlanApplied:
        return cls(
            site_id=record["site_id"],
            at=record["at"],
            plan_id=record["plan_id"],
            applied=record["applied"],
            skipped=record["skipped"],
            reason=record["reason"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerPlanProposed:
    """Optimization's advice: a mode for each ASIC and the headroom left for AI.

    site_id: The site
    at: When it happened, in the producer's time; an agent writes the site's clock
    plan_id: The plan
    policy_version: The rules that made it
    trigger: What asked for it: price, hashprice, curtailment, capacity
    assignments: Every healthy ASIC once, by mode
    headroom: By feeder
    site_shadow_price_usd_per_mwh: What one more megawatt-hour through the site would earn
    value_usd_micros_per_hour: What the mining in the plan earns after power
    bound_usd_micros_per_hour: No plan can earn more than this
    """

    FULL_NAME: ClassVar[str] = "hcp.sites.v1.PowerPlanProposed"

    site_id: str
    at: int
    plan_id: str
    policy_version: str
    trigger: str
    assignments: tuple[PlanAssignment, ...]
    headroom: tuple[FeederHeadroom, ...]
    site_shadow_price_usd_per_mwh: Decimal
    value_usd_micros_per_hour: int
    bound_usd_micros_per_hour: int

    def to_record(self) -> Record:
        return {
            "site_id": self.site_id,
            "at": self.at,
            "plan_id": self.plan_id,
            "policy_version": self.policy_version,
            "trigger": self.trigger,
            "assignments": [item.to_record() for item in self.assignments],
            "headroom": [item.to_record() for item in self.headroom],
            "site_shadow_price_usd_per_mwh": self.site_shadow_price_usd_per_mwh,
            "value_usd_micros_per_hour": self.value_usd_micros_per_hour,
            "bound_usd_micros_per_hour": self.bound_usd_micros_per_hour,
        }

    @classmethod
    def from_record(cls, record: Record) -> PowerPlanProposed:
        return cls(
            site_id=record["site_id"],
            at=record["at"],
            plan_id=record["plan_id"],
            policy_version=record["policy_version"],
            trigger=record["trigger"],
            assignments=tuple(PlanAssignment.from_record(item) for item in record["assignments"]),
            headroom=tuple(FeederHeadroom.from_record(item) for item in record["headroom"]),
            site_shadow_price_usd_per_mwh=record["site_shadow_price_usd_per_mwh"],
            value_usd_micros_per_hour=record["value_usd_micros_per_hour"],
            bound_usd_micros_per_hour=record["bound_usd_micros_per_hour"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerPricePublished:
    """The market settled, or announced, the price of power for an interval of any length. Of
    several that hold at a moment the one of the shortest interval is in force, of equally long
    ones the latest to start; a later word for the same interval replaces the earlier; where
    none holds, the last to end is carried forward for at most an hour.

    site_id: The site
    at: When it happened, in the producer's time; an agent writes the site's clock
    settlement_point: Where, for example HB_HUBAVG
    interval_start: From
    interval_end: To, not included
    price_usd_per_mwh: May be negative
    """

    FULL_NAME: ClassVar[str] = "hcp.sites.v1.PowerPricePublished"

    site_id: str
    at: int
    settlement_point: str
    interval_start: int
    interval_end: int
    price_usd_per_mwh: Decimal

    def to_record(self) -> Record:
        return {
            "site_id": self.site_id,
            "at": self.at,
            "settlement_point": self.settlement_point,
            "interval_start": self.interval_start,
            "interval_end": self.interval_end,
            "price_usd_per_mwh": self.price_usd_per_mwh,
        }

    @classmethod
    def from_record(cls, record: Record) -> PowerPricePublished:
        return cls(
            site_id=record["site_id"],
            at=record["at"],
            settlement_point=record["settlement_point"],
            interval_start=record["interval_start"],
            interval_end=record["interval_end"],
            price_usd_per_mwh=record["price_usd_per_mwh"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteConfigured:
    """A site came into being, or its limits or prices changed. The newest replaces what was
    before.

    site_id: The site
    at: When it happened, in the producer's time; an agent writes the site's clock
    name: Shown to people
    pool: The pool whose intake the site serves
    power_cap_w: Most power that may be planned on the whole site
    feeders: Every feeder of the site
    gpu_prices: List prices of the models the site sells
    """

    FULL_NAME: ClassVar[str] = "hcp.sites.v1.SiteConfigured"

    site_id: str
    at: int
    name: str
    pool: str = 'default'
    power_cap_w: int
    feeders: tuple[Feeder, ...]
    gpu_prices: tuple[GpuPrice, ...]

    def to_record(self) -> Record:
        return {
            "site_id": self.site_id,
            "at": self.at,
            "name": self.name,
            "pool": self.pool,
            "power_cap_w": self.power_cap_w,
            "feeders": [item.to_record() for item in self.feeders],
            "gpu_prices": [item.to_record() for item in self.gpu_prices],
        }

    @classmethod
    def from_record(cls, record: Record) -> SiteConfigured:
        return cls(
            site_id=record["site_id"],
            at=record["at"],
            name=record["name"],
            pool=record["pool"],
            power_cap_w=record["power_cap_w"],
            feeders=tuple(Feeder.from_record(item) for item in record["feeders"]),
            gpu_prices=tuple(GpuPrice.from_record(item) for item in record["gpu_prices"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TimePassed:
    """The site's clock: the only source of now.

    site_id: The site
    at: When it happened, in the producer's time; an agent writes the site's clock
    """

    FULL_NAME: ClassVar[str] = "hcp.sites.v1.TimePassed"

    site_id: str
    at: int

    def to_record(self) -> Record:
        return {
            "site_id": self.site_id,
            "at": self.at,
        }

    @classmethod
    def from_record(cls, record: Record) -> TimePassed:
        return cls(
            site_id=record["site_id"],
            at=record["at"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitDrained:
    """An operator takes a unit out of service: what runs on it ends in its own time, nothing new
    comes.

    site_id: The site
    at: When it happened, in the producer's time; an agent writes the site's clock
    unit_id: The unit
    reason: Why
    """

    FULL_NAME: ClassVar[str] = "hcp.sites.v1.UnitDrained"

    site_id: str
    at: int
    unit_id: str
    reason: str

    def to_record(self) -> Record:
        return {
            "site_id": self.site_id,
            "at": self.at,
            "unit_id": self.unit_id,
            "reason": self.reason,
        }

    @classmethod
    def from_record(cls, record: Record) -> UnitDrained:
        return cls(
            site_id=record["site_id"],
            at=record["at"],
            unit_id=record["unit_id"],
            reason=record["reason"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitFailed:
    """A unit cannot work.

    site_id: The site
    at: When it happened, in the producer's time; an agent writes the site's clock
    unit_id: The unit
    reason: Why
    """

    FULL_NAME: ClassVar[str] = "hcp.sites.v1.UnitFailed"

    site_id: str
    at: int
    unit_id: str
    reason: str

    def to_record(self) -> Record:
        return {
            "site_id": self.site_id,
            "at": self.at,
            "unit_id": self.unit_id,
            "reason": self.reason,
        }

    @classmethod
    def from_record(cls, record: Record) -> UnitFailed:
        return cls(
            site_id=record["site_id"],
            at=record["at"],
            unit_id=record["unit_id"],
            reason=record["reason"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitModeAssigned:
    """Routing tells an ASIC which mode to run; its power is planned from here on.

    site_id: The site
    at: When it happened, in the producer's time; an agent writes the site's clock
    unit_id: The unit
    mode: The mode
    power_w: Power in this mode
    reason: plan, displaced, curtailment, cap, failed, drained
    decision_id: The DecisionExplained of it
    """

    FULL_NAME: ClassVar[str] = "hcp.sites.v1.UnitModeAssigned"

    site_id: str
    at: int
    unit_id: str
    mode: str
    power_w: int
    reason: str
    decision_id: str

    def to_record(self) -> Record:
        return {
            "site_id": self.site_id,
            "at": self.at,
            "unit_id": self.unit_id,
            "mode": self.mode,
            "power_w": self.power_w,
            "reason": self.reason,
            "decision_id": self.decision_id,
        }

    @classmethod
    def from_record(cls, record: Record) -> UnitModeAssigned:
        return cls(
            site_id=record["site_id"],
            at=record["at"],
            unit_id=record["unit_id"],
            mode=record["mode"],
            power_w=record["power_w"],
            reason=record["reason"],
            decision_id=record["decision_id"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitRecovered:
    """A failed or drained unit can work again.

    site_id: The site
    at: When it happened, in the producer's time; an agent writes the site's clock
    unit_id: The unit
    """

    FULL_NAME: ClassVar[str] = "hcp.sites.v1.UnitRecovered"

    site_id: str
    at: int
    unit_id: str

    def to_record(self) -> Record:
        return {
            "site_id": self.site_id,
            "at": self.at,
            "unit_id": self.unit_id,
        }

    @classmethod
    def from_record(cls, record: Record) -> UnitRecovered:
        return cls(
            site_id=record["site_id"],
            at=record["at"],
            unit_id=record["unit_id"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitRegistered:
    """A switchable unit joined a feeder, or came back with other modes.

    site_id: The site
    at: When it happened, in the producer's time; an agent writes the site's clock
    unit_id: The unit
    feeder_id: Its feeder
    kind: gpu or asic
    model: For example H100 or S21
    memory_gb: GPU memory
    modes: Its modes; off is one of them
    """

    FULL_NAME: ClassVar[str] = "hcp.sites.v1.UnitRegistered"

    site_id: str
    at: int
    unit_id: str
    feeder_id: str
    kind: str
    model: str
    memory_gb: int = 0
    modes: tuple[UnitMode, ...]

    def to_record(self) -> Record:
        return {
            "site_id": self.site_id,
            "at": self.at,
            "unit_id": self.unit_id,
            "feeder_id": self.feeder_id,
            "kind": self.kind,
            "model": self.model,
            "memory_gb": self.memory_gb,
            "modes": [item.to_record() for item in self.modes],
        }

    @classmethod
    def from_record(cls, record: Record) -> UnitRegistered:
        return cls(
            site_id=record["site_id"],
            at=record["at"],
            unit_id=record["unit_id"],
            feeder_id=record["feeder_id"],
            kind=record["kind"],
            model=record["model"],
            memory_gb=record["memory_gb"],
            modes=tuple(UnitMode.from_record(item) for item in record["modes"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitReported:
    """A unit told its health.

    site_id: The site
    at: When it happened, in the producer's time; an agent writes the site's clock
    unit_id: The unit
    health: ok or degraded
    power_w: Power it draws now
    temperature_c: Hottest sensor
    detail: For people
    """

    FULL_NAME: ClassVar[str] = "hcp.sites.v1.UnitReported"

    site_id: str
    at: int
    unit_id: str
    health: str
    power_w: int
    temperature_c: int | None = None
    detail: str = ''

    def to_record(self) -> Record:
        return {
            "site_id": self.site_id,
            "at": self.at,
            "unit_id": self.unit_id,
            "health": self.health,
            "power_w": self.power_w,
            "temperature_c": self.temperature_c,
            "detail": self.detail,
        }

    @classmethod
    def from_record(cls, record: Record) -> UnitReported:
        return cls(
            site_id=record["site_id"],
            at=record["at"],
            unit_id=record["unit_id"],
            health=record["health"],
            power_w=record["power_w"],
            temperature_c=record["temperature_c"],
            detail=record["detail"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitSwitched:
    """The hardware carried out, or failed, a change of mode or workload in four phases.

    site_id: The site
    at: When it happened, in the producer's time; an agent writes the site's clock
    unit_id: The unit
    mode: The mode it was to reach
    workload_id: The workload it was to load
    save_ms: Saving the old state
    clear_ms: Clearing memory
    load_ms: Loading the new state
    initialise_ms: Initialising
    succeeded: Whether it reached the mode
    reason: Why not
    """

    FULL_NAME: ClassVar[str] = "hcp.sites.v1.UnitSwitched"

    site_id: str
    at: int
    unit_id: str
    mode: str
    workload_id: str | None = None
    save_ms: int
    clear_ms: int
    load_ms: int
    initialise_ms: int
    succeeded: bool
    reason: str = ''

    def to_record(self) -> Record:
        return {
            "site_id": self.site_id,
            "at": self.at,
            "unit_id": self.unit_id,
            "mode": self.mode,
            "workload_id": self.workload_id,
            "save_ms": self.save_ms,
            "clear_ms": self.clear_ms,
            "load_ms": self.load_ms,
            "initialise_ms": self.initialise_ms,
            "succeeded": self.succeeded,
            "reason": self.reason,
        }

    @classmethod
    def from_record(cls, record: Record) -> UnitSwitched:
        return cls(
            site_id=record["site_id"],
            at=record["at"],
            unit_id=record["unit_id"],
            mode=record["mode"],
            workload_id=record["workload_id"],
            save_ms=record["save_ms"],
            clear_ms=record["clear_ms"],
            load_ms=record["load_ms"],
            initialise_ms=record["initialise_ms"],
            succeeded=record["succeeded"],
            reason=record["reason"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadCancelled:
    """Somebody no longer wants the workload. It counts when routing has released it.

    site_id: The site
    at: When it happened, in the producer's time; an agent writes the site's clock
    workload_id: The workload
    cancelled_by: Who asked
    reason: Why
    """

    FULL_NAME: ClassVar[str] = "hcp.sites.v1.WorkloadCancelled"

    site_id: str
    at: int
    workload_id: str
    cancelled_by: str
    reason: str = ''

    def to_record(self) -> Record:
        return {
            "site_id": self.site_id,
            "at": self.at,
            "workload_id": self.workload_id,
            "cancelled_by": self.cancelled_by,
            "reason": self.reason,
        }

    @classmethod
    def from_record(cls, record: Record) -> WorkloadCancelled:
        return cls(
            site_id=record["site_id"],
            at=record["at"],
            workload_id=record["workload_id"],
            cancelled_by=record["cancelled_by"],
            reason=record["reason"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadCompleted:
    """The hardware finished a placement. It counts when routing has released it.

    site_id: The site
    at: When it happened, in the producer's time; an agent writes the site's clock
    workload_id: The workload
    placement_id: The placement
    """

    FULL_NAME: ClassVar[str] = "hcp.sites.v1.WorkloadCompleted"

    site_id: str
    at: int
    workload_id: str
    placement_id: str

    def to_record(self) -> Record:
        return {
            "site_id": self.site_id,
            "at": self.at,
            "workload_id": self.workload_id,
            "placement_id": self.placement_id,
        }

    @classmethod
    def from_record(cls, record: Record) -> WorkloadCompleted:
        return cls(
            site_id=record["site_id"],
            at=record["at"],
            workload_id=record["workload_id"],
            placement_id=record["placement_id"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadFailed:
    """A placement failed on the hardware for the workload's own reason.

    site_id: The site
    at: When it happened, in the producer's time; an agent writes the site's clock
    workload_id: The workload
    placement_id: The placement
    reason: Why
    """

    FULL_NAME: ClassVar[str] = "hcp.sites.v1.WorkloadFailed"

    site_id: str
    at: int
    workload_id: str
    placement_id: str
    reason: str

    def to_record(self) -> Record:
        return {
            "site_id": self.site_id,
            "at": self.at,
            "workload_id": self.workload_id,
            "placement_id": self.placement_id,
            "reason": self.reason,
        }

    @classmethod
    def from_record(cls, record: Record) -> WorkloadFailed:
        return cls(
            site_id=record["site_id"],
            at=record["at"],
            workload_id=record["workload_id"],
            placement_id=record["placement_id"],
            reason=record["reason"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadPlaced:
    """Routing gave a workload its units; their power is planned from here on.

    site_id: The site
    at: When it happened, in the producer's time; an agent writes the site's clock
    workload_id: The workload
    placement_id: This placement; another try has another
    customer_id: Who pays
    gpu_model: The model it got
    gpu_milli: Thousandths of each GPU
    units: What it got, in ascending order
    duration_s: Expected run time
    attempt: 1 for the first placement
    price_usd_per_gpu_hour: List price when placed
    decision_id: The DecisionExplained of it
    """

    FULL_NAME: ClassVar[str] = "hcp.sites.v1.WorkloadPlaced"

    site_id: str
    at: int
    workload_id: str
    placement_id: str
    customer_id: str
    gpu_model: str
    gpu_milli: int
    units: tuple[UnitShare, ...]
    duration_s: int
    attempt: int
    price_usd_per_gpu_hour: Decimal
    decision_id: str

    def to_record(self) -> Record:
        return {
            "site_id": self.site_id,
            "at": self.at,
            "workload_id": self.workload_id,
            "placement_id": self.placement_id,
            "customer_id": self.customer_id,
            "gpu_model": self.gpu_model,
            "gpu_milli": self.gpu_milli,
            "units": [item.to_record() for item in self.units],
            "duration_s": self.duration_s,
            "attempt": self.attempt,
            "price_usd_per_gpu_hour": self.price_usd_per_gpu_hour,
            "decision_id": self.decision_id,
        }

    @classmethod
    def from_record(cls, record: Record) -> WorkloadPlaced:
        return cls(
            site_id=record["site_id"],
            at=record["at"],
            workload_id=record["workload_id"],
            placement_id=record["placement_id"],
            customer_id=record["customer_id"],
            gpu_model=record["gpu_model"],
            gpu_milli=record["gpu_milli"],
            units=tuple(UnitShare.from_record(item) for item in record["units"]),
            duration_s=record["duration_s"],
            attempt=record["attempt"],
            price_usd_per_gpu_hour=record["price_usd_per_gpu_hour"],
            decision_id=record["decision_id"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadProgressed:
    """The hardware told how far a placement has come.

    site_id: The site
    at: When it happened, in the producer's time; an agent writes the site's clock
    workload_id: The workload
    placement_id: The placement
    progress_ppm: Millionths of the run that are done
    """

    FULL_NAME: ClassVar[str] = "hcp.sites.v1.WorkloadProgressed"

    site_id: str
    at: int
    workload_id: str
    placement_id: str
    progress_ppm: int

    def to_record(self) -> Record:
        return {
            "site_id": self.site_id,
            "at": self.at,
            "workload_id": self.workload_id,
            "placement_id": self.placement_id,
            "progress_ppm": self.progress_ppm,
        }

    @classmethod
    def from_record(cls, record: Record) -> WorkloadProgressed:
        return cls(
            site_id=record["site_id"],
            at=record["at"],
            workload_id=record["workload_id"],
            placement_id=record["placement_id"],
            progress_ppm=record["progress_ppm"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadQueued:
    """Routing admitted a workload; it waits for units.

    site_id: The site
    at: When it happened, in the producer's time; an agent writes the site's clock
    workload_id: The workload
    customer_id: Who pays
    name: Shown to people
    kind: training, inference, batch or interactive
    gpu_model: Required GPU model; null for any
    gpu_count: Number of GPUs
    gpu_milli: Thousandths of each GPU: less than 1000 shares one
    duration_s: Expected run time
    priority: Higher is more urgent
    preemptible: May be stopped for something dearer
    deadline: Worth nothing when not complete by then
    max_price_usd_per_gpu_hour: The most the customer pays
    submitted_at: Event time of the submission
    reason: Why it waits
    """

    FULL_NAME: ClassVar[str] = "hcp.sites.v1.WorkloadQueued"

    site_id: str
    at: int
    workload_id: str
    customer_id: str
    name: str
    kind: str
    gpu_model: str | None = None
    gpu_count: int
    gpu_milli: int = 1000
    duration_s: int
    priority: int = 0
    preemptible: bool = False
    deadline: int | None = None
    max_price_usd_per_gpu_hour: Decimal | None = None
    submitted_at: int
    reason: str

    def to_record(self) -> Record:
        return {
            "site_id": self.site_id,
            "at": self.at,
            "workload_id": self.workload_id,
            "customer_id": self.customer_id,
            "name": self.name,
            "kind": self.kind,
            "gpu_model": self.gpu_model,
            "gpu_count": self.gpu_count,
            "gpu_milli": self.gpu_milli,
            "duration_s": self.duration_s,
            "priority": self.priority,
            "preemptible": self.preemptible,
            "deadline": self.deadline,
            "max_price_usd_per_gpu_hour": self.max_price_usd_per_gpu_hour,
            "submitted_at": self.submitted_at,
            "reason": self.reason,
        }

    @classmethod
    def from_record(cls, record: Record) -> WorkloadQueued:
        return cls(
            site_id=record["site_id"],
            at=record["at"],
            workload_id=record["workload_id"],
            customer_id=record["customer_id"],
            name=record["name"],
            kind=record["kind"],
            gpu_model=record["gpu_model"],
            gpu_count=record["gpu_count"],
            gpu_milli=record["gpu_milli"],
            duration_s=record["duration_s"],
            priority=record["priority"],
            preemptible=record["preemptible"],
            deadline=record["deadline"],
            max_price_usd_per_gpu_hour=record["max_price_usd_per_gpu_hour"],
            submitted_at=record["submitted_at"],
            reason=record["reason"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadRejected:
    """Routing will never place this submission.

    site_id: The site
    at: When it happened, in the producer's time; an agent writes the site's clock
    workload_id: The workload
    customer_id: Who asked
    reason: A code, for example no_such_model
    detail: A sentence for people
    submitted_at: Event time of the submission, as the site counts it; null in older records
    """

    FULL_NAME: ClassVar[str] = "hcp.sites.v1.WorkloadRejected"

    site_id: str
    at: int
    workload_id: str
    customer_id: str
    reason: str
    detail: str
    submitted_at: int | None = None

    def to_record(self) -> Record:
        return {
            "site_id": self.site_id,
            "at": self.at,
            "workload_id": self.workload_id,
            "customer_id": self.customer_id,
            "reason": self.reason,
            "detail": self.detail,
            "submitted_at": self.submitted_at,
        }

    @classmethod
    def from_record(cls, record: Record) -> WorkloadRejected:
        return cls(
            site_id=record["site_id"],
            at=record["at"],
            workload_id=record["workload_id"],
            customer_id=record["customer_id"],
            reason=record["reason"],
            detail=record["detail"],
            submitted_at=record["submitted_at"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadReleased:
    """A workload ended; its units are free.

    site_id: The site
    at: When it happened, in the producer's time; an agent writes the site's clock
    workload_id: The workload
    placement_id: The placement that ended; null when it never had one
    customer_id: Who pays
    outcome: completed, cancelled, failed or, of what waited for a site to register its GPUs,
        rejected
    reason: Routing's own code, such as completed, cancelled, reported_failed or switch_failed
    detail: Who reported or cancelled it says why, in their own words
    """

    FULL_NAME: ClassVar[str] = "hcp.sites.v1.WorkloadReleased"

    site_id: str
    at: int
    workload_id: str
    placement_id: str | None = None
    customer_id: str
    outcome: str
    reason: str = ''
    detail: str = ''

    def to_record(self) -> Record:
        return {
            "site_id": self.site_id,
            "at": self.at,
            "workload_id": self.workload_id,
            "placement_id": self.placement_id,
            "customer_id": self.customer_id,
            "outcome": self.outcome,
            "reason": self.reason,
            "detail": self.detail,
        }

    @classmethod
    def from_record(cls, record: Record) -> WorkloadReleased:
        return cls(
            site_id=record["site_id"],
            at=record["at"],
            workload_id=record["workload_id"],
            placement_id=record["placement_id"],
            customer_id=record["customer_id"],
            outcome=record["outcome"],
            reason=record["reason"],
            detail=record["detail"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadRequeued:
    """Routing took a placement's units back; the workload waits again.

    site_id: The site
    at: When it happened, in the producer's time; an agent writes the site's clock
    workload_id: The workload
    placement_id: The placement that ended
    customer_id: Who pays
    reason: unit_failed, unit_changed, switch_failed, curtailment or cap
    unit_id: The unit that failed, or did not switch; null when that is not why, and in older
        records
    suspect: The unit failed so soon that the workload may be why: counts against its retries
    blamed: It also ran there, and alone: so many different units, and it is given up
    """

    FULL_NAME: ClassVar[str] = "hcp.sites.v1.WorkloadRequeued"

    site_id: str
    at: int
    workload_id: str
    placement_id: str
    customer_id: str
    reason: str
    unit_id: str | None = None
    suspect: bool = False
    blamed: bool = False

    def to_record(self) -> Record:
        return {
            "site_id": self.site_id,
            "at": self.at,
            "workload_id": self.workload_id,
            "placement_id": self.placement_id,
            "customer_id": self.customer_id,
            "reason": self.reason,
            "unit_id": self.unit_id,
            "suspect": self.suspect,
            "blamed": self.blamed,
        }

    @classmethod
    def from_record(cls, record: Record) -> WorkloadRequeued:
        return cls(
            site_id=record["site_id"],
            at=record["at"],
            workload_id=record["workload_id"],
            placement_id=record["placement_id"],
            customer_id=record["customer_id"],
            reason=record["reason"],
            unit_id=record["unit_id"],
            suspect=record["suspect"],
            blamed=record["blamed"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadStarted:
    """The hardware began to run a placement.

    site_id: The site
    at: When it happened, in the producer's time; an agent writes the site's clock
    workload_id: The workload
    placement_id: The placement
    """

    FULL_NAME: ClassVar[str] = "hcp.sites.v1.WorkloadStarted"

    site_id: str
    at: int
    workload_id: str
    placement_id: str

    def to_record(self) -> Record:
        return {
            "site_id": self.site_id,
            "at": self.at,
            "workload_id": self.workload_id,
            "placement_id": self.placement_id,
        }

    @classmethod
    def from_record(cls, record: Record) -> WorkloadStarted:
        return cls(
            site_id=record["site_id"],
            at=record["at"],
            workload_id=record["workload_id"],
            placement_id=record["placement_id"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadSubmitted:
    """A customer asks for GPUs on this site.

    site_id: The site
    at: When it happened, in the producer's time; an agent writes the site's clock
    workload_id: Chosen by the client, or by the gateway; stable on retry
    customer_id: Who pays
    name: Shown to people
    kind: training, inference, batch or interactive
    gpu_model: Required GPU model; null for any
    gpu_count: Number of GPUs
    gpu_milli: Thousandths of each GPU: less than 1000 shares one
    duration_s: Expected run time
    priority: Higher is more urgent
    preemptible: May be stopped for something dearer
    deadline: Worth nothing when not complete by then
    max_price_usd_per_gpu_hour: The most the customer pays
    """

    FULL_NAME: ClassVar[str] = "hcp.sites.v1.WorkloadSubmitted"

    site_id: str
    at: int
    workload_id: str
    customer_id: str
    name: str
    kind: str
    gpu_model: str | None = None
    gpu_count: int
    gpu_milli: int = 1000
    duration_s: int
    priority: int = 0
    preemptible: bool = False
    deadline: int | None = None
    max_price_usd_per_gpu_hour: Decimal | None = None

    def to_record(self) -> Record:
        return {
            "site_id": self.site_id,
            "at": self.at,
            "workload_id": self.workload_id,
            "customer_id": self.customer_id,
            "name": self.name,
            "kind": self.kind,
            "gpu_model": self.gpu_model,
            "gpu_count": self.gpu_count,
            "gpu_milli": self.gpu_milli,
            "duration_s": self.duration_s,
            "priority": self.priority,
            "preemptible": self.preemptible,
            "deadline": self.deadline,
            "max_price_usd_per_gpu_hour": self.max_price_usd_per_gpu_hour,
        }

    @classmethod
    def from_record(cls, record: Record) -> WorkloadSubmitted:
        return cls(
            site_id=record["site_id"],
            at=record["at"],
            workload_id=record["workload_id"],
            customer_id=record["customer_id"],
            name=record["name"],
            kind=record["kind"],
            gpu_model=record["gpu_model"],
            gpu_count=record["gpu_count"],
            gpu_milli=record["gpu_milli"],
            duration_s=record["duration_s"],
            priority=record["priority"],
            preemptible=record["preemptible"],
            deadline=record["deadline"],
            max_price_usd_per_gpu_hour=record["max_price_usd_per_gpu_hour"],
        )


SitesEvent = (
    AlertCleared
    | AlertRaised
    | BillingDifferenceFound
    | ClockCorrected
    | CurtailmentLifted
    | CurtailmentMet
    | CurtailmentRequested
    | EnergyMetered
    | HashpricePublished
    | HourClosed
    | InputRejected
    | PowerPlanApplied
    | PowerPlanProposed
    | PowerPricePublished
    | SiteConfigured
    | TimePassed
    | UnitDrained
    | UnitFailed
    | UnitModeAssigned
    | UnitRecovered
    | UnitRegistered
    | UnitReported
    | UnitSwitched
    | WorkloadCancelled
    | WorkloadCompleted
    | WorkloadFailed
    | WorkloadPlaced
    | WorkloadProgressed
    | WorkloadQueued
    | WorkloadRejected
    | WorkloadReleased
    | WorkloadRequeued
    | WorkloadStarted
    | WorkloadSubmitted
)

EVENTS: tuple[type[SitesEvent], ...] = (
    AlertCleared,
    AlertRaised,
    BillingDifferenceFound,
    ClockCorrected,
    CurtailmentLifted,
    CurtailmentMet,
    CurtailmentRequested,
    EnergyMetered,
    HashpricePublished,
    HourClosed,
    InputRejected,
    PowerPlanApplied,
    PowerPlanProposed,
    PowerPricePublished,
    SiteConfigured,
    TimePassed,
    UnitDrained,
    UnitFailed,
    UnitModeAssigned,
    UnitRecovered,
    UnitRegistered,
    UnitReported,
    UnitSwitched,
    WorkloadCancelled,
    WorkloadCompleted,
    WorkloadFailed,
    WorkloadPlaced,
    WorkloadProgressed,
    WorkloadQueued,
    WorkloadRejected,
    WorkloadReleased,
    WorkloadRequeued,
    WorkloadStarted,
    WorkloadSubmitted,
)
