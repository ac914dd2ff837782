"""Phrases about trials, sweeps and fits, the same on every screen."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from mlrtui.analysis.exclusions import left_out
from mlrtui.text.lines import clean
from mlrtui.text.marks import trains
from mlrtui.text.numbers import clock, counted, decades, moment, number, power, r_squared
from mlrtui_db.models import FitRow, SweepRow, TrialRow

__all__ = [
    "Freshness",
    "condition",
    "exponent",
    "fit_groups",
    "fit_notes",
    "fit_sentence",
    "fresh_text",
    "no_sharpness",
    "outcome",
    "progress",
    "quantity",
    "setting",
]

_QUANTITIES = {
    "eta_star": "η*",
    "eta_last": "η last",
    "lambda0": "λ₀",
    "best_rate": "η_best",
    "eta_stable": "η_max",
    "logit_rms": "logit RMS",
}
_BAD = {"nan": "NaN", "+inf": "inf", "-inf": "-inf", "threshold": "blew up"}


@dataclass(frozen=True)
class Freshness:
    """How recently a sweep was active. `since` is a time, not an age: an age would repaint the screen at every tick."""

    state: (
        str  # "live", "quiet", "stale", "done", "stopped", "no driver", "driver died", "copied", or what it waits for
    )
    since: float | None = None


def outcome(trial: TrialRow) -> str:
    """State or result of a trial, mostly in under 16 characters."""
    if trial.status in ("queued", "running"):
        return f"step {max(trial.last_step or 0, 0)}" if trains(trial) else "waiting"
    if trial.bad_kind is not None and trial.verdict == "diverged":
        return f"{_BAD.get(trial.bad_kind, trial.bad_kind)} @{trial.bad_step}"
    if trial.verdict == "reached":
        return "reached"
    if trial.given_up_epoch is not None:
        return f"given up, ep. {trial.given_up_epoch}"
    if trial.phase in ("catapult", "controlled") and trial.peak_step:
        return f"{trial.phase} @{trial.peak_step}"
    if trial.verdict in (None, "finished"):
        return trial.phase or trial.verdict or trial.status
    return trial.verdict


def no_sharpness(steps: int, every: object, ends: bool) -> str:
    """Why a trial has no λ to draw: it has not begun, none was asked for along training, or none has come.

    ``every`` is ``sharpness.every`` of its sweep, ``ends`` whether the trial has ended.
    """
    if not steps:
        return "no step stored yet"
    if every == 0:
        return "λ was asked for at initialisation only"
    return "λ was not measured along this trial" if ends else "λ is not measured yet"


def quantity(name: str) -> str:
    """Symbol of a fitted quantity: η*, λ₀."""
    return _QUANTITIES.get(name, name)


def progress(sweep: SweepRow) -> str:
    """Progress of a sweep. A search is counted in nets, since its number of trials is not known in advance."""
    if sweep.mode == "search":
        return f"nets {sweep.nets_done}/{sweep.nets} · {counted(sweep.trials_done, 'trial')}"
    if sweep.mode == "recorded":
        return "recorded"
    return f"{sweep.trials_done}/{sweep.trials} trials"


def fresh_text(fresh: Freshness) -> str:
    """The state of a sweep in words."""
    if fresh.since is None:
        return clean(fresh.state)
    if fresh.state in ("done", "stopped", "copied"):
        return f"{fresh.state} {moment(fresh.since)}"
    return f"{fresh.state} since {clock(fresh.since)}"


def exponent(fit: FitRow) -> str:
    """An exponent with its interval: −0.71 [−0.85, −0.57]."""
    if fit.low is None or fit.high is None:
        return f"{power(fit.exponent)} [no interval]"
    return f"{power(fit.exponent)} [{power(fit.low)}, {power(fit.high)}]"


def fit_groups(fits: Sequence[FitRow]) -> list[list[FitRow]]:
    """The rows of each fit together, in the order in which they were stored."""
    groups: dict[str, list[FitRow]] = {}
    for fit in fits:
        groups.setdefault(fit.fit, []).append(fit)
    return list(groups.values())


def fit_sentence(terms: Sequence[FitRow]) -> str:
    """The fit: η* ∝ (depth·width)^−0.71 [−0.85, −0.57]."""
    factors = " · ".join(f"{_term(fit.term)}^{exponent(fit)}" for fit in terms)
    return f"{quantity(terms[0].y)} ∝ {factors}"


def condition(fit: FitRow) -> str:
    """The condition on a fit's cells: where width ≥ 16·depth. Empty: all."""
    text = fit.where_expr.replace(" * ", "*").replace(">=", "≥").replace("<=", "≤").replace("*", "·")
    return f"where {text}" if text else ""


def fit_notes(terms: Sequence[FitRow]) -> list[str]:
    """Quality of the fit and excluded cells, one note per line."""
    fit = terms[0]
    r2 = "" if fit.r2 is None else f"{r_squared(fit.r2)} · "
    notes = [f"{r2}{counted(fit.cells, 'cell')} · {decades(fit.decades)}"]
    if fit.where_expr:
        notes.append(condition(fit))
    if fit.p_equal is not None:
        notes.append(f"equal exponents: p = {number(fit.p_equal, 2)}")
    if fit.excluded:
        notes.append(f"left out: {left_out(fit.excluded)}")
    if fit.warnings:
        notes.append(f"! {fit.warnings}")
    return notes


def _term(term: str) -> str:
    name = quantity(term.replace("*", "·")) if "*" not in term else term.replace("*", "·")
    return f"({name})" if any(sign in name for sign in "·+-/ ") else name


def setting(value: object) -> str:
    """A stored setting as people write it; of a list its values.

    >>> setting([2, 0.10000000000000001, True, 'sgd'])
    '2, 0.1, yes, sgd'
    """
    if isinstance(value, list):
        return ", ".join(map(setting, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number(value, 4)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
