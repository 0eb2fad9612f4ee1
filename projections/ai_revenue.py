"""AI revenue by site and hour, and the energy that customers account for: sums of rated usage,
each rating spread by time over the hours that it spans.

An hour gets what the rating has come to by its end, rounded down, less what it had come to before:
so the hours add up to the rating, to the micro-dollar and the watt-hour. A rating that does not say
its end (of a version before pieces), or spans more than MAX_HOURS, counts in the hour it starts in.

Adding is safe because the position and the marks are in the same transaction: a rating counts once.
"""

from __future__ import annotations

from collections.abc import Iterator

from projections.operations import Add, Operation, Table
from projections.record import HOUR_MS, LogRecord, ReadModel, moment
from schemas.events import accounts
from schemas.topics import ACCOUNTS

TABLE = Table(
    "ai_revenue_hourly",
    key=("site_id", "hour"),
    columns=("site_id", "hour", "amount_usd_micros", "energy_wh"),
)
MAX_HOURS = 366 * 24 + 1
"""More than metering bills of one jump of the clock: what claims more must not fill a table."""


def operations(record: LogRecord) -> list[Operation]:
    match record.event:
        case accounts.UsageRated() as event:
            start, end = event.interval_start, event.interval_end
            energy_wh = event.quantity if event.meter == "energy" else 0
            return [
                Add(
                    TABLE,
                    {
                        "site_id": event.site_id,
                        "hour": moment(hour),
                        "amount_usd_micros": share_of(event.amount_usd_micros, *span),
                        "energy_wh": share_of(energy_wh, *span),
                    },
                )
                for hour, span in _hours(start, start if end is None else end)
            ]
        case _:
            return []


def share_of(whole: int, before_ms: int, until_ms: int, length_ms: int) -> int:
    """What falls into [before, until) of so long a time."""
    return whole * until_ms // length_ms - whole * before_ms // length_ms


def _hours(start: int, end: int) -> Iterator[tuple[int, tuple[int, int, int]]]:
    """Each hour of [start, end), and what of it: from, to and of how much, ms after its start."""
    first = start - start % HOUR_MS
    if not start < end <= first + MAX_HOURS * HOUR_MS:
        yield first, (0, 1, 1)
        return
    for hour in range(first, end, HOUR_MS):
        yield hour, (max(hour - start, 0), min(hour + HOUR_MS, end) - start, end - start)


READ_MODEL = ReadModel(
    name="ai_revenue",
    doc="Revenue from AI by site and hour: one side of the hourly profit.",
    tables=(TABLE,),
    topics=(ACCOUNTS,),
    reads=frozenset({accounts.UsageRated}),
    operations=operations,
    owner=__name__,
)
