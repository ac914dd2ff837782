"""From the worker's records to the store's: the two rooms know nothing of each other."""

import math
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from mlrtui_db import records
from mlrtui_trainer.search import ETA_RULE, Boundary
from mlrtui_trainer.spec import LambdaAtInit, Outcome, StepBatch

Number = TypeVar("Number", np.float64, np.int64)

__all__ = ["boundary", "boundary_text", "net_lambdas", "step_rows", "trial_outcome"]


def step_rows(batch: StepBatch) -> records.StepRows:
    """NaN without a flag means "not measured" and becomes None; ``products`` 0 likewise."""
    segments = tuple(records.Segment(s.trial_id, s.attempt, s.seq, s.start, s.stop) for s in batch.segments)
    return records.StepRows(
        segments=segments,
        step=batch.step.tolist(),
        loss=batch.loss.tolist(),
        accuracy=_or_none(batch.accuracy),
        sharpness=_or_none(batch.sharpness),
        sharpness_residual=_or_none(batch.sharpness_residual),
        products=_or_none(batch.products, batch.products == 0),
        flags=batch.flags.tolist(),
        eta=() if batch.eta is None else _or_none(batch.eta),
        measures=[
            records.MeasureRow(row, one.measure, one.value, one.edge, residual=one.residual, part=one.part)
            for row, one in batch.measures
        ],
    )


def trial_outcome(outcome: Outcome) -> records.TrialOutcome:
    """NaN becomes None where the number may be missing; losses may be non-finite and are kept as they are."""
    return records.TrialOutcome(
        trial_id=outcome.trial_id,
        attempt=outcome.attempt,
        seq=outcome.seq,
        verdict=outcome.verdict,
        phase=outcome.phase,
        reached_epoch=outcome.reached_epoch,
        loss_initial=outcome.loss_initial,
        loss_final=outcome.loss_final,
        best_accuracy=_finite(outcome.best_accuracy),
        final_accuracy=_finite(outcome.final_accuracy),
        peak_ratio=outcome.peak_ratio,
        peak_step=outcome.peak_step,
        final_sharpness=_finite(outcome.final_sharpness),
        logit_rms_initial=_finite(outcome.logit_rms_initial),
        logit_rms_peak=_finite(outcome.logit_rms_peak),
        bad_step=outcome.bad_step,
        bad_kind=outcome.bad_kind,
        error=outcome.error,
        given_up_epoch=outcome.given_up_epoch,
        phase_rule=outcome.phase_rule,
        phase_basis=outcome.phase_basis,
        phase_reason=outcome.phase_reason,
        **{name: _finite(getattr(outcome, name)) for name in records.EVIDENCE},
    )


def net_lambdas(measured: LambdaAtInit) -> records.NetLambdas:
    """Field by field the same."""
    return records.NetLambdas(**{name: getattr(measured, name) for name in records.NetLambdas.__dataclass_fields__})


def boundary(net_id: int, found: Boundary) -> records.BoundaryRecord:
    """What the search knows of a net, for its row."""
    return records.BoundaryRecord(
        net_id=net_id,
        eta_star=found.eta_star,
        first_failure=found.first_failure,
        eta_area=found.eta_area,
        zone_octaves=found.zone_octaves,
        reversals=found.reversals,
        censored=found.censored,
        reason=found.reason,
        eta_rule=ETA_RULE,
        eta_last=found.eta_last,
        eta_star_se=found.eta_star_se,
        window_low=found.window_low,
        window_high=found.window_high,
        successes=found.successes,
    )


def boundary_text(cell: str, seed: int, found: Boundary) -> str:
    """One line for the log."""
    place = f"{cell} seed {seed}"
    if found.eta_star is None:
        return f"no η*: {place}: {found.reason}"
    if found.censored is not None:
        return f"η* ≥ {found.eta_star:.4g}: {place}, censored: {found.reason}"
    spread = "" if found.eta_star_se is None else f" ± {found.eta_star_se:.2g}"
    last = "" if found.eta_last is None else f", last success {found.eta_last:.4g}"
    failure = "" if found.first_failure is None else f", first failure {found.first_failure:.4g}"
    return f"η* {found.eta_star:.4g}{spread}: {place}{last}{failure}, {found.trials} trainings"


def _or_none(values: "npt.NDArray[Number]", missing: npt.NDArray[np.bool_] | None = None) -> Sequence[Any]:
    """Python's numbers, None where one is missing: NaN, if nothing else is given."""
    gone = np.isnan(values) if missing is None else missing
    if not gone.any():
        return values.tolist()  # type: ignore[no-any-return]
    if gone.all():
        return [None] * len(values)
    kept = values.astype(object)
    kept[gone] = None
    return kept.tolist()  # type: ignore[no-any-return]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
