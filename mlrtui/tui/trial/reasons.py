"""Why a trial ended as it did and why it bears its phase: the rule that fired, with its numbers, in words."""

import json

from mlrtui.text.lines import clean
from mlrtui.text.numbers import accuracy, counted, number
from mlrtui_db.models import Pairs, TrialDetails, TrialRow
from mlrtui_trainer import phases

__all__ = ["phase_reason", "phase_text", "verdict_reason"]


def verdict_reason(trial: TrialRow, details: TrialDetails | None, alive: bool = True) -> str:
    """How the trial stands or ended, as a sentence."""
    facts = _facts(details)
    initial, final = _number(facts, "loss_initial"), _number(facts, "loss_final")
    if dict(details.sweep if details else ()).get("mode") == "recorded":
        return _recorded_reason(trial, facts)
    if trial.status == "queued":
        return "waiting for its turn"
    if trial.status == "running" and not trial.n_steps:
        return "waiting: its round has begun, and no step of it is stored yet"
    if trial.status == "running":
        of = f" of {trial.max_steps}" if trial.max_steps else ""
        return f"{'running' if alive else 'stopped'}: step {max(trial.last_step or 0, 0)}{of}"
    if trial.status == "failed" or trial.verdict == "failed":
        error = facts.get("error") or dict(details.attempt if details else ()).get("detail")
        return f"failed by the machine's fault, which says nothing about η{f': {error}' if error else ''}"
    if trial.verdict == "diverged":
        if trial.bad_kind == "threshold" and initial is not None:
            limit = phases.divergence_limit(initial)
            return f"diverged: the loss passed {number(limit)} = 1e6·max(L₀, 1) at step {trial.bad_step}"
        kind = {"nan": "NaN", "+inf": "+inf", "-inf": "-inf"}.get(trial.bad_kind or "", "not finite")
        return f"diverged: the loss was {kind} at step {trial.bad_step}"
    if trial.verdict == "dead":
        return "dead: no unit of the last hidden layer is active, or the gradient is zero"
    if trial.verdict == "reached":
        epoch, best = facts.get("reached_epoch"), trial.best_accuracy
        where = "" if epoch is None else f" at the end of epoch {epoch}"
        return f"reached its goal{where}" + ("" if best is None else f" with accuracy {accuracy(best)}")
    ends = "" if initial is None or final is None else f" (loss {number(initial)} → {number(final)})"
    if trial.given_up_epoch is not None:
        return f"{trial.verdict}: {_given_up(trial, details)}{ends}"
    if trial.verdict == "not-reached":
        return f"not reached: the budget was spent below the goal, yet the loss fell{ends}"
    if trial.verdict == "stalled":
        return f"stalled: finite, but no better than at the start{ends}"
    return f"finished all {counted(trial.max_steps, 'step')}{ends}" if trial.max_steps else f"finished{ends}"


def _recorded_reason(trial: TrialRow, facts: dict[str, str | float | int | None]) -> str:
    """The same of a script's own training."""
    if trial.status == "running":
        return f"running: step {max(trial.last_step or 0, 0)}, recorded by its own script"
    losses = [number(_number(facts, name)) for name in ("loss_initial", "loss_final")]
    ends = f"{counted(trial.n_steps, 'step')} recorded (loss {losses[0]} → {losses[1]})"
    if trial.verdict == "diverged":
        return f"{ends}; the loss was not finite at step {trial.bad_step}"
    return f"{clean(str(facts['error']))}; {ends}" if facts.get("error") else ends


def _given_up(trial: TrialRow, details: TrialDetails | None) -> str:
    """At which epoch, and by which bar."""
    bars = dict(json.loads(str(dict(details.attempt if details else ()).get("bars") or "[]")))
    bar = "" if trial.last_step not in bars else f", no better than {number(bars[trial.last_step])}"
    at = "" if trial.last_accuracy is None else f" at accuracy {number(trial.last_accuracy)}"
    nearby = "finished ones near that never reached the goal"
    return f"given up at the end of epoch {trial.given_up_epoch}{at}{bar}: {nearby}"


def phase_reason(trial: TrialRow, details: TrialDetails | None) -> str:
    """The phase and the row of the rule table that gave it, as the store has it; "" before the trial has one."""
    if trial.phase is None:
        return ""
    facts = _facts(details)
    reason, rule, basis = (facts.get(name) for name in ("phase_reason", "phase_rule", "phase_basis"))
    return phase_text(trial.phase, *(None if value is None else str(value) for value in (reason, rule, basis)))


def phase_text(phase: str | None, reason: str | None, rule: int | str | None, basis: str | None) -> str:
    """A phase with its reason, the edition of the rules and what they rest on; "" where there is nothing to say."""
    if reason is None and rule is None:
        return phase or ""
    rests = {"loss": ", from the loss alone", "loss+sharpness": ", from loss and λ"}.get(basis or "", "")
    edition = "" if rule is None else f"rules of edition {rule}{rests}"
    told = " · ".join(part for part in (clean(reason or ""), edition) if part)
    return f"{phase}: {told}" if phase else told


def _facts(details: TrialDetails | None) -> dict[str, str | float | int | None]:
    pairs: Pairs = () if details is None else details.trial
    return dict(pairs)


def _number(facts: dict[str, str | float | int | None], name: str) -> float | None:
    value = facts.get(name)
    return float(value) if isinstance(value, int | float) else None
