"""Phases of trials that an older version stored: their evidence from the steps that are left, and labels where it
suffices. Nothing here imports torch.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from math import isfinite, nan
from typing import Any

import numpy as np
import numpy.typing as npt

from mlrtui_trainer.curvature.edges import edge
from mlrtui_trainer.losses import LOSS_KINDS
from mlrtui_trainer.phase_evidence import History, Ratios, window
from mlrtui_trainer.phases import Evidence, Phase, label
from mlrtui_trainer.spec import FLAG_ALL_SAMPLES

__all__ = ["StoredTrial", "evidence_from_steps", "label_if_decided"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class StoredTrial:
    """What a store's tables say of a trial that has ended; NaN where a column is NULL."""

    loss_kind: str  # "mse" | "ce" | "mse-softmax"
    verdict: str  # not "failed"
    batch: int
    samples: int  # that train
    loss_initial: float
    loss_final: float
    eta: float
    optimizer: str = "sgd"
    beta: float = 0.0  # the setting that its edge depends on
    linear: bool = False  # kind "mlp" of depth 0
    accuracy: float = nan  # at the end
    lambda0: float = nan  # preconditioned, of the training loss
    has_edge: bool = True  # whether the main operator is a curvature of the training loss: not a kernel under another
    # loss than mse, and not measured on a probe set
    logit_rms_initial: float = nan
    logit_rms_peak: float = nan
    logit_growth: float = nan  # of the second edition's trials; NaN: not stored
    hidden_growth: float = nan
    loss_constant: float = nan
    majority: float = nan


def evidence_from_steps(
    trial: StoredTrial, step: Ints, loss: Floats, flags: Ints, sharpness: Floats
) -> tuple[Evidence, frozenset[str]]:
    """The evidence of a stored trial, and the names of its fields that the store does not tell: they are NaN there.

    The columns of its steps in their order, [rows] each: loss NaN where it was not finite, sharpness NaN where it was
    not measured. ``flags`` as in `StepBatch`. A field that is NaN and not among the missing has no meaning or was not
    measured in the training itself, which is an answer.

    What is missing: the loss of the best constant output, the majority's share and the growth of the last hidden
    layer, unless they are given; the outputs' growth under a bounded loss, since it was stored without the classes'
    mean taken out; whatever rests on losses of steps that were not kept. Peaks are always kept, so the peak of a loss
    that is not smoothed is known from any rows.
    """
    full, missing = trial.batch == trial.samples, set[str]()
    of_all = (flags & FLAG_ALL_SAMPLES) > 0
    ends_with_all = bool(len(of_all) and of_all[-1])
    taken = ~of_all  # rows whose loss is that of the step's batch
    last = int(step[-1]) if len(step) else 0
    expected = last if ends_with_all else last + 1  # batches
    whole = int(taken.sum()) == expected
    initial = np.array([trial.loss_initial])
    history = History(initial, trial.batch, len(step), full=full)
    history.add(loss[taken][:, None])
    if ends_with_all:
        history.finish(loss[-1:])
    curve = history.curve(0)
    overwritten = bool(of_all[:-1].any())  # at epochs' ends: this version keeps no batch loss there
    peak_known = whole or full or (window(trial.batch) == 1 and not overwritten)
    ratios, at_edge = Ratios(), edge(trial.optimizer, trial.beta) if trial.has_edge else None
    if at_edge is not None:
        of_edge = trial.eta / at_edge
        for t, value in zip(step.tolist(), (sharpness * of_edge).tolist(), strict=True):
            ratios.add(t, value)
    seen = ratios.summary(last, max(curve.peak_step, curve.rise_step))
    if not whole:
        missing |= {"rise", "rise_at_end", "drift"}
        if isfinite(seen.ratio_first):
            missing.add("ratio_before_peak")
    if not peak_known:
        missing.add("peak_smoothed")
    bounded = LOSS_KINDS[trial.loss_kind].bounded
    growth = trial.logit_growth
    if not isfinite(growth) and not bounded and trial.logit_rms_initial > 0.0:
        growth = trial.logit_rms_peak / trial.logit_rms_initial
    given = {"loss_constant": trial.loss_constant, "hidden_growth": trial.hidden_growth, "logit_growth": growth}
    missing |= {name for name, value in given.items() if not isfinite(value)}
    if isfinite(trial.accuracy) and not isfinite(trial.majority):
        missing.add("majority")
    evidence = Evidence(
        loss_kind=trial.loss_kind,
        verdict=trial.verdict,
        full_batch=full,
        loss_initial=trial.loss_initial,
        loss_final=trial.loss_final,
        optimizer=trial.optimizer,
        beta=trial.beta,
        linear=trial.linear,
        accuracy=trial.accuracy,
        majority=trial.majority,
        peak_smoothed=curve.peak_smoothed,
        rise=curve.rise,
        rise_at_end=curve.rise_at_end,
        drift=curve.drift,
        ratio_initial=nan if at_edge is None else trial.eta * trial.lambda0 / at_edge,
        ratio_first=seen.ratio_first,
        ratio_before_peak=seen.ratio_before_peak,
        ratio_low=seen.ratio_low,
        ratio_hover=seen.ratio_hover,
        ratio_last=seen.ratio_last,
        **given,
    )
    return _without(evidence, missing), frozenset(missing)


def label_if_decided(evidence: Evidence, missing: frozenset[str]) -> Phase | None:
    """The phase, where it is the same whatever the missing fields are; else None.

    ``missing`` names fields of `Evidence`; what they hold is not looked at. Each is tried on both sides of every
    threshold that it meets, in all combinations. Raises ValueError for a field that may not be missing, and as `label`
    does.
    """
    unknown = missing - set(_TRIED)
    if unknown:
        raise ValueError(f"a phase cannot be decided without {', '.join(sorted(unknown))}")
    plain = label(_without(evidence, missing))
    if any(label(case).label != plain.label for case in _cases(evidence, missing)):
        return None
    if not missing:
        return plain
    reason = f"{plain.reason.partition(':')[0]}, whatever {' and '.join(sorted(missing))} were: they are not stored"
    return replace(plain, reason=reason if "nan" in plain.reason else plain.reason)


_TRIED: dict[str, tuple[Any, ...]] = {
    "peak_smoothed": (1.0, 1.2, 2.0, 1e9),
    "rise": (1.0, 1.03, 2.0, 1e9),
    "rise_at_end": (False, True),
    "drift": (0.0, 1.0, nan),
    "logit_growth": (1.0, 1e9, nan),
    "hidden_growth": (1.0, 1e9, nan),
    "ratio_before_peak": (0.0, 1e9),
    "loss_constant": (1.0, 1e9, nan),  # of the final loss
    "majority": (0.0, 1.0),
}
"""Values on all sides of the thresholds that a field meets."""

_NEUTRAL = {"rise_at_end": False}


def _without(evidence: Evidence, missing: set[str] | frozenset[str]) -> Evidence:
    blank: dict[str, Any] = {name: _NEUTRAL.get(name, nan) for name in missing}
    return replace(evidence, **blank)


def _cases(evidence: Evidence, missing: frozenset[str]) -> Iterator[Evidence]:
    names = sorted(missing)
    for values in product(*(_TRIED[name] for name in names)):
        case: dict[str, Any] = dict(zip(names, values, strict=True))
        if "loss_constant" in case:
            case["loss_constant"] *= evidence.loss_final
        yield replace(evidence, **case)
