"""What people are told of a site's clock that jumps: nothing else can tell that it is wrong."""

from __future__ import annotations

from streams.clock_text import utc
from streams.quantities import DAY_MS
from streams.routing.draft import Draft
from streams.site_inputs import MAX_JUMP_MS

DOUBTED = "clock_doubted"
MOVED = "clock_moved"


def doubted(draft: Draft, detail: str) -> None:
    """A tick was refused because it lies far from the clock."""
    draft.raise_alert(None, DOUBTED, "warning", detail)


def ticked(draft: Draft, before: int | None) -> None:
    """A tick was believed. That the clock moved far is told until a day has ended since."""
    draft.clear_alert(draft.state.site_id, DOUBTED, "A tick was believed.")
    if before is None:
        return
    if draft.at - before > MAX_JUMP_MS:
        days = (draft.at - before) // DAY_MS
        moved = f"{days} days, from {utc(before)} to {utc(draft.at)}"
        told = f"Two ticks agreed, and the clock moved {moved}."
        draft.raise_alert(
            None, MOVED, "critical", f"{told} If that is wrong, set the site's clock right."
        )
    elif before // DAY_MS < draft.at // DAY_MS:
        draft.clear_alert(draft.state.site_id, MOVED, "Nobody corrected it for a day.")


def corrected(draft: Draft) -> None:
    for kind in (DOUBTED, MOVED):
        draft.clear_alert(draft.state.site_id, kind, "An operator set the clock.")
