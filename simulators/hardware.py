"""The hardware there is: what each model draws and computes in each mode.

Makers' figures: Antminer S21 200 TH/s at 3,500 W (17.5 J/TH); H100 SXM 989.4 TFLOPS dense BF16,
80 GB, 700 W; A100 80 GB SXM 312 TFLOPS, 400 W.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.events.sites import UnitMode

OFF = UnitMode(mode="off", power_w=0, hashrate_ths=0, tflops=0.0)


@dataclass(frozen=True, slots=True)
class HardwareModel:
    """kind: gpu or asic."""

    name: str
    kind: str
    memory_gb: int
    modes: tuple[UnitMode, ...]


def _gpu(name: str, *, power_w: int, tflops: float, memory_gb: int) -> HardwareModel:
    compute = UnitMode(mode="compute", power_w=power_w, hashrate_ths=0, tflops=tflops)
    return HardwareModel(name, "gpu", memory_gb, (OFF, compute))


def _asic(name: str, *, power_w: int, hashrate_ths: int) -> HardwareModel:
    normal = UnitMode(mode="normal", power_w=power_w, hashrate_ths=hashrate_ths, tflops=0.0)
    return HardwareModel(name, "asic", 0, (OFF, normal))


CATALOGUE: Mapping[str, HardwareModel] = {
    model.name: model
    for model in (
        _gpu("H100", power_w=700, tflops=989.4, memory_gb=80),
        _gpu("A100", power_w=400, tflops=312.0, memory_gb=80),
        _asic("S21", power_w=3_500, hashrate_ths=200),
    )
}
