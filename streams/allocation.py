"""Sharing a whole number without losing or inventing any of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

K = TypeVar("K", str, int)


def allocate(total: int, weights: Mapping[K, int]) -> dict[K, int]:
    """Share `total` by weight with the largest-remainder method.

    The shares add up to `total` exactly and each is within 1 of its exact share; equal remainders
    are served in ascending order of id. No weight above zero: nobody gets anything.
    """
    sharers = {sharer: weight for sharer, weight in sorted(weights.items()) if weight > 0}
    whole = sum(sharers.values())
    if whole == 0:
        return {}
    shares = {sharer: total * weight // whole for sharer, weight in sharers.items()}
    left = total - sum(shares.values())
    by_remainder = sorted(sharers, key=lambda sharer: (-(total * sharers[sharer] % whole), sharer))
    for sharer in by_remainder[:left]:
        shares[sharer] += 1
    return shares
