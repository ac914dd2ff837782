"""What every column of a store means, and its unit: kept in table ``column_doc`` and printed as docs/store.md."""

import sqlite3
from collections.abc import Iterator

from mlrtui_db._result_docs import BOUNDARY, FORK, LAMBDA0, MEASURED, Docs
from mlrtui_db._sqlite import columns
from mlrtui_db.axes import AXES, AXIS, SIZES
from mlrtui_db.flags import FLAG_ALL_SAMPLES, FLAGS, LOSS_STATES

__all__ = ["OF_A_TRIAL", "TABLES", "VIEWS", "column_documents"]

_SWEEP_ID: Docs = {"sweep_id": ("id", "The sweep it belongs to.")}
_REV: Docs = {"rev": ("1", "Number of the transaction that last touched the row; rises over the life of a store.")}

_ACCURACY_ON: Docs = {
    "accuracy_on": (
        "text",
        "Whose accuracy is stored and decides: train; validation, the held-out samples; own, reported by the user's "
        "training.",
    ),
}
_OWN: Docs = {"own": ("JSON", "Settings of a user's own training, by their names; NULL: there are none.")}
_SETTINGS: Docs = {axis.name: (axis.unit, axis.text) for axis in AXES if axis.is_stored} | _ACCURACY_ON
_AXES: Docs = {axis.column: (axis.unit, axis.text) for axis in AXES if axis.name not in SIZES} | _ACCURACY_ON | _OWN

_EDGE: Docs = {
    "edge": (
        "1",
        "eta × sharpness at the edge of stability: 2 for sgd and rmsprop, 2(1 + momentum) for momentum, the same over "
        "1 + 2·momentum for nesterov, and (2 + 2·beta1) / (1 - beta1) for adam and adamw, along training, with eta the "
        "rate of the step; 0: no linear edge, or none that is known (muon, optimizers and trainings of your own), and "
        "ratios to it are NULL.",
    ),
}

_STEP: Docs = {
    "step": ("steps", "Number of updates done before; the row describes the weights before update number step."),
    "loss": ("loss", f"Loss of this step's batch; NULL when not finite, flags say which. See flag {FLAG_ALL_SAMPLES}."),
    "accuracy": ("1", "Accuracy, from 0 to 1, of what accuracy_on says; NULL when not evaluated at this step."),
    "sharpness": (
        "1/eta",
        "Sharpness λ of the operator preconditioned by the layers' rates, and by adam's 1/(√v + eps); NULL when not "
        "measured at this step.",
    ),
    "sharpness_residual": ("1", "Relative residual of sharpness."),
    "products": ("1", "Operator products spent on this λ."),
}

_EIGENVALUE: Docs = {
    "step": _STEP["step"],
    "operator": ("text", "Matrix that it belongs to: gauss-newton, hessian or ntk; preconditioned as sharpness is."),
    "rank": ("1", "1 for the largest, 2 for the next. A repeated eigenvalue is found once."),
    "value": ("1/eta", "The eigenvalue; NULL when not finite."),
    "residual": ("1", "Its relative residual ‖Av − λv‖ / |λ|."),
}

_FORK_STEP: Docs = {
    "step": ("steps", "Updates of the base before the fork, t; its first one trains on the base's next batch."),
}

_LAYER: Docs = {
    "step": _STEP["step"],
    "layer": ("1", "The weight layer: 1 is the input layer."),
    "activation_rms": (
        "1",
        "RMS of its output after the activation, over a fixed batch; of the net's outputs for the last.",
    ),
    "effective_rms": ("1", "RMS of (W - W0) h there: what its own update adds to its output. NULL when not finite."),
    "propagating_rms": (
        "1",
        "RMS of W0 (h - h0) there: what the updates of the layers below add. NULL when not finite.",
    ),
}

