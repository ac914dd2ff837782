"""Stage 9: the kernel of `MLRTUI_TRITON=1` beside CUDA graphs and JAX: the same trainings, and the same losses."""

import os
import statistics
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from itertools import product
from typing import Any
from unittest.mock import patch

import numpy as np
import numpy.typing as npt

from benchmarks.device.loops import by_jax, has_jax
from benchmarks.device.stages import Report, Setting
from benchmarks.device.tools import Ran, ceilings, digits, flop_of_step, in_turn, round_of
from benchmarks.trainings import BATCH, Case, train_spec
from mlrtui_trainer.fast import route as fast
from mlrtui_trainer.kernels import route
from mlrtui_trainer.spec import Dataset, Round

APART = 1e-3  # relative, of losses of calm trainings in single precision
AIM = 3.0  # speed-up over graphs, at widths up to 64


def run(setting: Setting, report: Report) -> None:
    """Widths 16 to 128, with as many lanes as fill the device."""
    with ExitStack() as stack:
        if not setting.on_gpu:
            report.note("rehearsed by Triton's interpreter on the CPU: speed means nothing here")
            stack.enter_context(patch.dict(os.environ, {"TRITON_INTERPRET": "1", fast.SWITCH: "0"}))
        if not route.version():
            report.note("Triton is not installed: the kernel is not compared")
        data, jax = digits(setting.pick(BATCH, 2 * BATCH, 1024)), has_jax(setting, report)
        rate, _ = ceilings(setting.device, setting.pick(256, 256, 8192))
        widths = (16, 32, 64, 128)
        lanes, epochs = setting.pick(1, 2, 1024), setting.pick(1, 1, 8)
        for width, depth in setting.while_time(product(widths, setting.pick((1,), (2,), (2, 4, 8))), report):
            _compare(setting, report, Case(depth, width, lanes, epochs), data, rate, jax=jax)


def _compare(setting: Setting, report: Report, case: Case, data: Dataset, rate: float, *, jax: bool) -> None:
    task = round_of(case.net(), train_spec(case, len(data.x)), case.trials(), data)
    found: dict[str, Ran] = {}
    works: list[tuple[str, Callable[[], object]]] = [
        ("graphs", partial(_train, found, task, data, setting.device, "0"))
    ]
    if route.version():
        works.append(("kernel", partial(_train, found, task, data, setting.device, "1")))
    spent: dict[str, list[float]] = {}
    for name, seconds in in_turn(works, setting.device, setting.pick(1, 1, 3)):
        spent.setdefault(name, []).append(seconds)
    each = {name: statistics.median(seconds) for name, seconds in spent.items()}
    if jax and (others := by_jax(case, setting, report)) is not None:
        each["JAX"] = others
    steps = case.trainings * task.train.max_steps
    columns: dict[str, object] = {f"{name}, lane-steps/s": steps / seconds for name, seconds in each.items()}
    if "kernel" in each:
        apart = max(
            _apart(found["kernel"].columns[i]["loss"], one["loss"]) for i, one in found["graphs"].columns.items()
        )
        columns |= {f"× {name}": seconds / each["kernel"] for name, seconds in each.items() if name != "kernel"}
        columns |= {
            "part of the ceiling": steps * flop_of_step(case.net(), BATCH) / each["kernel"] / rate,
            "apart": apart,
        }
        report.expect(apart <= APART, f"{case.depth} × {case.width}: losses are apart by {apart:.1e}")
        if setting.on_gpu and case.width <= 64 and each["graphs"] < AIM * each["kernel"]:
            report.note(f"{case.depth} × {case.width}: a speed-up over graphs below the target of {AIM:g}×")
    report.row(
        "whole trainings, batch 128, ce, sgd", depth=case.depth, width=case.width, lanes=case.trainings, **columns
    )


def _train(found: dict[str, Ran], task: Round, data: Dataset, device: str, switch: str) -> None:
    """Train it with the kernel ("1") or without."""
    with patch.dict(os.environ, {route.SWITCH: switch}):
        found["kernel" if switch == "1" else "graphs"] = Ran.of(task, data, device)


def _apart(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    """Largest relative difference of the losses of a training."""
    if len(a) != len(b):
        return float("inf")
    return float(np.max(np.abs(a - b) / np.maximum(np.abs(b), 1e-6)))
