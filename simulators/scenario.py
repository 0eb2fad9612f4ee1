"""A scenario: everything a simulation needs to know, read from one TOML file.

Sites with feeders and groups of units, markets, customers with tariffs and contracts, the window of
the trace, the clock. Numbers with a point are read as `Decimal`; times are RFC 3339 in UTC.
"""

from __future__ import annotations

import re
import tomllib
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self, assert_never

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from simulators.errors import ScenarioInvalid
from simulators.hardware import CATALOGUE

SCENARIOS_DIR = Path(__file__).parent / "scenarios"

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Money = Annotated[Decimal, Field(ge=0, le=1_000_000, decimal_places=6)]
Period = Literal["hour", "day", "week", "month"]
_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_FIRST_MONDAY_MS = 4 * _DAY_MS  # 1970-01-05


def load(name: str) -> Scenario:
    """By name, from `scenarios/`. Raises ScenarioInvalid."""
    path = SCENARIOS_DIR / f"{name}.toml"
    if not re.fullmatch(r"[a-z0-9-]+", name) or not path.is_file():
        raise ScenarioInvalid(f"no scenario {name!r}; there are: {', '.join(names())}")
    return parse(name, path.read_text(encoding="utf-8"))


def names() -> list[str]:
    return sorted(path.stem for path in SCENARIOS_DIR.glob("*.toml"))


def parse(name: str, text: str) -> Scenario:
    """Raises ScenarioInvalid, which names every fault."""
    try:
        return Scenario.model_validate({"name": name, **tomllib.loads(text, parse_float=Decimal)})
    except tomllib.TOMLDecodeError as error:
        raise ScenarioInvalid(f"scenario {name!r} is not valid TOML: {error}") from None
    except ValidationError as error:
        faults = "; ".join(_sentence(fault["loc"], fault["msg"]) for fault in error.errors())
        raise ScenarioInvalid(f"scenario {name!r}: {faults}") from None


