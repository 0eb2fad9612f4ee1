from __future__ import annotations

import pytest

from streams.invoicing.rating.gpu_time import GPU_US_PER_GPU_HOUR, amount_usd_micros


@pytest.mark.parametrize(
    ("quantity", "price", "amount"),
    [
        (GPU_US_PER_GPU_HOUR, 2_350_000, 2_350_000),
        (8 * GPU_US_PER_GPU_HOUR, 2_350_000, 18_800_000),
        (GPU_US_PER_GPU_HOUR // 4, 2_350_000, 587_500),  # a quarter of a GPU, or of an hour
        (1000, 2_350_000, 1),  # one GPU for one millisecond: 0.65 micro-dollars
        (765, 2_350_000, 0),  # 0.4994
        (766, 2_350_000, 1),  # 0.5000
        (0, 2_350_000, 0),
        (GPU_US_PER_GPU_HOUR, 0, 0),
    ],
)
def test_amounts(quantity: int, price: int, amount: int) -> None:
    assert amount_usd_micros(quantity, price) == amount
