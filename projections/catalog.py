"""Every read model, in one list: what is rebuilt, waited for and documented by name.

A new one starts at offset 0 of its logs by itself. One that is renamed or removed needs a migration
that drops its tables *and* its rows in projection_positions and projection_marks: a position that
nobody moves any more would hold up everyone who waits for their own writes.
"""

from __future__ import annotations

from projections import (
    ai_revenue,
    alerts,
    billing_differences,
    curtailments,
    customers,
    dead_letter_table,
    decisions,
    energy,
    invoices,
    power_plans,
    prices,
    rejected_inputs,
    sites,
    unbilled,
    units,
    usage,
    usage_ratings,
    workloads,
)
from projections.record import ReadModel

READ_MODELS: tuple[ReadModel, ...] = (
    sites.READ_MODEL,
    units.READ_MODEL,
    workloads.READ_MODEL,
    decisions.READ_MODEL,
    power_plans.READ_MODEL,
    prices.READ_MODEL,
    energy.READ_MODEL,
    curtailments.READ_MODEL,
    alerts.READ_MODEL,
    rejected_inputs.READ_MODEL,
    customers.READ_MODEL,
    usage.READ_MODEL,
    usage_ratings.READ_MODEL,
    unbilled.READ_MODEL,
    ai_revenue.READ_MODEL,
    billing_differences.READ_MODEL,
    invoices.READ_MODEL,
    dead_letter_table.READ_MODEL,
)


def named(name: str) -> ReadModel | None:
    return next((model for model in READ_MODELS if model.name == name), None)
