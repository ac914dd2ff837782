"""Trains by the kernel, run by Triton's interpreter on the CPU, and by the general steps; prints both as JSON.

A process of its own, since the interpreter must be asked for before Triton is imported.
"""

import json
import os
import sys
import warnings
from dataclasses import replace
from types import ModuleType
from typing import Any
from unittest.mock import patch

import numpy as np
from kernel_cases import BROKEN, CASES, Case
from trainer_runs import digits, run_trials, trial

from mlrtui_trainer.kernels import route, steps, training
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


def run(case: Case, *, kernel: bool) -> dict[str, Any]:
    """Rows and outcome of each trial."""
    trials = [trial(i, eta, 1 + i % 2) for i, eta in enumerate(case.etas)]
    launches = []
    ours = KernelSteps._launch

    def launched(self: Any, *given: Any) -> Any:
        launches.append(given[3].steps)
        return ours(self, *given)

    with patch.dict(os.environ, {route.SWITCH: "1" if kernel else "0"}), patch.object(KernelSteps, "_launch", launched):
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
        print(json.dumps(pair), flush=True)


if __name__ == "__main__":
    main()
