"""Names and texts in a site's inputs: bounded, so that any answer that repeats one can be written.

Ids and labels hold no control characters, because people, tables and terminals read them. Free text
may: a stack trace with line breaks is a reason, and a unit that failed has failed whatever was said
about it; so the bound is wide. Lengths are in characters, those of hardware in bytes of UTF-8:
a plan names every unit of a site, each with a mode, in one record (`MAX_UNITS` of both fit).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from schemas.events import sites
from schemas.events.sites import SitesEvent
from streams.refusal import Refusal

MAX_ID_LENGTH = 200
MAX_PLACEMENT_ID_LENGTH = MAX_ID_LENGTH + 20  # the workload's, and the number of the attempt
MAX_HARDWARE_BYTES = 48
"""Of the id of a unit or feeder and of a model's name."""
MAX_MODE_BYTES = 24
MAX_TEXT_LENGTH = 10_000
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

Check = Callable[[str, str, str], Refusal | None]


def name_refusal(event: SitesEvent) -> Refusal | None:
    """Of the event's own names and texts; those inside its lists are judged with the lists."""
    for check, reason, name in NAMES.get(type(event), ()):
        value = getattr(event, name)
        refusal = None if value is None else check(reason, name, value)
        if refusal is not None:
            return refusal
    return None


def id_refusal(reason: str, name: str, value: str) -> Refusal | None:
    if 0 < len(value) <= MAX_ID_LENGTH and not _CONTROL.search(value):
        return None
    told = f"{name} must have 1 to {MAX_ID_LENGTH} characters, none of them a control character."
    return Refusal(reason, told)


def hardware_refusal(
    reason: str, name: str, value: str, most: int = MAX_HARDWARE_BYTES
) -> Refusal | None:
    if 0 < len(value.encode()) <= most and not _CONTROL.search(value):
        return None
    told = f"{name} must have 1 to {most} bytes of UTF-8, none of them a control character."
    return Refusal(reason, told)


def mode_refusal(reason: str, name: str, value: str) -> Refusal | None:
    return hardware_refusal(reason, name, value, MAX_MODE_BYTES)


def shown(text: str) -> str:
    """What was said, as much of it as an answer repeats."""
    return text if len(text) <= MAX_ID_LENGTH else f"{text[:MAX_ID_LENGTH]}…"


def _placement(reason: str, name: str, value: str) -> Refusal | None:
    if len(value) <= MAX_PLACEMENT_ID_LENGTH and not _CONTROL.search(value):
        return None
    return Refusal(reason, f"{name} has more than {MAX_PLACEMENT_ID_LENGTH} characters.")


def _label(reason: str, name: str, value: str) -> Refusal | None:
    """May be empty."""
    return id_refusal(reason, name, value) if value else None


def _text(reason: str, name: str, value: str) -> Refusal | None:
    if len(value) <= MAX_TEXT_LENGTH:
        return None
    return Refusal(reason, f"{name} has more than {MAX_TEXT_LENGTH} characters.")


Named = tuple[Check, str, str]

_WORKLOAD: Named = (id_refusal, "bad_workload_id", "workload_id")
_PLACED: tuple[Named, ...] = (_WORKLOAD, (_placement, "bad_placement_id", "placement_id"))
_UNIT: Named = (hardware_refusal, "bad_unit_id", "unit_id")
_CURTAILMENT: Named = (id_refusal, "bad_curtailment_id", "curtailment_id")
_FEEDER: Named = (hardware_refusal, "bad_feeder_id", "feeder_id")
_REASON: Named = (_text, "text_too_long", "reason")

NAMES: dict[type[Any], tuple[Named, ...]] = {
    sites.ClockCorrected: ((_label, "bad_name", "corrected_by"), _REASON),
    sites.CurtailmentLifted: (_CURTAILMENT, _REASON),
    sites.CurtailmentRequested: (_CURTAILMENT, _REASON),
    sites.EnergyMetered: (_FEEDER,),
    sites.PowerPricePublished: ((_label, "bad_settlement_point", "settlement_point"),),
    sites.SiteConfigured: (
        (id_refusal, "bad_site_id", "site_id"),
        (_label, "bad_name", "name"),
        (id_refusal, "bad_pool", "pool"),
    ),
    sites.UnitDrained: (_UNIT, _REASON),
    sites.UnitFailed: (_UNIT, _REASON),
    sites.UnitRecovered: (_UNIT,),
    sites.UnitRegistered: (_UNIT, _FEEDER, (hardware_refusal, "bad_model", "model")),
    sites.UnitReported: (_UNIT, (_text, "text_too_long", "detail")),
    sites.UnitSwitched: (
        _UNIT,
        (mode_refusal, "unknown_mode", "mode"),
        (_label, "bad_workload_id", "workload_id"),
        _REASON,
    ),
    sites.WorkloadCancelled: (_WORKLOAD, (_label, "bad_name", "cancelled_by"), _REASON),
    sites.WorkloadCompleted: _PLACED,
    sites.WorkloadFailed: (*_PLACED, _REASON),
    sites.WorkloadProgressed: _PLACED,
    sites.WorkloadStarted: _PLACED,
    sites.WorkloadSubmitted: (
        _WORKLOAD,
        (id_refusal, "bad_customer_id", "customer_id"),
        (_label, "bad_name", "name"),
        (_label, "bad_gpu_model", "gpu_model"),
    ),
}
