"""Rows as a reader returns them, with defaults that a test changes where it matters."""

import math
from array import array
from dataclasses import replace

from mlrtui_db.models import CellRow, Curve, FitRow, NetRow, SweepRow, TrialDetails, TrialRow

NOW = 1_790_000_000.0


def make_curve(
    trial_id: int,
    loss: list[float],
    sharpness: list[float] | None = None,
    flags: list[int] | None = None,
    attempt: int = 1,
) -> Curve:
    count = len(loss)
    nan = [math.nan] * count
    return Curve(
        trial_id,
        attempt,
        array("q", range(count)),
        array("d", loss),
        array("d", nan),
        array("d", sharpness if sharpness is not None else nan),
        array("d", nan),
        array("q", flags if flags is not None else [0] * count),
    )


def make_trial(trial_id: int, cell_id: int, eta: float, **changes: object) -> TrialRow:
    base = TrialRow(
        trial_id=trial_id,
        net_id=cell_id * 10,
        cell_id=cell_id,
        seed=0,
        eta=eta,
        eta_lambda0=eta * 20.0,
        round=0,
        status="done",
        verdict="finished",
        phase="lazy",
        attempt=1,
        n_steps=121,
        max_steps=120,
        last_step=120,
        last_loss=0.0123,
        last_accuracy=0.97,
        last_sharpness=18.0,
        best_accuracy=0.97,
        peak_ratio=1.0,
        peak_step=0,
        bad_step=None,
        bad_kind=None,
        lambda0_preconditioned=20.0,
        rev=1,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def make_details(trial: TrialRow, spec: str = "{}") -> TrialDetails:
    """Everything stored about an invented trial; its start is 0.5 and its end what the row says."""
    return TrialDetails(
        trial.trial_id,
        sweep=(("sweep_id", 1), ("name", "catapult scan"), ("mode", "scan"), ("code_id", "0"), ("spec", spec)),
        cell=(("cell_id", trial.cell_id), ("depth", 1), ("width", 512), ("activation", "relu"), ("loss", "mse"),
              ("batch", 64), ("hidden_lr", 1.0)),
        net=(("net_id", trial.net_id), ("seed", trial.seed), ("operator", "gauss-newton"), ("lambda0", 20.0)),
        trial=(("trial_id", trial.trial_id), ("status", trial.status), ("eta", trial.eta), ("verdict", trial.verdict),
               ("phase", trial.phase), ("loss_initial", 0.5), ("loss_final", trial.last_loss),
               *phase_pairs(trial.phase)),
        attempt=(("attempt", trial.attempt), ("host", "here"), ("device", "cpu"), ("started_at", NOW - 60)),
    )  # fmt: skip


def phase_pairs(phase: str | None) -> tuple[tuple[str, str | float | int | None], ...]:
    """What a store says of a phase, in the words of the rules."""
    if phase is None:
        return ()
    peak, before = "the smoothed loss peaked at 31.2·L₀ (limit 1.1)", "η·λ/edge reached 1.25 before it (limit 1)"
    reasons = {"catapult": f"row 9: {peak} and {before}, and it ended at 0.04·L₀"}
    reason = reasons.get(phase, "row 12: the smoothed loss peaked at 1·L₀ (limit 1.1); nothing else fired")
    return (("phase_rule", 2), ("phase_basis", "loss+sharpness"), ("phase_reason", reason))


def make_cell(cell_id: int, depth: int, width: int, **changes: object) -> CellRow:
    base = CellRow(
        cell_id=cell_id,
        label=f"L{depth} n{width}",
        depth=depth,
        width=width,
        nets=2,
        nets_done=0,
        trials=0,
        trials_done=0,
        trials_running=0,
        trials_failed=0,
        diverged=0,
        ln_eta_star_mean=None,
        ln_eta_star_sd=None,
        censored=0,
        lambda0_mean=None,
        phases=(),
        variant="",
        rev=1,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def make_net(cell_id: int, seed: int = 0, **changes: object) -> NetRow:
    base = NetRow(
        net_id=cell_id * 10 + seed,
        cell_id=cell_id,
        seed=seed,
        status="done",
        operator="gauss-newton",
        lambda0=20.0,
        lambda0_residual=1e-4,
        lambda0_preconditioned=20.0,
        lambda0_hessian=None,
        eta_star=None,
        first_failure=None,
        eta_area=None,
        zone_octaves=None,
        reversals=None,
        censored=None,
        reason=None,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def make_sweep(sweep_id: int, name: str, mode: str, **changes: object) -> SweepRow:
    base = SweepRow(
        sweep_id=sweep_id,
        name=name,
        mode=mode,
        status="open",
        created_at=NOW - 90,
        finished_at=None,
        cells=1,
        nets=2,
        nets_done=0,
        trials=0,
        trials_done=0,
        trials_running=0,
        trials_failed=0,
        heartbeat_at=NOW,
        spec="{}",
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def make_fit(**changes: object) -> FitRow:
    base = FitRow(
        fit="eta_star~depth*width",
        term="depth*width",
        y="eta_star",
        exponent=-0.71,
        low=-0.85,
        high=-0.57,
        r2=0.91,
        cells=15,
        decades=1.9,
        where_expr="",
        excluded=(),
        f_equal=None,
        p_equal=None,
        method="OLS on per-cell means",
        warnings="",
    )
    return replace(base, **changes)  # type: ignore[arg-type]