_NAME: Docs = {
    "measure": (
        "text",
        "Name of the measure, as the sweep file asks for it; of a recorder critical, directional, batch, lambda, "
        "lambda-preconditioned, gradient norm or update norm.",
    ),
}
_PART = "Which part of the measure, such as the rank of an eigenvalue or a layer; {}: it has no parts."
_VALUE: Docs = {
    "value": ("of the measure", "Its value; NULL when not finite, or when status says why there is none."),
    "edge": (
        "of the measure",
        "The value at which something changes at this step: a recorder's is in the units of the value, so value / edge "
        "holds under any schedule. NULL: there is none.",
    ),
    "edge_high": ("of the measure", "Upper end where theory gives a band of edges; NULL: no band."),
    "low": ("of the measure", "Lower bound of the value; NULL: none."),
    "high": ("of the measure", "Upper bound of the value; NULL: none."),
    "residual": ("1", "Relative residual of an eigenvalue; NULL: not an eigenvalue."),
    "products": ("1", "Hessian-vector products spent on it; NULL: not counted."),
    "forwards": ("1", "Forward passes spent on it; NULL: not counted."),
    "status": ("text", "found, not-converged, or why there is no value; NULL: a measure of a sweep file has none."),
    "note": ("text", "What to know of the value, such as why it has no edge; NULL: nothing."),
    "seconds": ("s", "Time that the measurement took; NULL: not timed."),
}

_FIT: Docs = {
    "fit": ("text", "Name of the fit."),
    "y": ("text", "What is fitted: eta_star or lambda0."),
    "term": ("text", "The expression whose power is fitted."),
    "exponent": ("1", "Power of the term: slope of ln y on ln term."),
    "low": ("1", "Lower end of the 95 % interval; NULL when there are too few cells."),
    "high": ("1", "Upper end of the 95 % interval; NULL when there are too few cells."),
    "intercept": ("ln y", "Intercept of the fit."),
    "r2": ("1", "Share of the variance of ln y that the fit explains."),
    "cells": ("1", "Cells used."),
    "decades": ("decades", "Range of the term over the cells used, log10."),
    "where_expr": ("text", "Condition on the cells; empty: all."),
    "excluded": ("JSON", "Cells left out, each with the reason."),
    "f_equal": ("1", "F statistic of equal exponents, in fits of two terms."),
    "p_equal": ("1", "Its p value: small means that the exponents differ."),
    "method": ("text", "How exponent and interval were found."),
    "warnings": ("text", "What to keep in mind; empty: nothing."),
}

