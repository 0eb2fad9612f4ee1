"""How many GPUs of a model power can carry: by feeder under its room, together under the site's.

Exact, and cheap: units of one power count as one class, however many there are. The cheapest units
that fit are the most that fit, because feeders inside a site are nested.
"""

from __future__ import annotations

from collections.abc import Mapping

PowerClass = tuple[int, int]
"""(power of one unit, how many)"""


def carried(fleet: Mapping[str, Mapping[int, int]], room_w: Mapping[str, int]) -> list[PowerClass]:
    """Of units counted by feeder and power, those that the feeders' rooms carry, the cheapest
    first. A feeder without a room carries nothing."""
    fitting: list[PowerClass] = []
    for feeder_id, by_power in fleet.items():
        left_w = max(room_w.get(feeder_id, 0), 0)
        for power_w, count in sorted(by_power.items()):
            powered = min(count, left_w // power_w) if power_w else count
            left_w -= powered * power_w
            if powered:
                fitting.append((power_w, powered))
    return sorted(fitting)


def most(classes: list[PowerClass], room_w: int) -> int:
    """How many of these units the site's room carries."""
    count, left_w = 0, max(room_w, 0)
    for power_w, units in classes:
        powered = min(units, left_w // power_w) if power_w else units
        left_w -= powered * power_w
        count += powered
        if powered < units:
            break
    return count


def least_w(classes: list[PowerClass], count: int) -> int | None:
    """The least power that so many of these units draw; None when there are fewer."""
    needed_w = 0
    for power_w, units in classes:
        taken = min(count, units)
        needed_w += taken * power_w
        count -= taken
    return None if count else needed_w
