"""GPU time at a price for a GPU-hour."""

from __future__ import annotations

from streams.invoicing.rating.rounding import half_up

GPU_US_PER_GPU_HOUR = 1000 * 3_600_000
"""gpu_us counts thousandths of a GPU times milliseconds."""


def amount_usd_micros(quantity_gpu_us: int, price_usd_micros_per_gpu_hour: int) -> int:
    return half_up(quantity_gpu_us * price_usd_micros_per_gpu_hour, GPU_US_PER_GPU_HOUR)