TABLES: dict[str, Docs] = {
    "sweep": {
        "sweep_id": ("id", "Number of the sweep."),
        "sweep_key": ("SHA-256", "Hash of spec: equal sweeps have equal keys."),
        "name": ("text", "Name given in the sweep file."),
        "spec": ("JSON", "The whole sweep file, canonical."),
        "mode": (
            "text",
            "search: eta* of every net is sought. scan: given rates are trained. recorded: a script's own training.",
        ),
        "code_id": ("text", "Version and hash of the code that trains."),
        "created_at": ("s (Unix time)", "When the sweep was first started."),
        "finished_at": ("s (Unix time)", "When its last trial was done; NULL before."),
        "status": ("text", "open, done or stopped."),
        "shard": (
            "text",
            "Which shards of the sweep the store holds, as 1/4 or 0,2/4; part: some nets; NULL: all of it.",
        ),
        "repeatable": (
            "0 or 1",
            "Whether the first training of a user's own, run twice, reported the same numbers; NULL: not tried.",
        ),
    },
    "cell": {
        "cell_id": ("id", "Number of the cell: one point of the grid."),
        **_SWEEP_ID,
        "position": ("1", "Place in the grid, from 0."),
        "label": ("text", "Short readable name, unique in its sweep."),
        "settings": ("JSON", "All settings of the cell, canonical."),
        "n_params": ("1", "Trained parameters of one net; 0: not known."),
        "data_id": ("SHA-256", "Hash of the training arrays; empty: not known."),
        **_SETTINGS,
        "steps_per_epoch": ("steps", "Whole batches in the data; 0: not known."),
        "ln_eta_star_mean": ("ln eta", "Mean of ln eta_star over the cell's uncensored nets."),
        "ln_eta_star_sd": ("ln eta", "Sample standard deviation of the same; NULL below two nets."),
        **_REV,
        **_EDGE,
        "fork_step": (
            "steps",
            "Updates of a base training after which the trainings of the cell start; NULL: they start at "
            "initialisation. A cell of forks stands beside the cell of its nets, and is in the views forks and "
            "fork_trials alone.",
        ),
        "map_value": ("1", "Of rows of a map: the value of its other axis; NULL: the cell is no such row."),
    },
    "net": {
        "net_id": ("id", "Number of the net: one initialisation of a cell."),
        "cell_id": ("id", "The cell it belongs to."),
        "seed": ("1", "Seed of weights and data order."),
        "status": ("text", "queued, open (trials are running or wanted), done or failed."),
        "operator": ("text", "Matrix whose top eigenvalue is the sharpness: gauss-newton, hessian or ntk."),
        "loss_convention": ("text", "The loss whose curvature is measured, with its factors."),
        "sharpness_samples": ("text", "Training samples on which sharpness is measured: all, or a fixed probe set."),
        "sharpness_schedule": ("text", "At which steps sharpness is measured."),
        **LAMBDA0,
        "lambda0_preconditioned_residual": ("1", "Relative residual of lambda0_preconditioned."),
        "lambda0_gauss_newton_residual": ("1", "Relative residual of lambda0_gauss_newton."),
        "lambda0_hessian_residual": ("1", "Relative residual of lambda0_hessian."),
        "lambda0_converged": ("0 or 1", "Whether all of these met their tolerance; NULL: not measured yet."),
        "start_eta": ("eta", "Learning rate at which the search started."),
        **BOUNDARY,
        **_REV,
        **FORK,
    },
    "trial": {
        "trial_id": ("id", "Number of the trial: one training of a net at one learning rate."),
        "trial_key": ("SHA-256", "Hash of everything that changes the numbers."),
        "net_id": ("id", "The net it trains."),
        "eta": ("eta", "Learning rate of the trial, its peak under a schedule."),
        "eta_lambda0": ("1", "eta × lambda0_preconditioned; 2 is the stability edge."),
        "round": ("1", "Question of the search that asked for it, from 0."),
        "max_steps": ("steps", "Budget; 0: not known, of a recorded run."),
        "status": ("text", "queued, running, done or failed."),
        **MEASURED,
        "attempt": ("1", "Number of the newest attempt; 0: never started. All stored steps are of this attempt."),
        "n_steps": ("1", "Stored steps."),
        "last_step": ("steps", "Newest stored step."),
        "last_loss": ("loss", "Loss at last_step; NULL when not finite."),
        "last_accuracy": ("1", "Newest accuracy."),
        "last_sharpness": ("1/eta", "Newest sharpness."),
        "last_sharpness_step": ("steps", "Step of last_sharpness."),
        "min_loss": ("loss", "Smallest finite loss of any stored step."),
        "max_loss": ("loss", "Largest finite loss of any stored step."),
        "max_loss_step": ("steps", "First step of max_loss."),
        "max_sharpness": ("1/eta", "Largest sharpness of any stored step."),
        "error": ("text", "Why the trial failed."),
        **_REV,
    },
    "attempt": {
        "trial_id": ("id", "The trial it trains."),
        "attempt": ("1", "Number of the attempt, from 1."),
        "driver_id": ("text", "The driver that started it."),
        "host": ("text", "Machine of the driver."),
        "device": ("text", "Device that trains."),
        "env": (
            "JSON",
            "Versions, device name and threads of the worker; derived_from: trial_key of the training to another"
            " threshold whose steps were copied.",
        ),
        "started_at": ("s (Unix time)", "When it was handed to a worker."),
        "heartbeat_at": ("s (Unix time)", "When its newest record was stored."),
        "ended_at": ("s (Unix time)", "When it ended; NULL while it runs."),
        "next_seq": ("1", "Number of the record that is expected next; duplicates are dropped."),
        "outcome": ("text", "done, failed, lost (driver or worker died) or cancelled."),
        "detail": ("text", "One line on the outcome."),
        "bars": ("JSON", "[step, accuracy] pairs; no better at one of them, and search.give_up ends the trial."),
    },
    "step": {
        "trial_id": ("id", "The trial it belongs to."),
        **_STEP,
        "flags": ("bits", ", ".join(f"{flag.bit} {flag.text}" for flag in FLAGS) + "."),
        "eta": ("1", "Learning rate of this step, where it has a schedule; NULL: that of the trial."),
    },
    "series": {
        "series_id": ("id", "Number of the measure, or of the part of one."),
        "measure": (
            "text",
            f'{_NAME["measure"][1][:-1]}; of eigenvalues beside the sharpness "spectrum" and the operator; of layers '
            "activation_rms, effective_rms and propagating_rms.",
        ),
        "part": ("text", _PART.format("empty")),
    },
    "measure": {
        "trial_id": ("id", "The trial it belongs to."),
        "step": _STEP["step"],
        "series_id": ("id", "The measure, or the part of one, that the value is of."),
        **_VALUE,
    },
    "event": {
        "event_id": ("id", "Number of the event, in order of time."),
        "at": ("s (Unix time)", "When it happened."),
        "level": ("text", "info, warning or error."),
        "sweep_id": ("id", "The sweep it is about; NULL: none."),
        "trial_id": ("id", "The trial it is about; NULL: none."),
        "host": ("text", "Machine of the driver."),
        "text": ("text", "One line."),
    },
    "fit": {
        **_SWEEP_ID,
        **_FIT,
        "inputs": ("JSON", "The points: label of the cell, value of the term (null in fits of two), mean of ln y."),
    },
    "column_doc": {
        "tbl": ("text", "Table or view."),
        "col": ("text", "Column."),
        "unit": ("text", "Unit; 1 for pure numbers, eta for learning rates, loss for values of the training loss."),
        "text": ("text", "Meaning."),
    },
    "annotation": {
        "annotation_id": ("id", "Number of the note or tag."),
        **_SWEEP_ID,
        "kind": ("text", "note or tag."),
        "at": ("s (Unix time)", "When it was written."),
        "text": ("text", "What it says."),
    },
    "meta": {
        "key": (
            "text",
            "schema_version, created_at, writer (at work, or never closed), writer_died, epochs (the last writers), "
            "replica_of, or work (JSON: what the driver and its workers do, while one is at work).",
        ),
        "value": ("text", "Its value."),
    },
}

