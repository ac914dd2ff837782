"""Trains by the kernel, run by Triton's interpreter on the CPU, and by the general steps; prints both as JSON.

A process of its own, since the interpreter must be asked for before Triton is imported.
"""

import json
import os
import sys
import warnings
from dataclasses import replace
from importlib.util import find_spec
from types import ModuleType
from typing import Any
from unittest.mock import patch

import numpy as np
from kernel_cases import BROKEN, CASES, CHOSEN, Case
from trainer_runs import digits, run_trials, trial

from mlrtui_trainer.fast import route as solvers
from mlrtui_trainer.fast import steps as fast
from mlrtui_trainer.kernels import choice, route, steps, training
from mlrtui_trainer.kernels.steps import KernelSteps
from mlrtui_trainer.spec import Dataset


def quicken() -> None:
    """Have the interpreter make the language its own once a launch, not at every call of a function."""
    from triton.runtime import interpreter

    whole, done = interpreter._patch_lang, set()

    class Scope:
        def __init__(self, scope: Any) -> None:
            self.scope = scope

        def restore(self) -> None:
            done.clear()
            self.scope.restore()

    def once(function: Any) -> Any:
        languages = {
            name for name, value in vars(sys.modules[function.__module__]).items() if isinstance(value, ModuleType)
        }
        first = not done
        if languages <= done:
            return None
        done.update(languages)
        return Scope(whole(function)) if first else whole(function)

    interpreter._patch_lang = once


def data_of(case: Case) -> Dataset:
    """Some pixels of real digits, or images of 784 pixels that are made of them."""
    data = digits(case.samples, "parity" if case.net.outputs == 1 else "classes")
    x = np.tile(data.x, (1, 13))[:, : case.net.inputs]
    x = np.asfortranarray(x) if case.by_column else np.ascontiguousarray(x)
    return replace(data, x=x, kind=case.kind or data.kind, held_out=case.held_out)


class Broken:
    """The kernel, which cannot be launched any more after so many launches."""

    def __init__(self, launches: int) -> None:
        self.left, self.kernel = launches, training.train

    def __getitem__(self, grid: Any) -> Any:
        if not self.left:
            raise RuntimeError("Triton Error [CUDA]: too many resources\nrequested for launch")
        self.left -= 1
        return self.kernel[grid]


def run_broken(case: Case) -> dict[str, Any]:
    """By the kernel until its second launch fails; and what was said of it."""
    with (
        patch.object(training, "train", Broken(1)),
        patch.dict(steps._broken),
        warnings.catch_warnings(record=True) as said,
    ):
        warnings.simplefilter("always")
        found = run(case, kernel=True)
        again = run(case, kernel=True)
    words = [str(one.message) for one in said if "kernel" in str(one.message)]
    return {**found, "again": again["launches"], "said": words}


def forget_compiler() -> None:
    """Have it asked again whether steps and λ are compiled."""
    for part in (fast, solvers):
        part._kernels.cache_clear()


def run_chosen(case: Case, speed: float) -> dict[str, Any]:
    """With the kernel where it is faster, when a clock says that it has this speed-up; and what was said of it."""
    turns = 1 + choice.TURNS
    spent = [part for each in (speed, 1.0) for _ in range(turns) for part in (0.0, each)]  # compiled steps come first
    with (
        patch.object(choice, "_now", iter(np.cumsum(spent).tolist()).__next__),
        patch.dict(choice._gains, clear=True),
        patch.dict(os.environ, {"MLRTUI_FAST": "1", route.SWITCH: route.AUTO}),
        warnings.catch_warnings(record=True) as said,
    ):
        warnings.simplefilter("always")
        forget_compiler()
        found = train(case)
        again = train(case)  # asks no clock
    forget_compiler()
    words = [str(one.message) for one in said if "kernel" in str(one.message)]
    return {**found, "again": again["launches"], "said": words}


def run(case: Case, *, kernel: bool) -> dict[str, Any]:
    """With or without it."""
    with patch.dict(os.environ, {route.SWITCH: "1" if kernel else "0"}):
        return train(case)


def train(case: Case) -> dict[str, Any]:
    """Rows and outcome of each trial."""
    trials = [trial(i, eta, 1 + i % 2) for i, eta in enumerate(case.etas)]
    launches = []
    ours = KernelSteps._launch

    def launched(self: Any, *given: Any) -> Any:
        launches.append(given[3].steps)
        return ours(self, *given)

    with patch.object(KernelSteps, "_launch", launched):
        found = run_trials(data_of(case), case.net, case.train, trials, case.every)
    return {
        "launches": launches,
        "trials": [
            {
                **{
                    name: found.columns[i][name].tolist() for name in ("step", "loss", "accuracy", "sharpness", "flags")
                },
                **{
                    name: getattr(found.outcomes[i], name)
                    for name in ("verdict", "phase", "reached_epoch", "bad_step", "bad_kind", "peak_step")
                },
                **{
                    name: getattr(found.outcomes[i], name)
                    for name in ("logit_rms_peak", "hidden_growth", "best_accuracy")
                },
            }
            for i in range(len(trials))
        ],
    }


def main() -> None:
    warnings.filterwarnings("ignore", category=RuntimeWarning)  # NumPy's, where a training overflows
    warnings.filterwarnings("ignore", message="TRITON_DEFAULT_FP_FUSION")
    quicken()
    os.environ["MLRTUI_FAST"] = "0"
    for case in CASES:
        pair = {"name": case.name, "kernel": run(case, kernel=True), "general": run(case, kernel=False)}
        if case.name == BROKEN:
            pair["broken"] = run_broken(case)
        if case.name == CHOSEN and find_spec("numba") is not None:
            pair |= {"faster": run_chosen(case, 2.0), "slower": run_chosen(case, 0.25)}
        print(json.dumps(pair), flush=True)


if __name__ == "__main__":
    main()
