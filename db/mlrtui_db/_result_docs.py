"""What the columns mean in which the results of nets and trials are kept; `column_docs` says the rest."""

__all__ = ["BOUNDARY", "FORK", "LAMBDA0", "MEASURED", "Docs"]

Docs = dict[str, tuple[str, str]]  # column -> (unit, text)

LAMBDA0: Docs = {
    "lambda0": ("1/eta", "Sharpness at initialisation: top eigenvalue of the net's operator, without layer rates."),
    "lambda0_residual": ("1", "Relative residual ‖Av − λv‖ / |λ| of lambda0."),
    "lambda0_preconditioned": (
        "1/eta",
        "The same with the layers' rate multipliers applied: edge / eta is the stability edge for this one.",
    ),
    "lambda0_gauss_newton": ("1/eta", "Top eigenvalue of the Gauss-Newton matrix at initialisation."),
    "lambda0_hessian": ("1/eta", "Top eigenvalue of the Hessian at initialisation."),
}

FORK: Docs = {
    "base_eta": ("eta", "Of forks: learning rate of their base, its peak under a schedule; NULL elsewhere."),
    "base_lambda0": ("1/eta", "Of forks: lambda0_preconditioned of the base; lambda0 columns are those at the fork."),
    "base_loss": ("loss", "Of forks: loss of the base at initialisation, over all training samples."),
    "eta_catapult": (
        "eta",
        "Of forks: the rate at which their first step leaves the loss of its batch as it is; larger ones raise it, "
        "which is how a catapult begins. By forward passes, to 1 %; NULL: none was found.",
    ),
    "fork_loss": ("loss", "Of forks: that of the base where they start; NULL: it had diverged."),
}

BOUNDARY: Docs = {
    "eta_star": (
        "eta",
        "Maximal initial learning rate, by the rule that eta_rule names; NULL when no rate succeeded.",
    ),
    "eta_rule": (
        "1",
        "How eta_star was found. 1: the largest rate that succeeded, which grows with the number of rates tried. "
        "2: the area over a filled window of a fixed lattice of rates, in whatever order they were trained.",
    ),
    "eta_last": ("eta", "The largest rate that succeeded; it grows with the number of rates tried."),
    "eta_star_se": (
        "eta",
        "Standard error of eta_star of this one net, from the lattice's step and the reversals in the window; too "
        "small where the window looks clean. NULL under rule 1.",
    ),
    "window_low": ("eta", "Lowest rate of the window that eta_star is the area over; NULL under rule 1."),
    "window_high": ("eta", "Highest rate of that window; every rate of the lattice between the two was trained."),
    "successes": ("1", "Rates of the window that succeeded; NULL under rule 1."),
    "first_failure": ("eta", "Smallest failing rate above the smallest successful one."),
    "eta_area": (
        "eta",
        "End of the plateau of successes, moved by the share of successes in the ragged zone above it.",
    ),
    "zone_octaves": ("octaves", "Width of the ragged zone: log2 of the last success over the plateau's end."),
    "reversals": ("1", "How often a failure is followed by a success, going up in eta."),
    "censored": (
        "text",
        "NULL: eta_star is inside the range. at_max: success at eta_max. at_min: failure down to eta_min. "
        "none: no rate succeeded.",
    ),
    "reason": ("text", "Why eta_star is censored, or why the net failed."),
}

MEASURED: Docs = {
    "verdict": (
        "text",
        "How the trial ended: reached, finished (a scan's), not-reached (the loss fell, the threshold was missed), "
        "stalled, diverged, dead; failed is the machine's fault.",
    ),
    "phase": (
        "text",
        "mse: lazy, catapult, edge, divergent, collapsed, unfinished. ce and mse-softmax: stable, controlled, "
        "catapult, edge, catastrophic, collapsed, unfinished. numerics.md has the rules.",
    ),
    "phase_rule": ("1", "Edition of the rules that named the phase: 1 or 2; NULL without a phase."),
    "phase_basis": ("text", "What the phase rests on: loss, or loss+sharpness; NULL under edition 1."),
    "phase_reason": ("text", "The rule that fired, with its numbers and thresholds."),
    "reached_epoch": ("epochs", "Epoch at whose end the threshold was reached."),
    "loss_initial": ("loss", "Loss over all training samples before the first update."),
    "loss_final": ("loss", "Loss over all training samples at the end; NULL when not finite."),
    "best_accuracy": ("1", "Best accuracy at any evaluation, from 0 to 1; accuracy_on says whose."),
    "final_accuracy": ("1", "Accuracy at the end, from 0 to 1; accuracy_on says whose."),
    "peak_ratio": ("1", "Largest loss of any step over loss_initial; NULL when not finite."),
    "peak_step": ("steps", "Step of the largest loss."),
    "final_sharpness": ("1/eta", "Sharpness at the end; NULL when not measured."),
    "logit_rms_initial": ("1", "Root mean square of the network's outputs before the first update."),
    "logit_rms_peak": ("1", "Largest root mean square of the outputs over the first 10 steps."),
    "bad_step": ("steps", "First step whose loss is not finite, or above the divergence threshold."),
    "bad_kind": ("text", "What was wrong at bad_step: nan, +inf, -inf or threshold."),
    "given_up_epoch": ("epochs", "Epoch at whose end search.give_up ended the trial; NULL: it ran to its own end."),
    "peak_smoothed": (
        "1",
        "Largest smoothed loss over loss_initial. Smoothed: mean over the last 64 samples' worth of batches; in full "
        "batch the loss itself. NULL when not finite.",
    ),
    "rise": (
        "1",
        "Largest smoothed loss over its smallest before, while the loss is above a thousandth of loss_initial; NULL "
        "when not finite.",
    ),
    "logit_growth": (
        "1",
        "RMS of the outputs at its largest over the first 10 steps, over its first value; under ce and mse-softmax of "
        "outputs minus their mean over classes.",
    ),
    "hidden_growth": (
        "1",
        "RMS of the last hidden layer at its largest, over its first value; NULL without one.",
    ),
    "ratio_first": ("1", "First measured eta × sharpness / edge; NULL when not measured, as for the next four."),
    "ratio_before_peak": ("1", "Largest of these ratios up to the step of the smoothed loss's peak."),
    "ratio_low": ("1", "Lowest of these ratios in the first half of the training."),
    "ratio_hover": ("1", "Share of these ratios, smoothed over 3, that lie in 0.85 to 1.3."),
    "ratio_last": ("1", "The last of these ratios."),
    "drift": (
        "1",
        "Slope of ln(smoothed loss) over the last quarter, at least 10 steps, times its length; NULL below 20 steps.",
    ),
    "loss_constant": ("loss", "Smallest training loss of outputs that do not depend on the sample."),
    "majority": ("1", "Share of the largest class in the training samples; NULL where accuracy has no meaning."),
}
