"""A store of as many steps as asked for, written through the real store: something for the screens to look at.

One search-free sweep of a grid of cells; one trial has the length of a long training, all others share the rest of the
steps. Every trial is a catapult with noise, one step of the long one is a spike, and the last trial is left running.
"""

import argparse
import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlrtui_db.models import TrialRow
from mlrtui_db.reader import Reader
from mlrtui_db.records import (
    CellRecord,
    NetLambdas,
    NetRecord,
    Segment,
    StepRows,
    SweepRecord,
    TrialOutcome,
    TrialRecord,
)
from mlrtui_db.store import Store

__all__ = ["Made", "made_before", "make", "restart", "steps"]

DEPTHS, WIDTHS = (2, 4, 8, 16), (64, 128, 256, 512)
RATES = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0)  # in units of 1/lambda0
LAMBDA0 = 20.0
PLANNED = 200_000  # steps of the trial that is left running
CHUNK = 20_000  # steps in a transaction


@dataclass(frozen=True)
class Made:
    """What was made; the trials are named by their numbers in the store."""

    steps: int
    long_trial: int
    long_steps: int
    spike: tuple[int, float]  # step and loss of the long trial's one-step peak
    running_trial: int


def make(path: Path, total: int, long_steps: int = 100_000) -> Made:
    """Write about ``total`` steps into a new store at ``path``; the trial left running has a hundred of them."""
    with Store.open(path) as store:
        cells = tuple(
            _cell(at, depth, width) for at, (depth, width) in enumerate((d, w) for d in DEPTHS for w in WIDTHS)
        )
        with store.transaction():
            sweep_id = store.add_sweep(SweepRecord("made for the screens", "0" * 64, "{}", "scan", "-", cells))
        nets = [net.net_id for net in store.sweep_state(sweep_id).nets]
        with store.transaction():
            for net_id in nets:
                store.set_lambdas(NetLambdas(net_id, *(LAMBDA0, 1e-4) * 4, converged=True))
            trial_ids = store.add_trials([_trial(net_id, c) for net_id in nets for c in RATES])
            store.open_attempts(trial_ids, "benchmark", "none", {})
            store.add_event("info", "made by a benchmark", sweep_id)
        running, long_trial = trial_ids[-1], trial_ids[-2]
        each = max((total - long_steps) // (len(trial_ids) - 2), 100)
        for trial_id in trial_ids[:-1]:
            count = long_steps if trial_id == long_trial else each
            seq = _write(store, trial_id, 0, count, 0, spike=trial_id == long_trial)
            with store.transaction():
                store.finish_trial(_outcome(trial_id, seq))
        _write(store, running, 0, 100, 0)
        written = long_steps + 100 + each * (len(trial_ids) - 2)
    return Made(written, long_trial, long_steps, (long_steps // 3, SPIKE), running)


def made_before(path: Path) -> Made:
    """What `make` wrote into a store: its last trial is the running one, the one before it the long one."""
    with Reader.open(path) as reader:
        sweep = reader.live()
        cells = () if sweep is None else sweep.cells
        trials = [trial for cell in cells for trial in _trials(reader, cell.cell_id)]
    running, long = sorted(trials, key=lambda trial: -trial.trial_id)[:2]
    total = sum(trial.n_steps for trial in trials)
    return Made(total, long.trial_id, long.n_steps, (long.n_steps // 3, SPIKE), running.trial_id)


def _trials(reader: Reader, cell_id: int) -> tuple[TrialRow, ...]:
    picture = reader.live(None, cell_id)
    return () if picture is None else picture.trials


SPIKE = 61.8


def steps(trial_id: int, seq: int, start: int, count: int, spike_at: int = -1, attempt: int = 1) -> StepRows:
    """The invented steps [start, start + count) of a trial, the same at every call."""
    step = np.arange(start, start + count)
    noise = np.random.default_rng((trial_id, start)).normal(0.0, 0.05, (2, count))  # [2, steps]
    loss = (0.1 + 2.2 * np.exp(-step / 3000) + 30 * np.exp(-(((step - 14) / 5.0) ** 2))) * np.exp(noise[0])
    loss[step == spike_at] = SPIKE
    sharpness = LAMBDA0 * (0.6 + 0.4 * np.exp(-step / 20)) * np.exp(0.2 * noise[1])
    nothing = [None] * count
    return StepRows(
        segments=(Segment(trial_id, attempt, seq, 0, count),),
        step=step.tolist(),
        loss=loss.tolist(),
        accuracy=nothing,
        sharpness=sharpness.tolist(),
        sharpness_residual=[1e-4] * count,
        products=[4] * count,
        flags=[0] * count,
    )


def restart(store: Store, trial_id: int, count: int) -> int:
    """Begin a trial anew with its first steps, and leave it running; its attempt. Opening the store had ended it."""
    with store.transaction():
        store.open_attempts([trial_id], "benchmark", "none", {})
    with Reader.open(store.path) as reader:
        trial = reader.trial(trial_id)
    assert trial is not None
    with store.transaction():
        store.append_steps(steps(trial_id, 0, 0, count, attempt=trial.attempt))
    return trial.attempt


def _write(store: Store, trial_id: int, start: int, stop: int, seq: int, spike: bool = False) -> int:
    """Steps of one trial in transactions of `CHUNK`; the next sequence number."""
    spike_at = stop // 3 if spike else -1
    for at in range(start, stop, CHUNK):
        with store.transaction():
            store.append_steps(steps(trial_id, seq, at, min(CHUNK, stop - at), spike_at))
        seq += 1
    return seq


def _trial(net_id: int, c: float) -> TrialRecord:
    key = hashlib.sha256(f"{net_id} {c}".encode()).hexdigest()
    return TrialRecord(net_id, key, c / LAMBDA0, c, 0, PLANNED)


def _outcome(trial_id: int, seq: int) -> TrialOutcome:
    return TrialOutcome(
        trial_id=trial_id,
        attempt=1,
        seq=seq,
        verdict="finished",
        phase="catapult",
        reached_epoch=None,
        loss_initial=2.3,
        loss_final=0.1,
        best_accuracy=None,
        final_accuracy=None,
        peak_ratio=14.0,
        peak_step=14,
        final_sharpness=12.0,
        logit_rms_initial=None,
        logit_rms_peak=None,
    )


def _cell(position: int, depth: int, width: int) -> CellRecord:
    settings = json.dumps({"depth": depth, "width": width})
    return CellRecord(
        position=position, label=f"{depth}x{width}", settings=settings, depth=depth, width=width,
        n_params=depth * width**2, data="digits", samples=1024, data_id="0" * 64, target="classes",
        standardize="global", model="mlp", activation="relu", bias=False, parametrization="sp", input_lr=1.0,
        loss="mse", optimizer="sgd", batch=1024, max_steps=PLANNED, steps_per_epoch=1, dtype="float32",
        nets=(NetRecord(0, "gauss-newton", "mean over samples", "all"),),
    )  # fmt: skip


def main() -> None:
    """Make one store and say what it holds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.make_store", description=__doc__)
    parser.add_argument("path", type=Path, help="the store to make; it must not exist")
    parser.add_argument("--steps", type=int, default=1_000_000, help="steps in all (1000000)")
    options = parser.parse_args()
    if options.path.exists():
        parser.error(f"{options.path} exists; name a new file")
    begun = time.perf_counter()
    made = make(options.path, options.steps)
    spent = time.perf_counter() - begun
    size = options.path.stat().st_size / 2**20
    print(f"{options.path}: {made.steps} steps, {size:.0f} MiB in {spent:.0f} s")


if __name__ == "__main__":
    main()