def period_end_ms(period: Period, at_ms: int) -> int:
    """The first end of a billing period (UTC, weeks from Monday) at or after a moment."""
    match period:
        case "hour":
            return -(-at_ms // _HOUR_MS) * _HOUR_MS
        case "day":
            return -(-at_ms // _DAY_MS) * _DAY_MS
        case "week":
            week_ms = 7 * _DAY_MS
            return -(-(at_ms - _FIRST_MONDAY_MS) // week_ms) * week_ms + _FIRST_MONDAY_MS
        case "month":
            moment = datetime.fromtimestamp((at_ms - 1) // 1000, UTC)
            year, month = divmod(moment.year * 12 + moment.month, 12)
            return int(datetime(year, month + 1, 1, tzinfo=UTC).timestamp()) * 1000
        case _:
            assert_never(period)


def _sentence(where: tuple[int | str, ...], message: str) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where)
    return f"{path.lstrip('.') or 'scenario'}: {message.removeprefix('Value error, ')}"


def _known_model(model: str) -> str:
    if model not in CATALOGUE:
        raise ValueError(f"no hardware model {model!r}; there are: {', '.join(CATALOGUE)}")
    return model


def _in_utc(moment: datetime) -> datetime:
    if moment.utcoffset() != UTC.utcoffset(None):
        raise ValueError("give the time in UTC (…Z)")
    return moment


Model = Annotated[str, AfterValidator(_known_model)]
Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class UnitGroup(_Part):
    """So many units of one model."""

    model: Model
    count: int = Field(ge=1, le=20_000)


class Feeder(_Part):
    feeder_id: Name
    power_cap_w: int = Field(ge=0)
    units: tuple[UnitGroup, ...] = ()


class Site(_Part):
    site_id: Name
    name: str = Field(min_length=1)
    pool: Name = "default"
    power_cap_w: int = Field(ge=0)
    gpu_prices: dict[Model, Money]
    feeders: tuple[Feeder, ...] = Field(min_length=1)


class Hashprice(_Part):
    """Where the seeded walk of difficulty, price and fees starts, and how far it strays.

    btc_price_volatility_ppm: standard deviation of one hour's relative step
    difficulty_volatility_ppm: of the step at each retarget, every 2016 blocks (a fortnight)
    fees_volatility_ppm: of one hour's fees around `fees_sats`
    """

    difficulty: int = Field(gt=0)
    btc_price_usd: Money = Field(gt=0)
    fees_sats: int = Field(ge=0)
    btc_price_volatility_ppm: int = Field(default=4_000, ge=0, le=100_000)
    difficulty_volatility_ppm: int = Field(default=30_000, ge=0, le=150_000)
    fees_volatility_ppm: int = Field(default=200_000, ge=0, le=300_000)
    seed: int = 1


class Market(_Part):
    """Power prices are the file's, interval by interval; hashprice is computed each hour."""

    power_prices: Literal["ercot_rt_spp_hb_hubavg_2024"]
    settlement_point: str
    hashprice: Hashprice


class Tariff(_Part):
    gpu_prices: dict[Model, Money]
    energy_pass_through: bool = True
    energy_adder_usd_per_mwh: Money = Decimal(0)


class Contract(_Part):
    billing_period: Period = "day"
    grace_s: int = Field(default=3_600, ge=0, le=31 * 86_400)
    auto_finalize: bool = True


class Customer(_Part):
    """weight: share of the workloads, against the other customers' weights."""

    customer_id: Name
    name: str = Field(min_length=1)
    weight: int = Field(default=1, ge=1)
    tariff: Tariff
    contract: Contract


class Workloads(_Part):
    """Which part of the trace arrives, and how; `simulators/workloads.py` says what a pod becomes.

    window_start_s: the trace second that falls on the scenario's start
    compression: trace seconds between arrivals for one second of event time; durations stay real
    longest_s: pods that ran longer are left out, because a small site would soon run nothing else
    through: `site`: submitted to the only site; `intake`: brokering chooses among the pool's sites
    """

    trace: Literal["alibaba_openb_pod_list_default"]
    window_start_s: int = Field(ge=0)
    compression: int = Field(default=1, ge=1, le=1_000)
    longest_s: int | None = Field(default=None, ge=1)
    through: Literal["site", "intake"] = "site"


class HardwareFaults(_Part):
    """unit_mtbf_h: mean hours between failures of one unit; repair_s: mean time to repair."""

    switch_failures_per_million: int = Field(default=4_000, ge=0, lt=10_000)
    unit_mtbf_h: int = Field(default=5_000, ge=1)
    repair_s: int = Field(default=7_200, ge=60)


class Scenario(_Part):
    """speed: simulated seconds per wall second, a ceiling; tick_s: longest gap between ticks."""

    name: Name
    title: str = Field(min_length=1)
    seed: int
    starts_at: Moment
    ends_at: Moment
    speed: int = Field(ge=1, le=1_000_000)
    tick_s: int = Field(default=60, ge=1, le=3_600)
    meter_interval_s: int = Field(default=900, ge=60, le=3_600)
    sites: tuple[Site, ...] = Field(min_length=1)
    market: Market
    customers: tuple[Customer, ...] = Field(min_length=1)
    workloads: Workloads
    hardware: HardwareFaults = HardwareFaults()

    @property
    def starts_ms(self) -> int:
        return int(self.starts_at.timestamp()) * 1000

    @property
    def ends_ms(self) -> int:
        """Last arrivals come before this."""
        return int(self.ends_at.timestamp()) * 1000

    @property
    def closes_ms(self) -> int:
        """Where the scenario has ended: every billing period open at `ends_at` is final by then.

        The hardware works on after it, one second of event time in each wall second, at the last
        prices, so that what is submitted then runs too. Two hours beyond the grace are left for
        late meters and the agents' own hourly steps.
        """
        contracts = [customer.contract for customer in self.customers]
        return (
            max(
                period_end_ms(contract.billing_period, self.ends_ms) + contract.grace_s * 1000
                for contract in contracts
            )
            + 2 * _HOUR_MS
        )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        faults = list(_faults(self))
        if faults:
            raise ValueError("; ".join(faults))
        return self


def _faults(scenario: Scenario) -> list[str]:
    faults = []
    if scenario.ends_at <= scenario.starts_at:
        faults.append("ends_at must come after starts_at")
    if scenario.starts_ms % (scenario.meter_interval_s * 1000) or scenario.starts_ms % 3_600_000:
        faults.append("starts_at must be a full hour, where a meter interval begins")
    if 3_600 % scenario.meter_interval_s:
        faults.append("meter_interval_s must divide an hour")
    if scenario.workloads.through == "site" and len(scenario.sites) != 1:
        faults.append('workloads.through = "site" needs exactly one site')
    faults += _repeated("site_id", [site.site_id for site in scenario.sites])
    faults += _repeated("customer_id", [c.customer_id for c in scenario.customers])
    for site in scenario.sites:
        faults += _repeated(
            f"feeder_id in site {site.site_id}", [feeder.feeder_id for feeder in site.feeders]
        )
        models = {group.model for feeder in site.feeders for group in feeder.units}
        unpriced = sorted(
            model for model in models - set(site.gpu_prices) if CATALOGUE[model].kind == "gpu"
        )
        faults += [f"site {site.site_id} has {model}s but no price for them" for model in unpriced]
    return faults


def _repeated(what: str, values: list[str]) -> list[str]:
    return [
        f"{what} {v!r} is given twice" for v in sorted({v for v in values if values.count(v) > 1})
    ]
