"""Small sweeps, trials and steps for the tests of the store."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mlrtui_db.annotations import ADD, Change, leave
from mlrtui_db.records import (
    BoundaryRecord,
    CellRecord,
    FitRecord,
    MeasureRow,
    NetLambdas,
    NetRecord,
    Segment,
    StepRows,
    SweepRecord,
    TrialOutcome,
    TrialRecord,
)
from mlrtui_db.store import Store


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def cell(position: int, depth: int, width: int, seeds: Sequence[int], **changed: object) -> CellRecord:
    settings: dict[str, object] = {
        "data": "digits",
        "samples": 1024,
        "target": "classes",
        "standardize": "global",
        "model": "mlp",
        "activation": "relu",
        "parametrization": "sp",
        "input_lr": 0.1,
        "loss": "ce",
        "optimizer": "sgd",
        "batch": 64,
        "max_steps": 48,
        "dtype": "float32",
        **changed,
    }
    return CellRecord(
        position=position,
        label=f"{depth}x{width} {position}",
        settings=json.dumps({"depth": depth, "width": width, **settings}, sort_keys=True),
        depth=depth,
        width=width,
        n_params=width * (64 + depth * width),
        data_id=sha("digits"),
        bias=False,
        steps_per_epoch=16,
        nets=tuple(NetRecord(seed, "gauss-newton", "mean over samples", "all") for seed in seeds),
        **settings,  # type: ignore[arg-type]
    )


def sweep(name: str = "one", *, mode: str = "search", cells: Sequence[CellRecord] = (), spec: str = "") -> SweepRecord:
    rates = {"factor": [0.1, 0.2, 0.3], "power": 0.0}  # by which the view width_growth finds its rows
    spec = spec or json.dumps({"name": name, "scan": {"eta_width": rates}})
    return SweepRecord(
        name=name,
        sweep_key=sha(spec),
        spec=spec,
        mode=mode,
        code_id="0.1+abc",
        cells=tuple(cells) or (cell(0, 2, 64, (0, 1)), cell(1, 4, 64, (0, 1))),
    )


def trial(net_id: int, eta: float, asked_in: int = 0) -> TrialRecord:
    return TrialRecord(net_id, sha(f"{net_id} {eta!r}"), eta, 4 * eta, asked_in, 48)


def lambdas(net_id: int, value: float = 8.0) -> NetLambdas:
    return NetLambdas(net_id, value, 1e-4, value / 2, 1e-4, value, 1e-4, value + 1, 1e-4, converged=True)


def steps(
    trial_id: int,
    losses: Sequence[float],
    *,
    attempt: int = 1,
    seq: int = 0,
    first: int = 0,
    accuracy: Sequence[float | None] | None = None,
    sharpness: Sequence[float | None] | None = None,
    flags: Sequence[int] | None = None,
) -> StepRows:
    n = len(losses)
    return StepRows(
        segments=(Segment(trial_id, attempt, seq, 0, n),),
        step=range(first, first + n),
        loss=losses,
        accuracy=accuracy or [None] * n,
        sharpness=sharpness or [None] * n,
        sharpness_residual=[None if value is None else 1e-4 for value in sharpness or [None] * n],
        products=[None if value is None else 5 for value in sharpness or [None] * n],
        flags=flags or [0] * n,
    )


def outcome(
    trial_id: int, *, attempt: int = 1, seq: int = 1, verdict: str = "reached", **changed: object
) -> TrialOutcome:
    values: dict[str, object] = {
        "phase": "stable",
        "reached_epoch": 1,
        "loss_initial": 2.3,
        "loss_final": 0.5,
        "best_accuracy": 0.9,
        "final_accuracy": 0.85,
        "peak_ratio": 1.0,
        "peak_step": 0,
        "final_sharpness": 3.0,
        "logit_rms_initial": 1.0,
        "logit_rms_peak": 2.0,
        **changed,
    }
    return TrialOutcome(trial_id=trial_id, attempt=attempt, seq=seq, verdict=verdict, **values)  # type: ignore[arg-type]


def boundary(net_id: int, eta_star: float | None, censored: str | None = None) -> BoundaryRecord:
    return BoundaryRecord(net_id, eta_star, None, eta_star, 0.0, 0, censored, None if censored is None else "why")


def fit(exponent: float = -0.7, *, name: str = "all cells", term: str = "depth*width") -> FitRecord:
    return FitRecord(
        fit=name,
        term=term,
        y="eta_star",
        exponent=exponent,
        low=exponent - 0.1,
        high=None,
        intercept=1.0,
        r2=0.9,
        cells=15,
        decades=1.5,
        where_expr="",
        excluded=("8x64: censored",),
        f_equal=None,
        p_equal=None,
        method="OLS",
        warnings="",
        inputs=(("2x64", 128.0, -1.0), ("4x64", float("nan"), -2.0)),
    )


def net_ids(store: Store, sweep_id: int) -> list[int]:
    return [net.net_id for net in store.sweep_state(sweep_id).nets]


NAN, INF = float("nan"), float("inf")


def eigenvalue(row: int, operator: str, rank: int, value: float, residual: float) -> MeasureRow:
    return MeasureRow(row, f"spectrum {operator}", value, NAN, residual=residual, part=str(rank))


def layer_sizes(row: int, layer: int, *sizes: float) -> tuple[MeasureRow, ...]:
    """RMS of activation, effective and propagating update."""
    names = ("activation_rms", "effective_rms", "propagating_rms")
    return tuple(MeasureRow(row, name, size, NAN, part=str(layer)) for name, size in zip(names, sizes, strict=True))


SPECTRA = (
    eigenvalue(0, "gauss-newton", 1, 8.0, 1e-4),
    eigenvalue(0, "gauss-newton", 2, 7.5, 1e-3),
    eigenvalue(0, "hessian", 1, 9.0, 1e-4),
    eigenvalue(2, "hessian", 1, NAN, NAN),
)

LAYERS = (
    *layer_sizes(0, 1, 0.8, 0.0, 0.0),
    *layer_sizes(0, 2, 0.7, 0.0, 0.0),
    *layer_sizes(1, 1, 0.8, 0.1, 0.0),
    *layer_sizes(1, 2, INF, 0.2, NAN),
)

MEASURES = (
    MeasureRow(0, "grad_norm", 1.5, NAN),
    MeasureRow(0, "toy", 3.0, 4.0),
    MeasureRow(2, "grad_norm", INF, NAN),
    MeasureRow(2, "by layer", 0.25, NAN, part="input"),
    MeasureRow(2, "by layer", 0.5, NAN, part="output"),
)

ALL_MEASURES = tuple(sorted((*SPECTRA, *LAYERS, *MEASURES), key=lambda one: one.row))

_made: dict[tuple[str, tuple[float, ...]], tuple[int, bytes]] = {}


def filled(path: Path, *, name: str = "one", etas: Sequence[float] = (0.1, 0.2)) -> int:
    """A store with one finished sweep: every net has λ, trials with steps, a boundary; fits and events too."""
    if path.exists():
        return add_finished_sweep(path, name, etas)
    key = (name, tuple(etas))
    if key not in _made:
        sweep_id = add_finished_sweep(path, name, etas)
        _made[key] = (sweep_id, path.read_bytes())
    sweep_id, content = _made[key]
    path.write_bytes(content)
    return sweep_id


def add_finished_sweep(path: Path, name: str, etas: Sequence[float]) -> int:
    with Store.open(path, host="here") as store:
        with store.transaction():
            sweep_id = store.add_sweep(sweep(name))
        nets = net_ids(store, sweep_id)
        with store.transaction():
            for net_id in nets:
                store.set_lambdas(lambdas(net_id))
                store.open_net(net_id, 0.1)
            ids = store.add_trials([trial(net_id, eta) for net_id in nets for eta in etas])
            attempts = store.open_attempts(ids, "driver", "cpu", {"torch": "2"})
        with store.transaction():
            for trial_id in ids:
                curve = steps(trial_id, [2.3, 2.5, 1.0], attempt=attempts[trial_id], sharpness=[8.0, None, 4.0])
                store.append_steps(replace(curve, measures=ALL_MEASURES))
                store.finish_trial(outcome(trial_id, attempt=attempts[trial_id]))
        with store.transaction():
            for place, net_id in enumerate(nets):
                store.close_net(net_id, boundary(net_id, 0.2 * (1 + place)))
            store.replace_fits(sweep_id, [fit()])
            store.add_event("info", "all done", sweep_id)
            store.end_sweep(sweep_id, "done")
        leave(path, [Change(ADD, sweep_id, "note", "as expected", 100.0), Change(ADD, sweep_id, "tag", "paper", 100.0)])
        store.take_changes()
    return sweep_id


def listing(folder: Path) -> dict[str, bytes]:
    """Names and content of all files of a folder."""
    return {item.name: item.read_bytes() for item in folder.iterdir() if item.is_file()}
