"""Whether a site is still registering its GPUs.

No event says that this is over, so the site's clock does. Before its first tick a site is still
registering, and when that tick finds GPUs it has told what it has. A GPU that is new to a running
site seldom comes alone: for `PATIENCE_MS` after it others may follow, and as long a clock that
began without any GPU is given for the first one.

Meanwhile nothing is refused for want of GPUs, here or at the pool, which is told by the phase of
`SiteSummarized`. With the tick that ends it, what waited is judged.
"""

from __future__ import annotations

from streams.routing.state import State

PATIENCE_MS = 5 * 60_000


def is_registering(state: State, now: int | None) -> bool:
    """now: the clock at the moment in question, None before the first tick"""
    since = state.registered_at
    return now is None or (since is not None and since <= now < since + PATIENCE_MS)
