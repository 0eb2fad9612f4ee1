"""The one rounding of the whole bill."""

from __future__ import annotations


def half_up(numerator: int, denominator: int) -> int:
    """Nearest whole number, a half going up: 0.5 to 1, -0.5 to 0. denominator: above zero."""
    return (2 * numerator + denominator) // (2 * denominator)