_NAMES: Docs = {
    "sweep": ("text", "Name of the sweep."),
    "cell": ("text", "Label of the cell."),
    **{name: (AXIS[name].unit, AXIS[name].text) for name in SIZES},
    "cell_id": ("id", "Number of the cell."),
}
_SEED: Docs = {"seed": ("1", "Seed of the net.")}
_TRIAL: Docs = {
    **_SEED,
    "eta": ("eta", "Learning rate of the trial."),
    "eta_lambda0": ("1", "eta × lambda0_preconditioned; 2 is the stability edge."),
    "trial_id": ("id", "Number of the trial."),
}


OF_A_TRIAL = frozenset({*_NAMES, *_TRIAL, *_AXES})
"""Columns of views that are the same in all rows of a trial."""


def _pick(docs: Docs, *names: str) -> Docs:
    return {name: docs[name] for name in names}


VIEWS: dict[str, Docs] = {
    "axes": {"cell_id": _NAMES["cell_id"], **_AXES},
    "measured": {
        "trial_id": ("id", "The trial it belongs to."),
        "step": _STEP["step"],
        **_pick(TABLES["series"], "measure", "part"),
        **_VALUE,
        "shown_in": ("text", "The view that shows it: spectra, layers or measures."),
    },
    "eta_star": {
        **_NAMES,
        **_SEED,
        **BOUNDARY,
        "trials": ("1", "Trials of the net that are done."),
        "given_up": ("1", "How many of them search.give_up ended early."),
        **LAMBDA0,
        **_pick(TABLES["net"], "operator", "loss_convention", "status", "net_id"),
        "eta_star_lambda0": ("1", "eta_star × lambda0_preconditioned."),
        **_AXES,
    },
    "boundaries": {
        **_NAMES,
        **_TRIAL,
        "round": TABLES["trial"]["round"],
        **_pick(MEASURED, "verdict", "reached_epoch", "best_accuracy", "given_up_epoch"),
        "side": (
            "text",
            "Where the rate lies among the net's successes, those of its window: below them (a failure there is slow), "
            "above them (unstable) or within. NULL: no success, or the trial is not done.",
        ),
        **_AXES,
    },
    "grid": {
        **_NAMES,
        "nets": ("1", "Nets of the cell."),
        "nets_done": ("1", "Nets that are done or failed."),
        "trials": ("1", "Trials asked for so far."),
        "trials_done": ("1", "Trials that are done or failed."),
        "diverged": ("1", "Trials that diverged."),
        **_pick(TABLES["cell"], "ln_eta_star_mean", "ln_eta_star_sd"),
        "lambda0_mean": ("1/eta", "Mean of lambda0 over the cell's nets."),
        "lambda0_preconditioned_mean": ("1/eta", "Mean of lambda0_preconditioned over the cell's nets."),
        **_AXES,
    },
    "curves": {
        **_NAMES,
        **_TRIAL,
        **_STEP,
        "sharpness_ratio": (
            "1",
            "sharpness × eta / edge: above 1 is beyond the edge of stability. NULL for the ntk, unless under mse.",
        ),
        "loss_state": (
            "text",
            f"{', '.join(['finite', *LOSS_STATES.values()][:-1])} or {[*LOSS_STATES.values()][-1]}.",
        ),
        "sharpness_not_converged": ("0 or 1", "Whether sharpness missed its tolerance."),
        "step_eta": ("1", "Learning rate of this step: eta, or what its schedule makes of it."),
        **_EDGE,
        **_AXES,
    },
    "spectra": {
        **_NAMES,
        **_TRIAL,
        **_EIGENVALUE,
        "value_ratio": ("1", "value × eta / edge, as sharpness_ratio."),
        **_EDGE,
        **_AXES,
    },
    "layers": {
        **_NAMES,
        **_TRIAL,
        **_LAYER,
        "role": ("text", "input (the first), output (the last) or hidden; a net's only layer is its output."),
        **_AXES,
    },
    "measures": {
        **_NAMES,
        **_TRIAL,
        "step": _STEP["step"],
        **_NAME,
        **_VALUE,
        "part": ("text", _PART.format("NULL")),
        "value_ratio": ("1", "value / edge."),
        **_AXES,
    },
    "phases": {
        **_NAMES,
        **_TRIAL,
        **{name: doc for name, doc in MEASURED.items() if name not in ("reached_epoch", "best_accuracy")},
        "lambda0": LAMBDA0["lambda0"],
        "eta_final_sharpness": ("1", "eta × final_sharpness: ends below edge when training is stable."),
        **_EDGE,
        **_AXES,
    },
    "onsets": {
        **_NAMES,
        **_SEED,
        "c_loss": (
            "1",
            "Smallest trained c = eta × lambda0 from which the loss rises: peak_smoothed above 1.000001 (above 1.5 in "
            "mini-batches; times (1 + 2·momentum)² for heavy ball) and, where λ was measured, ratio_before_peak above "
            "1; NULL: at none. Under phase_rule 1: any loss above the first.",
        ),
        "c_loss_above": ("1", "The next smaller c; NULL: c_loss is the smallest trained, an upper bound."),
        "c_sharp": (
            "1",
            "Smallest c at which sharpness exceeds its start by 0.1 %, before the peak of a loss that rises; NULL: at "
            "none, not measured, or not on all samples. Under phase_rule 1: at any step.",
        ),
        "c_sharp_above": ("1", "The next smaller c; NULL: c_sharp is the smallest trained, an upper bound."),
        "c_max": (
            "1",
            "Largest c that is survived (phase lazy, stable, controlled, catapult or edge) below the first that is "
            "lost (divergent, catastrophic, collapsed); NULL: none. Under phase_rule 1: the largest that is survived.",
        ),
        "c_max_below": ("1", "The next larger c; NULL: c_max is the largest trained, a lower bound."),
        "c_max_last": ("1", "Largest c that is survived, also above one that is lost."),
        "c_max_open": (
            "0 or 1",
            "Whether an unfinished trial lies above c_max and below the first that is lost: with more steps c_max may "
            "be larger.",
        ),
        "phase_rule": (
            "1",
            "Edition of the rules of these onsets: 1 where a trial's phase is of the first edition, else 2.",
        ),
        "ordered": ("0 or 1", "Whether c_loss <= c_sharp <= c_max; NULL where one is missing."),
        "accuracy_best": ("1", "Largest final accuracy of the net's trials; NULL where there is none."),
        "eta_best": ("eta", "Smallest rate with that accuracy."),
        "eta_unstable": ("eta", "Smallest rate above eta_best whose final accuracy is below 0.2; NULL: none."),
        "trials": ("1", "Trials of the net that are done."),
        "lambda0_preconditioned": LAMBDA0["lambda0_preconditioned"],
        "net_id": TABLES["net"]["net_id"],
        **_AXES,
    },
    "width_growth": {
        **_NAMES,
        **_TRIAL,
        "factor": ("eta", "Factor of the law eta = factor × width^power, from scan.eta_width."),
        "power": ("1", "Power of the width in it."),
        "family": ("id", "Trials with the same number differ in width and seed alone: same settings, same law."),
        "logit_rms": (
            "1",
            "RMS of the outputs at its largest over the first 10 steps, of outputs minus their mean over classes "
            "under ce and mse-softmax; under phase_rule 1 of the outputs as they are.",
        ),
        **_pick(MEASURED, "hidden_growth", "verdict", "phase", "peak_smoothed", "final_accuracy"),
        "survives": ("0 or 1", "Whether the phase is lazy, stable, controlled, catapult or edge."),
        "bounded": ("0 or 1", "Whether the loss has a bounded gradient by the outputs: ce and mse-softmax."),
        **_AXES,
    },
    "forks": {
        **_NAMES,
        **_SEED,
        **_FORK_STEP,
        **_pick(BOUNDARY, "eta_star_se", "eta_last", "first_failure", "window_low", "window_high", "successes"),
        **_pick(BOUNDARY, "reversals", "eta_rule"),
        "censored": (BOUNDARY["censored"][0], f"{BOUNDARY['censored'][1]} NULL without eta_star: see reason."),
        "reason": ("text", "Why eta_star is censored or not known, or why the fork failed."),
        "eta_star": (
            "eta",
            "η*(t): the largest rate that survives when it is switched on at step; NULL: none does, or the base has "
            "fitted its data so closely that none can be told.",
        ),
        "trials": ("1", "Trainings of the fork that are done."),
        "sharpness": ("1/eta", "λ(t): preconditioned sharpness of the base's weights at step."),
        "eta_edge": ("eta", "edge / sharpness: the stability edge there, 2/λ(t) for sgd."),
        "kappa": ("1", "eta_star over eta_edge."),
        "kappa0": ("1", "eta_star over the stability edge at initialisation, edge / base_lambda0."),
        **_pick(FORK, "eta_catapult", "base_eta", "base_lambda0", "base_loss", "fork_loss"),
        "base_eta_step": ("eta", "Learning rate of the base at step, by its schedule."),
        "base_schedule": ("text", "Schedule of the base."),
        "base_warmup_steps": ("steps", "Its warm-up; NULL: none."),
        "fitted": (
            "0 or 1",
            "Whether the base has fitted its data: fork_loss is below 0.001 base_loss. A rate that is too large then "
            "needs more steps to show, and eta_star may be too large.",
        ),
        "state": ("text", "What the optimizer remembered at the start of the fork: keep, as the base left it; fresh."),
        "steps": ("steps", "Length of each training of the fork."),
        **_EDGE,
        **_pick(TABLES["net"], "operator", "status", "net_id"),
        **_AXES,
    },
    "fork_trials": {
        **_NAMES,
        **_TRIAL,
        **_FORK_STEP,
        "eta_lambda0": ("1", "eta × λ(t), preconditioned, at the start of the fork."),
        **_pick(TABLES["trial"], "round", "status", "net_id"),
        **_pick(MEASURED, "verdict", "phase", "loss_final", "peak_ratio", "peak_step", "bad_step"),
        **_AXES,
    },
    "maps": {
        **_NAMES,
        **_SEED,
        **{name: text for name, text in _TRIAL.items() if name in ("eta", "trial_id")},
        "map": ("1", "Number of the map in its sweep, from 1: its rows agree in all settings but the axis."),
        "axis": ("text", "The map's other axis, by its key in the sweep file."),
        "value": ("1", "Its value there."),
        "success": ("0 or 1", "Whether the training meets the rule of [map]; NULL: not known yet, or it failed."),
        **_pick(TABLES["trial"], "status", "net_id"),
        **_pick(MEASURED, "verdict", "phase", "loss_initial", "loss_final", "peak_ratio", "bad_step"),
        **_AXES,
    },
    "exponents": {"sweep": _NAMES["sweep"], **_FIT},
    "annotations": {"sweep": _NAMES["sweep"], **_pick(TABLES["annotation"], "kind", "text", "at", "annotation_id")},
}


def column_documents(connection: sqlite3.Connection) -> Iterator[tuple[str, str, str, str]]:
    """Rows of table ``column_doc``: table or view, column, unit, text; in the order of the schema."""
    for name, docs in {**TABLES, **VIEWS}.items():
        for column in columns(connection, name):
            unit, text = docs[column]
            yield name, column, unit, text
