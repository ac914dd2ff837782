"""What a device can do at most: lane-steps a second for nets of one size, where the device's figures are published."""

from mlrtui.planning import Cell, CellPlan
from mlrtui_trainer.models.kinds import n_params

__all__ = ["most_steps"]

_PUBLISHED = {
    "B200": (75.0, 8.0),
    "H200": (67.0, 4.8),
    "H100 PCIe": (51.0, 2.0),
    "H100": (67.0, 3.35),
    "GH200": (67.0, 4.0),
    "A100": (19.5, 2.039),
    "L40S": (91.6, 0.864),
    "L4": (30.3, 0.3),
    "A10": (31.2, 0.6),
    "V100": (15.7, 0.9),
    "T4": (8.1, 0.32),
}
"""By a part of the device's name, the more exact one first: float32 TFLOP/s without tensor cores, TB/s of its memory,
as the makers' data sheets have them."""

_PARTS = sorted(_PUBLISHED, key=len, reverse=True)


def most_steps(cell: Cell, name: str) -> float | None:
    """Lane-steps a second that a device of this name could do if nothing but arithmetic or memory took time.

    None where it is not known: of a CPU, of nets of users', where λ is measured along training, which is no step, and
    in float64 or bfloat16, whose rates are others.
    """
    part = next((part for part in _PARTS if f" {part.lower()} " in f" {name.lower().replace('-', ' ')} "), None)
    if part is None or not isinstance(cell, CellPlan) or not cell.work or cell.sharpness.every:
        return None
    if cell.train.dtype != "float32" or cell.train.precision:
        return None
    rate, traffic = _PUBLISHED[part]
    flop = 6.0 * cell.work * cell.train.batch
    moved = 4.0 * (4 * n_params(cell.net) + 4 * cell.train.batch * cell.net.depth * cell.net.width)
    return min(rate * 1e12 / flop, traffic * 1e12 / moved)
